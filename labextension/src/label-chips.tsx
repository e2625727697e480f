import type { TranslationBundle } from "@jupyterlab/translation";
import { closeIcon } from "@jupyterlab/ui-components";
import * as React from "react";

import { h } from "./jsx.ts";
import { isComplete, type Labels, withLabels } from "./labels.ts";

interface Props {
  id: string;
  value: Labels;
  isMissing: boolean;
  isDisabled: boolean;
  onChange: (value: Labels) => void;
  trans: TranslationBundle;
}

/** A field for labels, which shows each label as a chip. */
export function LabelChips(props: Props): React.JSX.Element {
  const { id, value, isMissing, isDisabled, onChange, trans } = props;
  const field = React.useRef<HTMLDivElement>(null);

  const focus = (place: number) => {
    const chips = field.current?.querySelectorAll<HTMLElement>(".jp-LabelStudioDialog-chipText");
    (chips?.[place] ?? field.current?.querySelector("input"))?.focus();
  };
  const remove = (place: number) => {
    const labels = value.labels.filter((_, other) => other !== place);
    onChange({ ...value, labels, place: labels.length, note: "" });
  };
  const edit = (place: number) => {
    const typed = value.labels[place] ?? "";
    const labels = value.labels.filter((_, other) => other !== place);
    const before = withLabels({ ...value, labels, place: labels.length }, value.typed, trans);
    onChange({ ...before, typed: /[,;]/.test(typed) ? `"${typed}"` : typed, place });
    focus(-1);
  };
  const type = (typed: string) => {
    onChange(isComplete(typed) ? withLabels(value, typed, trans) : { ...value, typed, note: "" });
  };
  const paste = (event: React.ClipboardEvent) => {
    const text = event.clipboardData.getData("text/plain");
    if (!isComplete(text)) return;
    event.preventDefault(); // the field would join the lines
    onChange({ ...withLabels(value, text, trans), typed: value.typed });
  };
  const onInputKey = (event: React.KeyboardEvent<HTMLInputElement>) => {
    if (event.nativeEvent.isComposing) return;
    const { selectionStart, selectionEnd } = event.currentTarget;
    const isAtStart = selectionStart === 0 && selectionEnd === 0;
    const last = value.labels.length - 1;
    if (event.key === "Enter" && value.typed.trim()) {
      onChange(withLabels(value, value.typed, trans));
    } else if (event.key === "Backspace" && !value.typed && last >= 0) {
      remove(last);
    } else if (event.key === "ArrowLeft" && isAtStart && last >= 0) {
      focus(last);
    } else {
      return;
    }
    event.preventDefault();
  };
  const onChipKey = (event: React.KeyboardEvent, place: number) => {
    const places: Record<string, number> = {
      ArrowLeft: Math.max(0, place - 1),
      ArrowRight: place + 1,
      Home: 0,
      End: value.labels.length,
    };
    const next = places[event.key];
    if (next !== undefined) {
      focus(next);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      focus(place + 1);
      remove(place);
    } else if (event.key === "F2") {
      edit(place);
    } else {
      return;
    }
    event.preventDefault();
  };

  return (
    <div
      className="jp-LabelStudioDialog-labels"
      ref={field}
      onClick={(event) => {
        if (event.target === event.currentTarget) focus(-1);
      }}
    >
      {value.labels.length > 0 && (
        <ul role="list" aria-label={trans.__("Labels")}>
          {value.labels.map((label, place) => (
            <li key={label} className="jp-LabelStudioDialog-chip">
              <button
                type="button"
                className="jp-LabelStudioDialog-chipText"
                disabled={isDisabled}
                tabIndex={-1}
                title={trans.__("Edit")}
                aria-label={trans.__("Edit the label %1", label)}
                onClick={() => {
                  edit(place);
                }}
                onKeyDown={(event) => {
                  onChipKey(event, place);
                }}
              >
                {label}
              </button>
              <button
                type="button"
                className="jp-LabelStudioDialog-chipRemove"
                disabled={isDisabled}
                tabIndex={-1}
                title={trans.__("Remove")}
                aria-label={trans.__("Remove the label %1", label)}
                onClick={() => {
                  remove(place);
                  focus(-1);
                }}
              >
                <closeIcon.react tag="span" width="12px" />
              </button>
            </li>
          ))}
        </ul>
      )}
      <input
        id={id}
        autoFocus
        type="text"
        value={value.typed}
        disabled={isDisabled}
        autoComplete="off"
        spellCheck={false}
        aria-invalid={isMissing}
        aria-describedby={`${id}-hint`}
        placeholder={value.labels.length ? "" : trans.__("For example: cat, dog")}
        onChange={(event) => {
          type(event.currentTarget.value);
        }}
        onKeyDown={onInputKey}
        onPaste={paste}
      />
    </div>
  );
}
