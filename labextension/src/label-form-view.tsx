import type { TranslationBundle } from "@jupyterlab/translation";
import { HTMLSelect, UseSignal } from "@jupyterlab/ui-components";
import * as React from "react";

import type { Progress } from "./api-types.ts";
import { Fragment, h } from "./jsx.ts";
import { LabelChips } from "./label-chips.tsx";
import { fileOf, type LabelForm } from "./label-form.ts";
import { ProblemView } from "./problem.tsx";
import { contentsText, taskText } from "./task-texts.ts";

interface Props {
  form: LabelForm;
  trans: TranslationBundle;
}

/** The body of the dialog. */
export function LabelFormView({ form, trans }: Props): React.JSX.Element {
  return (
    <UseSignal signal={form.changed}>
      {() => {
        const { look, problem, progress } = form.fields;
        const Contents = form.project ? Existing : Fields;
        return (
          <div className="jp-LabelStudioDialog-form" aria-busy={progress !== null}>
            {(look ?? !problem) && <Contents form={form} trans={trans} />}
            {problem && (
              <div className="jp-LabelStudioDialog-alert" role="alert">
                <ProblemView problem={problem} />
              </div>
            )}
            {progress && <ProgressView {...progress} />}
          </div>
        );
      }}
    </UseSignal>
  );
}

/** The fields for a new project. */
function Fields({ form, trans }: Props): React.JSX.Element {
  const { look, title, task, keep, isMissing, note, progress } = form.fields;
  const id = React.useId();
  const isDisabled = progress !== null;
  const tasks = look?.tasks ?? [];
  return (
    <>
      <label htmlFor={`${id}-title`}>{trans.__("Name of the project")}</label>
      <input
        id={`${id}-title`}
        className="jp-mod-styled"
        type="text"
        value={title}
        disabled={isDisabled}
        autoComplete="off"
        onChange={(event) => {
          form.set({ title: event.currentTarget.value });
        }}
      />
      <label htmlFor={`${id}-task`}>{trans.__("What to do")}</label>
      <HTMLSelect
        id={`${id}-task`}
        value={task}
        disabled={isDisabled || !look}
        onChange={(event) => {
          form.set({ task: event.currentTarget.value, isMissing: false });
        }}
      >
        {tasks.map(({ name }) => (
          <option key={name} value={name}>
            {taskText(name, trans)}
          </option>
        ))}
      </HTMLSelect>
      {form.needsLabels && (
        <>
          <label htmlFor={`${id}-labels`}>{trans.__("Labels")}</label>
          <LabelChips
            id={`${id}-labels`}
            value={form.fields}
            isMissing={isMissing}
            isDisabled={isDisabled}
            trans={trans}
            onChange={(labels) => {
              form.set({ ...labels, isMissing: false });
            }}
          />
          <div className="jp-LabelStudioDialog-hint" id={`${id}-labels-hint`} aria-live="polite">
            {isMissing
              ? trans.__("Type at least one label.")
              : note || trans.__("Enter or a comma adds a label.")}
          </div>
        </>
      )}
      <label className="jp-LabelStudioDialog-keep">
        <input
          type="checkbox"
          className="jp-mod-styled"
          checked={keep}
          disabled={isDisabled}
          onChange={(event) => {
            form.set({ keep: event.currentTarget.checked });
          }}
        />
        {trans.__("Keep the labels in %1 in this folder", fileOf(look))}
      </label>
      <div className="jp-LabelStudioDialog-hint" role="status">
        {look
          ? [contentsText(look, trans), ...look.notes].join(". ")
          : trans.__("Looking at the files…")}
      </div>
    </>
  );
}

/** What the dialog shows of an existing project. */
function Existing({ form, trans }: Props): React.JSX.Element | null {
  if (!form.project) return null;
  const { title, task, labels, new: added } = form.project;
  return (
    <>
      <p>{trans.__("There is already a project for these files:")}</p>
      <p className="jp-LabelStudioDialog-project">
        <strong>{title}</strong>
        {task && <span> · {taskText(task, trans)}</span>}
      </p>
      {labels.length > 0 && (
        <ul role="list" aria-label={trans.__("Labels")}>
          {labels.map((label) => (
            <li key={label} className="jp-LabelStudioDialog-chip">
              <span className="jp-LabelStudioDialog-chipText">{label}</span>
            </li>
          ))}
        </ul>
      )}
      <div className="jp-LabelStudioDialog-hint" role="status">
        {added > 0
          ? trans._n("%1 file is not in it yet.", "%1 files are not in it yet.", added)
          : trans.__("All files are in it.")}
      </div>
    </>
  );
}

function ProgressView({ done, total, what }: Progress): React.JSX.Element {
  return (
    <div className="jp-LabelStudioDialog-progress" role="status">
      <span>{what}</span>
      {total > 0 ? <progress value={done} max={total} /> : <progress />}
    </div>
  );
}
