import { Clipboard, MainAreaWidget, ReactWidget } from "@jupyterlab/apputils";
import type { TranslationBundle } from "@jupyterlab/translation";
import { copyIcon, listIcon, ToolbarButton, UseSignal } from "@jupyterlab/ui-components";
import * as React from "react";

import { h } from "./jsx.ts";
import type { StudioModel } from "./state.ts";
import { followWhileVisible } from "./visible.ts";
import { plain } from "./words.ts";

/** Return a widget with the last lines of Label Studio's log. */
export function createLog(model: StudioModel, trans: TranslationBundle): MainAreaWidget<LogView> {
  const content = new LogView(model, trans);
  const widget = new MainAreaWidget({ content });
  widget.id = "labelstudio-log";
  widget.title.label = trans.__("Label Studio Log");
  widget.title.icon = listIcon;
  widget.title.closable = true;
  const copy = new ToolbarButton({
    icon: copyIcon,
    label: trans.__("Copy"),
    tooltip: trans.__("Copy the log"),
    onClick: () => {
      Clipboard.copyToSystem(textOf(model));
    },
  });
  widget.toolbar.addItem("copy", copy);
  return widget;
}

function textOf(model: StudioModel): string {
  return model.log.map(([, line]) => `${plain(line)}\n`).join("");
}

/** The lines of the log. New ones appear while the widget is visible. */
export class LogView extends ReactWidget {
  private readonly _model: StudioModel;
  private readonly _trans: TranslationBundle;

  constructor(model: StudioModel, trans: TranslationBundle) {
    super();
    this._model = model;
    this._trans = trans;
    this.addClass("jp-LabelStudioLog");
    followWhileVisible(this, model);
  }

  protected override onActivateRequest(): void {
    this.node.querySelector<HTMLElement>("[role=log]")?.focus();
  }

  protected override render(): React.JSX.Element {
    return (
      <UseSignal signal={this._model.changed}>
        {() => <Lines model={this._model} trans={this._trans} />}
      </UseSignal>
    );
  }
}

interface LinesProps {
  model: StudioModel;
  trans: TranslationBundle;
}

function Lines({ model, trans }: LinesProps): React.JSX.Element {
  const area = React.useRef<HTMLPreElement>(null);
  const atEnd = React.useRef(true);
  React.useLayoutEffect(() => {
    if (area.current && atEnd.current) area.current.scrollTop = area.current.scrollHeight;
  }, [model.log]);
  return (
    <pre
      ref={area}
      role="log"
      aria-live="off"
      aria-label={trans.__("Log of Label Studio")}
      tabIndex={0}
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        atEnd.current = scrollHeight - scrollTop - clientHeight < 24;
      }}
    >
      {textOf(model) || trans.__("Label Studio has written nothing yet.")}
    </pre>
  );
}
