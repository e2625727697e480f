import type { ICommandPalette } from "@jupyterlab/apputils";
import type { TranslationBundle } from "@jupyterlab/translation";
import { listIcon, refreshIcon, runIcon, stopIcon } from "@jupyterlab/ui-components";
import type { CommandRegistry } from "@lumino/commands";

import type { Command } from "./api.ts";
import { labelStudioIcon } from "./icon.ts";
import { showProblem } from "./problem.tsx";
import { isRunning, type StudioModel } from "./state.ts";

export const CommandIDs = {
  open: "labelstudio:open",
  labelFolder: "labelstudio:label-folder",
  start: "labelstudio:start",
  stop: "labelstudio:stop",
  restart: "labelstudio:restart",
  showLog: "labelstudio:show-log",
  showPanel: "labelstudio:show-panel",
} as const;

/** `path`: of a page, below Label Studio's address. */
export interface OpenArguments {
  path?: string;
  title?: string;
}

/** What the commands show. */
export interface Views {
  log: () => void;
  panel: () => void;
}

/** Add the commands that no menu has, and show all commands in the palette. */
export function addCommands(
  commands: CommandRegistry,
  palette: ICommandPalette | null,
  model: StudioModel,
  views: Views,
  trans: TranslationBundle,
): void {
  const run = (command: Command) => async () => {
    try {
      await model.run(command);
    } catch (error) {
      await showProblem(error, trans);
    }
  };
  commands.addCommand(CommandIDs.start, {
    label: trans.__("Start Label Studio"),
    icon: runIcon,
    isEnabled: () => !model.state || ["stopped", "failed"].includes(model.state.state),
    execute: run("start"),
  });
  commands.addCommand(CommandIDs.stop, {
    label: trans.__("Stop Label Studio"),
    icon: stopIcon,
    isEnabled: () => !model.state || isRunning(model.state),
    execute: run("stop"),
  });
  commands.addCommand(CommandIDs.restart, {
    label: trans.__("Restart Label Studio"),
    icon: refreshIcon,
    isEnabled: () => !model.state || model.state.state === "ready",
    execute: run("restart"),
  });
  commands.addCommand(CommandIDs.showLog, {
    label: trans.__("Show Label Studio Log"),
    icon: listIcon,
    execute: views.log,
  });
  commands.addCommand(CommandIDs.showPanel, {
    label: trans.__("Show Label Studio Panel"),
    icon: labelStudioIcon,
    execute: views.panel,
  });
  model.changed.connect(() => {
    for (const id of [CommandIDs.start, CommandIDs.stop, CommandIDs.restart]) {
      commands.notifyCommandChanged(id);
    }
  });
  const category = trans.__("Label Studio");
  for (const command of Object.values(CommandIDs).filter((id) => commands.hasCommand(id))) {
    palette?.addItem({ command, category, args: { isPalette: true } });
  }
}
