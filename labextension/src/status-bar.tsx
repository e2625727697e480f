import { ReactWidget } from "@jupyterlab/apputils";
import type { IStatusBar } from "@jupyterlab/statusbar";
import type { TranslationBundle } from "@jupyterlab/translation";
import { UseSignal } from "@jupyterlab/ui-components";
import type { CommandRegistry } from "@lumino/commands";
import type { IDisposable } from "@lumino/disposable";
import type * as React from "react";

import { CommandIDs } from "./commands.ts";
import { labelStudioIcon } from "./icon.ts";
import { h } from "./jsx.ts";
import { colourOf } from "./panel.tsx";
import type { StudioModel } from "./state.ts";
import { wordOf, wordsOf } from "./words.ts";

/** Add an item to the status bar that shows the state and opens the panel. */
export function addToStatusBar(
  statusBar: IStatusBar,
  model: StudioModel,
  commands: CommandRegistry,
  trans: TranslationBundle,
): IDisposable {
  const item = ReactWidget.create(
    <UseSignal signal={model.changed}>
      {() => <Item model={model} commands={commands} trans={trans} />}
    </UseSignal>,
  );
  item.addClass("jp-LabelStudioStatus");
  return statusBar.registerStatusItem("labelstudio-proxy:status", {
    item,
    align: "left",
    rank: 50,
    isActive: () => !model.isMissing,
    activeStateChanged: model.changed,
  });
}

interface ItemProps {
  model: StudioModel;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

function Item({ model, commands, trans }: ItemProps): React.JSX.Element {
  const state = model.problem ? null : model.state; // it may have changed since
  const unknown = model.problem ? trans.__("No connection") : trans.__("Label Studio");
  const word = state ? wordOf(state, trans) : "";
  return (
    <button
      type="button"
      title={state ? wordsOf(state, trans).heading : unknown}
      aria-label={state ? trans.__("Label Studio: %1", word) : unknown}
      onClick={() => void commands.execute(CommandIDs.showPanel)}
    >
      <labelStudioIcon.react tag="span" className="jp-LabelStudioStatus-icon" />
      <span className="jp-LabelStudio-dot" data-state={colourOf(state)} />
      {word}
    </button>
  );
}
