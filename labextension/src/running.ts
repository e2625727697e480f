import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { IRunningSessionManagers, IRunningSessions } from "@jupyterlab/running";
import type { TranslationBundle } from "@jupyterlab/translation";
import type { CommandRegistry } from "@lumino/commands";
import { type ISignal, Signal } from "@lumino/signaling";
import type { Widget } from "@lumino/widgets";

import { CommandIDs } from "./commands.ts";
import { labelStudioIcon } from "./icon.ts";
import { isRunning, type StudioModel } from "./state.ts";
import { followWhileVisible } from "./visible.ts";
import { wordOf } from "./words.ts";

/** Show Label Studio under *Running Terminals and Kernels*. */
export function addToRunning(
  managers: IRunningSessionManagers,
  model: StudioModel,
  commands: CommandRegistry,
  trans: TranslationBundle,
): void {
  managers.add(new RunningManager(model, commands, trans));
}

/** Keep *Running Terminals and Kernels* up to date while it is visible. */
export function followWhileRunningIsVisible(
  shell: JupyterFrontEnd.IShell,
  model: StudioModel,
): void {
  for (const area of ["left", "main"]) {
    for (const widget of shell.widgets(area)) {
      const list = findList(widget);
      if (list) followWhileVisible(list, model);
    }
  }
}

/** Return the list in a widget, if it has one: Notebook 7 has it in a tab of its first page. */
function findList(widget: Widget): Widget | null {
  if (widget.hasClass("jp-RunningSessions")) return widget;
  if (!widget.node.querySelector(".jp-RunningSessions")) return null;
  for (const child of widget.children()) {
    const found = findList(child);
    if (found) return found;
  }
  return null;
}

class RunningManager implements IRunningSessions.IManager {
  readonly name: string;
  readonly shutdownLabel: string;
  readonly shutdownAllLabel: string;
  readonly shutdownAllConfirmationText: string;
  private readonly _model: StudioModel;
  private readonly _commands: CommandRegistry;
  private readonly _trans: TranslationBundle;
  private readonly _changed = new Signal<this, void>(this);

  constructor(model: StudioModel, commands: CommandRegistry, trans: TranslationBundle) {
    this.name = trans.__("Label Studio");
    this.shutdownLabel = trans.__("Shut Down Label Studio");
    this.shutdownAllLabel = trans.__("Shut Down");
    this.shutdownAllConfirmationText = trans.__(
      "Shut down Label Studio? Your projects and annotations are saved.",
    );
    this._model = model;
    this._commands = commands;
    this._trans = trans;
    model.changed.connect(() => {
      this._changed.emit();
    });
  }

  get runningChanged(): ISignal<this, void> {
    return this._changed;
  }

  running(): IRunningSessions.IRunningItem[] {
    const state = this._model.state;
    if (!state || !isRunning(state)) return [];
    const [trans, commands] = [this._trans, this._commands];
    return [
      {
        label: () => trans.__("Label Studio"),
        labelTitle: () => state.data_dir,
        detail: () => wordOf(state, trans),
        icon: () => labelStudioIcon,
        open: () => void commands.execute(CommandIDs.open),
        shutdown: () => void commands.execute(CommandIDs.stop),
      },
    ];
  }

  refreshRunning(): void {
    void this._model.refresh();
  }

  shutdownAll(): void {
    void this._commands.execute(CommandIDs.stop);
  }
}
