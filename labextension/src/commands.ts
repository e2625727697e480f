import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { ICommandPalette } from "@jupyterlab/apputils";
import { PageConfig, URLExt } from "@jupyterlab/coreutils";
import type { TranslationBundle } from "@jupyterlab/translation";

import { labelStudioIcon } from "./icon.ts";

export const CommandIDs = {
  open: "labelstudio:open",
} as const;

/** Add the commands, and those that make sense without arguments to the palette. */
export function addCommands(
  app: JupyterFrontEnd,
  palette: ICommandPalette | null,
  trans: TranslationBundle,
): void {
  app.commands.addCommand(CommandIDs.open, {
    label: trans.__("Open Label Studio"),
    caption: trans.__("Open Label Studio, and start it if it is stopped"),
    icon: labelStudioIcon,
    execute: () => {
      window.open(URLExt.join(PageConfig.getBaseUrl(), "labelstudio/"), "_blank", "noopener");
    },
  });

  const category = trans.__("Label Studio");
  for (const command of Object.values(CommandIDs)) {
    palette?.addItem({ command, category });
  }
}
