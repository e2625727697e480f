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
  start: "labelstudio:start",
  stop: "labelstudio:stop",
  restart: "labelstudio:restart",
  showLog: "labelstudio:show-log",
  showPanel: "labelstudio:show-panel",
} as const;

/** What the commands show. `path`: of a page, below Label Studio's address. */
export interface Views {
  open: (path?: string, title?: string) => Promise<void>;
  log: () => void;
  panel: () => void;
}

/** Add the commands, and show all of them in the palette. */
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
  commands.addCommand(CommandIDs.open, {
    label: ({ isPalette }) =>
      isPalette ? trans.__("Open Label Studio") : trans.__("Label Studio"),
    caption: trans.__("Open Label Studio, and start it if necessary"),
    icon: labelStudioIcon,
    execute: async ({ path, title }) => {
      model.followUntilSettled();
      try {
        await views.open(path as string | undefined, title as string | undefined);
      } catch (error) {
        await showProblem(error, trans);
      }
    },
  });
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
  for (const command of Object.values(CommandIDs)) {
    palette?.addItem({ command, category, args: { isPalette: true } });
  }
}
