import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin,
} from "@jupyterlab/application";
import { ICommandPalette, IThemeManager } from "@jupyterlab/apputils";
import {
  type FileBrowser,
  IDefaultFileBrowser,
  IFileBrowserFactory,
} from "@jupyterlab/filebrowser";
import { INotebookTracker } from "@jupyterlab/notebook";
import { IRunningSessionManagers } from "@jupyterlab/running";
import { IStateDB } from "@jupyterlab/statedb";
import { IStatusBar } from "@jupyterlab/statusbar";
import { ITranslator, nullTranslator } from "@jupyterlab/translation";

import { Api } from "./api.ts";
import { addCommands } from "./commands.ts";
import { addLabelFolder } from "./label-folder.ts";
import { createLog } from "./log.tsx";
import { StudioPanel } from "./panel.tsx";
import { addToRunning, followWhileRunningIsVisible } from "./running.ts";
import { StudioModel } from "./state.ts";
import { addToStatusBar } from "./status-bar.tsx";
import { Tabs } from "./tab.ts";
import { shareTheme } from "./theme.ts";

const PAUSE_MS = 30_000;

const plugin: JupyterFrontEndPlugin<void> = {
  id: "labelstudio-proxy:plugin",
  description: "Label Studio in JupyterLab.",
  autoStart: true,
  requires: [IStateDB],
  optional: [
    ITranslator,
    IThemeManager,
    ICommandPalette,
    ILayoutRestorer,
    IStatusBar,
    IRunningSessionManagers,
    INotebookTracker,
    IDefaultFileBrowser,
    IFileBrowserFactory,
  ],
  activate: (
    app: JupyterFrontEnd,
    state: IStateDB,
    translator: ITranslator | null,
    themes: IThemeManager | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    statusBar: IStatusBar | null,
    running: IRunningSessionManagers | null,
    tracker: INotebookTracker | null,
    files: FileBrowser | null,
    browsers: IFileBrowserFactory | null,
  ) => {
    const { commands, serviceManager, shell } = app;
    const trans = (translator ?? nullTranslator).load("labelstudio-proxy");
    const api = new Api(serviceManager.serverSettings, trans);
    const model = new StudioModel(api, document);
    const tabs = new Tabs(app, api, state, trans);
    if (themes) shareTheme(themes);

    const panel = new StudioPanel({
      model,
      api,
      commands,
      trans,
      tracker,
      folder: () => (files ? serviceManager.contents.localPath(files.model.path) : ""),
      activate: (id) => {
        shell.activateById(id);
      },
    });
    shell.add(panel, "left", { rank: 500 });
    restorer?.add(panel, panel.id);

    /** Show a widget after the command palette has closed: that moves the focus back. */
    const show = (id: string) => {
      setTimeout(() => {
        shell.activateById(id);
      });
    };
    let log: ReturnType<typeof createLog> | null = null;
    const views = {
      open: (path?: string, title?: string) => tabs.open(path, title),
      log: () => {
        if (!log || log.isDisposed) log = createLog(model, trans);
        if (!log.isAttached) shell.add(log, "down");
        show(log.id);
      },
      panel: () => {
        show(panel.id);
      },
    };
    if (browsers) addLabelFolder(app, browsers, palette, api, model, tabs, trans);
    addCommands(commands, palette, model, views, trans);
    commands.commandExecuted.connect((_, { id, args }) => {
      const isTile = id === "server-proxy:open" && args.id === "server-proxy:labelstudio";
      if (isTile) model.followUntilSettled();
    });
    if (running) {
      addToRunning(running, model, commands, trans);
      void app.restored.then(() => {
        followWhileRunningIsVisible(shell, model);
      });
    }
    if (statusBar) addToStatusBar(statusBar, model, commands, trans);
    whileUsed(() => {
      // The status bar and the commands show the state; Notebook 7 has no status bar
      if (statusBar || model.state) void model.refresh();
    });
  },
};

/** Work when the user moves the mouse or presses a key, but not again within PAUSE_MS. JupyterLab's start sends no request. */
function whileUsed(work: () => void): void {
  let last = 0;
  const use = () => {
    if (Date.now() - last < PAUSE_MS) return;
    last = Date.now();
    work();
  };
  for (const sign of ["pointermove", "pointerdown", "keydown"]) {
    window.addEventListener(sign, use, { capture: true, passive: true });
  }
}

export default plugin;
