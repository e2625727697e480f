import { Clipboard, ReactWidget } from "@jupyterlab/apputils";
import type { INotebookTracker } from "@jupyterlab/notebook";
import type { TranslationBundle } from "@jupyterlab/translation";
import { Button, codeIcon, downloadIcon, type LabIcon, UseSignal } from "@jupyterlab/ui-components";
import type { CommandRegistry } from "@lumino/commands";
import * as React from "react";

import { type Api, type Command, problemFrom } from "./api.ts";
import type { Problem, Progress, Project, State, Step } from "./api-types.ts";
import { CommandIDs } from "./commands.ts";
import { askForExport } from "./export-dialog.tsx";
import { Fragment, h } from "./jsx.ts";
import { currentNotebook, insertCode } from "./notebook.ts";
import { ProblemView, Prose, showProblem } from "./problem.tsx";
import { isMoving, isRunning, type StudioModel } from "./state.ts";
import { followWhileVisible } from "./visible.ts";
import {
  count,
  dataFrameCode,
  duration,
  folderName,
  secondsOf,
  size,
  stepTitle,
  type Words,
  wordsOf,
} from "./words.ts";

/** What the panel needs of JupyterLab. */
export interface PanelOptions {
  model: StudioModel;
  api: Api;
  commands: CommandRegistry;
  trans: TranslationBundle;
  /** Null where there are no notebooks. */
  tracker: INotebookTracker | null;
  /** The folder that the file browser shows, relative to Jupyter's root. */
  folder: () => string;
  /** Show a widget. */
  activate: (id: string) => void;
}

/** The panel in the side bar. It is up to date while it is visible. */
export class StudioPanel extends ReactWidget {
  private readonly _options: PanelOptions;
  private _hasFocus = false;

  constructor(options: PanelOptions) {
    super();
    this._options = options;
    this.addClass("jp-LabelStudioPanel");
    this.node.tabIndex = -1; // gets the focus until there is a button
    this.node.setAttribute("role", "region");
    this.node.setAttribute("aria-label", options.trans.__("Label Studio"));
    this.node.addEventListener("focusin", () => {
      this._hasFocus = true;
    });
    this.node.addEventListener("focusout", ({ relatedTarget }) => {
      if (relatedTarget) this._hasFocus = false; // else the focused button may have disappeared
    });
    followWhileVisible(this, options.model);
  }

  protected override onActivateRequest(): void {
    const first = this.node.querySelector<HTMLElement>("button:not(:disabled), a[href]");
    (first ?? this.node).focus();
  }

  /** Keep the focus in the panel when the button that had it is gone. */
  private readonly _onRendered = (): void => {
    if (this._hasFocus && document.activeElement === document.body) this.onActivateRequest();
  };

  protected override render(): React.JSX.Element {
    const { model } = this._options;
    return (
      <UseSignal signal={model.changed}>
        {() => <Panel {...this._options} onRendered={this._onRendered} />}
      </UseSignal>
    );
  }
}

function Panel(options: PanelOptions & { onRendered: () => void }): React.JSX.Element {
  const { model, trans } = options;
  React.useLayoutEffect(options.onRendered);
  const { state, problem } = model;
  const words = state ? wordsOf(state, trans) : null;
  return (
    <>
      <Header
        state={model.isMissing ? null : state}
        words={words}
        problem={problem}
        trans={trans}
      />
      {problem && <ProblemView problem={problem} />}
      {state && words && !model.isMissing && (
        <>
          <StateSection {...options} state={state} words={words} />
          <Projects {...options} state={state} />
        </>
      )}
    </>
  );
}

interface HeaderProps {
  state: State | null;
  words: Words | null;
  problem: Problem | null;
  trans: TranslationBundle;
}

function Header({ state, words, problem, trans }: HeaderProps): React.JSX.Element {
  const heading = problem ? trans.__("No connection") : (words?.heading ?? trans.__("Loading…"));
  return (
    <header className="jp-LabelStudioPanel-header">
      <span
        className="jp-LabelStudio-dot"
        data-state={problem ? "unknown" : colourOf(state)}
        aria-hidden="true"
      />
      <div role="status">
        <h2>{heading}</h2>
      </div>
    </header>
  );
}

/** Return the name of the colour for a state, in panel.css. */
export function colourOf(
  state: State | null,
): "unknown" | "stopped" | "moving" | "ready" | "failed" {
  if (!state) return "unknown";
  if (isMoving(state)) return "moving";
  return state.state as "stopped" | "ready" | "failed";
}

function StateSection(options: PanelOptions & { state: State; words: Words }): React.JSX.Element {
  const { model, state, words, trans } = options;
  const shown = [state.stopped_because, words.sentence].filter(Boolean).join(" ");
  return (
    <section className="jp-LabelStudioPanel-state" aria-label={trans.__("State")}>
      {shown && <p>{shown}</p>}
      {state.error && state.state === "failed" && <ProblemView problem={state.error} />}
      {state.notices.map((notice) => (
        <p key={notice} className="jp-LabelStudio-notice">
          <Prose text={notice} />
        </p>
      ))}
      <Buttons {...options} />
      {(isMoving(state) || hasFailedToStart(state)) && (
        <Steps model={model} state={state} trans={trans} />
      )}
      <Facts {...options} />
    </section>
  );
}

/** Return true if the steps show where a start failed. */
function hasFailedToStart({ state, offer, ready_after: readyAfter }: State): boolean {
  return state === "failed" && !offer && readyAfter === null;
}

function Buttons(options: PanelOptions & { state: State }): React.JSX.Element {
  const { model, api, commands, state, trans } = options;
  const [note, setNote] = React.useState("");
  const execute = (command: string) => () => void commands.execute(command);
  const run = (command: Command) => () => {
    model.run(command).catch((error: unknown) => showProblem(error, trans));
  };
  const copy = async () => {
    try {
      const text = await api.diagnostics(state.prefix);
      Clipboard.copyToSystem(text);
      setNote(trans.__("Diagnostics copied."));
    } catch (error) {
      await showProblem(error, trans);
    }
  };
  const failed = state.state === "failed";
  const offered = failed && state.offer !== null;
  const { address, action } = (failed ? state.holder : null) ?? { address: "", action: "" };
  const held = action !== "";
  const isReachable = /^https?:/.test(address);
  const actions = new Set(state.actions.map(({ label }) => label));
  const retryHelps = !held && !actions.size && /try again/i.test(state.error?.remedy ?? "");
  return (
    <>
      <div className="jp-LabelStudioPanel-buttons">
        {state.state === "ready" && (
          <TextButton primary label={trans.__("Open")} onClick={execute(CommandIDs.open)} />
        )}
        {state.state === "stopped" && (
          <TextButton primary label={trans.__("Start")} onClick={execute(CommandIDs.start)} />
        )}
        {isReachable && (
          <a
            className="jp-mod-styled jp-mod-accept jp-LabelStudio-button"
            href={address}
            target="_blank"
            rel="noopener"
          >
            {trans.__("Open it there")}
          </a>
        )}
        {held && <TextButton primary={!isReachable} label={action} onClick={run("take-over")} />}
        {offered && (
          <>
            <TextButton primary label={trans.__("Use these data")} onClick={run("use-data")} />
            <TextButton label={trans.__("Start with no data")} onClick={run("no-data")} />
          </>
        )}
        {state.actions.map(({ command, label }, index) => (
          <TextButton
            key={command}
            primary={failed && index === 0}
            label={label}
            onClick={run(command as Command)}
          />
        ))}
        {failed && !offered && !actions.has("Try again") && (
          <TextButton
            primary={retryHelps}
            label={trans.__("Try again")}
            onClick={execute(CommandIDs.start)}
          />
        )}
        {failed && !offered && (
          <TextButton label={trans.__("Copy diagnostics")} onClick={() => void copy()} />
        )}
        {isRunning(state) && !actions.has("Cancel") && (
          <TextButton label={trans.__("Stop")} onClick={execute(CommandIDs.stop)} />
        )}
        {state.state === "ready" && (
          <TextButton label={trans.__("Restart")} onClick={execute(CommandIDs.restart)} />
        )}
        <TextButton label={trans.__("Log")} onClick={execute(CommandIDs.showLog)} />
      </div>
      <p role="status" className="jp-LabelStudio-hint">
        {note}
      </p>
    </>
  );
}

interface TextButtonProps {
  label: string;
  primary?: boolean;
  onClick: () => void;
}

function TextButton({ label, primary = false, onClick }: TextButtonProps): React.JSX.Element {
  const rank = primary ? " jp-mod-accept" : "";
  return (
    <button
      type="button"
      className={`jp-mod-styled${rank} jp-LabelStudio-button`}
      onClick={onClick}
    >
      {label}
    </button>
  );
}

interface StepsProps {
  model: StudioModel;
  state: State;
  trans: TranslationBundle;
}

function Steps({ model, state, trans }: StepsProps): React.JSX.Element {
  const [, tick] = React.useReducer((ticks: number) => ticks + 1, 0);
  const moving = isMoving(state);
  React.useEffect(() => {
    const timer = moving ? setInterval(tick, 1000) : undefined;
    return () => {
      clearInterval(timer);
    };
  }, [moving]);
  return (
    <ol className="jp-LabelStudio-steps" aria-label={trans.__("Steps of the start")}>
      {state.steps.map((step) => (
        <StepItem key={step.id} step={step} model={model} state={state} trans={trans} />
      ))}
    </ol>
  );
}

function StepItem({ step, model, state, trans }: StepsProps & { step: Step }): React.JSX.Element {
  const current = step.state === "current";
  const title = stepTitle(step, trans);
  const seconds = secondsOf(step, state, model.now);
  const shown = current && seconds !== null ? Math.floor(seconds) : seconds;
  const progress = current ? state.progress : null;
  const words = {
    done: trans.__("done"),
    current: trans.__("in progress"),
    next: trans.__("to do"),
    failed: trans.__("failed"),
  };
  return (
    <li data-state={step.state} aria-current={current ? "step" : undefined}>
      <span className="jp-LabelStudio-mark" aria-hidden="true" />
      <span className="jp-LabelStudio-stepTitle">
        {title} <span className="jp-LabelStudio-hidden">{words[step.state]}</span>
      </span>
      <span className="jp-LabelStudio-hint">{shown === null ? "" : duration(shown, trans)}</span>
      {step.detail && <span className="jp-LabelStudio-detail">{step.detail}</span>}
      {current && (
        <ProgressBar
          done={progress?.done ?? 0}
          total={progress?.total ?? 0}
          label={title}
          text={count(progress, trans)}
        />
      )}
    </li>
  );
}

interface ProgressBarProps {
  done: number;
  /** 0 if it is not known. */
  total: number;
  label: string;
  text: string;
}

function ProgressBar({ done, total, label, text }: ProgressBarProps): React.JSX.Element {
  const known = total > 0 ? { "aria-valuenow": done, "aria-valuetext": text } : {};
  return (
    <div
      className="jp-LabelStudio-progress"
      data-unknown={total > 0 ? undefined : ""}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={total || 1}
      {...known}
    >
      <div style={{ width: total > 0 ? `${String((100 * done) / total)}%` : undefined }} />
    </div>
  );
}

function Facts({ model, state, trans }: PanelOptions & { state: State }): React.JSX.Element {
  const ready = state.state === "ready";
  React.useEffect(() => {
    if (ready) void model.measure();
  }, [model, ready, model.projects]);
  const address = new URL(state.prefix, location.href).href;
  return (
    <dl className="jp-LabelStudio-facts">
      {ready && (
        <>
          <dt>{trans.__("Address")}</dt>
          <dd>
            <a href={address} target="_blank" rel="noopener" title={address}>
              {address}
            </a>
          </dd>
        </>
      )}
      {Object.entries(state.versions).map(([name, version]) => (
        <Fragment key={name}>
          <dt>{name}</dt>
          <dd>{version}</dd>
        </Fragment>
      ))}
      {model.memory !== null && (
        <>
          <dt>{trans.__("Memory")}</dt>
          <dd>{size(model.memory, trans)}</dd>
        </>
      )}
    </dl>
  );
}

function Projects(options: PanelOptions & { state: State }): React.JSX.Element {
  const { model, trans } = options;
  const title = trans.__("Projects");
  return (
    <section className="jp-LabelStudioPanel-projects" aria-label={title}>
      <h3>{title}</h3>
      {model.projects?.length ? (
        <ul>
          {model.projects.map((project) => (
            <ProjectItem key={project.id} project={project} {...options} />
          ))}
        </ul>
      ) : (
        <p className="jp-LabelStudio-empty">
          {model.projects
            ? trans.__(
                "No projects yet. To begin, right-click a folder of pictures, texts, sounds or videos in the file browser, and choose “Label with Label Studio…”.",
              )
            : trans.__("Your projects appear here when Label Studio has started.")}
        </p>
      )}
    </section>
  );
}

type ExportState =
  | { name: "none" }
  | { name: "running"; progress: Progress }
  | { name: "done"; folder: string; files: number }
  | { name: "failed"; problem: Problem };

function ProjectItem(
  options: PanelOptions & { state: State; project: Project },
): React.JSX.Element {
  const { model, state, project, trans } = options;
  const { title, labelled, total } = project;
  const [exported, setExported] = React.useState<ExportState>({ name: "none" });
  const text = trans.__("%1 of %2 labelled", labelled, total);
  const open = () => void options.commands.execute(CommandIDs.open, { path: project.path, title });
  const insert = () => {
    const notebook = currentNotebook(options.tracker);
    if (!notebook) return;
    options.activate(notebook.id);
    void insertCode(notebook, (sources) => dataFrameCode(project, model.projects ?? [], sources));
  };
  return (
    <li>
      <div className="jp-LabelStudio-projectTitle">
        <button
          type="button"
          className="jp-LabelStudio-link"
          title={trans.__("Open “%1”", title)}
          onClick={open}
        >
          {title}
        </button>
        <IconButton
          icon={downloadIcon}
          label={trans.__("Export “%1”…", title)}
          disabled={state.state !== "ready"}
          isBusy={exported.name === "running"}
          onClick={() => void exportProject(options, setExported)}
        />
        {options.tracker && (
          <InsertButton {...options} tracker={options.tracker} onClick={insert} />
        )}
      </div>
      <ProgressBar done={labelled} total={total} label={title} text={text} />
      <span className="jp-LabelStudio-hint">{text}</span>
      {project.keep_problem && (
        <p className="jp-LabelStudio-notice">
          <Prose text={project.keep_problem} />
        </p>
      )}
      <ExportResult {...options} exported={exported} />
    </li>
  );
}

function InsertButton({
  tracker,
  project,
  trans,
  onClick,
}: {
  tracker: INotebookTracker;
  project: Project;
  trans: TranslationBundle;
  onClick: () => void;
}): React.JSX.Element {
  return (
    <UseSignal signal={tracker.currentChanged}>
      {() => {
        const disabled = !currentNotebook(tracker);
        const label = disabled
          ? trans.__("Open a notebook to insert code that loads “%1”", project.title)
          : trans.__("Insert code that loads “%1”", project.title);
        return <IconButton icon={codeIcon} label={label} disabled={disabled} onClick={onClick} />;
      }}
    </UseSignal>
  );
}

async function exportProject(
  { api, project, folder, trans }: PanelOptions & { project: Project },
  show: (exported: ExportState) => void,
): Promise<void> {
  try {
    const parent = folder();
    const name = folderName(project.title);
    const formats = await api.formats(project.id);
    const request = await askForExport(
      project,
      formats,
      parent ? `${parent}/${name}` : name,
      trans,
    );
    if (!request) return;
    show({ name: "running", progress: { done: 0, total: 0, what: trans.__("Exporting…") } });
    const { files } = await api.export(project.id, request, (progress) => {
      show({ name: "running", progress });
    });
    show({ name: "done", folder: request.folder, files });
  } catch (error) {
    show({ name: "failed", problem: problemFrom(error) });
  }
}

function ExportResult({
  exported,
  commands,
  trans,
}: PanelOptions & { exported: ExportState }): React.JSX.Element {
  return (
    <div role="status">
      {exported.name === "running" && (
        <>
          <ProgressBar
            {...exported.progress}
            label={exported.progress.what}
            text={count(exported.progress, trans)}
          />
          <span className="jp-LabelStudio-hint">{exported.progress.what}</span>
        </>
      )}
      {exported.name === "done" && (
        <button
          type="button"
          className="jp-LabelStudio-link"
          title={exported.folder}
          onClick={() => void commands.execute("filebrowser:go-to-path", { path: exported.folder })}
        >
          {trans._n("%1 file exported", "%1 files exported", exported.files)}
        </button>
      )}
      {exported.name === "failed" && <ProblemView problem={exported.problem} />}
    </div>
  );
}

interface IconButtonProps {
  icon: LabIcon;
  label: string;
  disabled?: boolean;
  /** Ignores clicks, but keeps the focus. */
  isBusy?: boolean;
  onClick: () => void;
}

function IconButton(props: IconButtonProps): React.JSX.Element {
  const { icon, label, disabled, isBusy, onClick } = props;
  return (
    <Button
      minimal
      small
      title={label}
      aria-label={label}
      aria-disabled={isBusy}
      disabled={disabled}
      onClick={isBusy ? undefined : onClick}
    >
      <icon.react tag="span" />
    </Button>
  );
}
