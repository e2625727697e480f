import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette } from "@jupyterlab/apputils";
import { ITranslator, nullTranslator } from "@jupyterlab/translation";

import { addCommands } from "./commands.ts";

const plugin: JupyterFrontEndPlugin<void> = {
  id: "labelstudio-proxy:plugin",
  description: "Label Studio in JupyterLab.",
  autoStart: true,
  optional: [ITranslator, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
  ) => {
    const trans = (translator ?? nullTranslator).load("labelstudio-proxy");
    addCommands(app, palette, trans);
  },
};

export default plugin;
