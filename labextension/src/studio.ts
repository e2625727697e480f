import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { ICommandPalette, IThemeManager } from "@jupyterlab/apputils";
import type { FileBrowser, IFileBrowserFactory } from "@jupyterlab/filebrowser";
import type { INotebookTracker } from "@jupyterlab/notebook";
import type { IRunningSessionManagers } from "@jupyterlab/running";
import type { ISettingRegistry } from "@jupyterlab/settingregistry";
import type { IStateDB } from "@jupyterlab/statedb";
import type { IStatusBar } from "@jupyterlab/statusbar";
import type { TranslationBundle } from "@jupyterlab/translation";
import type { IDisposable } from "@lumino/disposable";
import { MessageLoop } from "@lumino/messaging";
import type { Panel, Widget } from "@lumino/widgets";

import dialogStyle from "../style/label-dialog.raw.css";
import panelStyle from "../style/panel.raw.css";
import { Api } from "./api.ts";
import { addCommands, CommandIDs, type OpenArguments } from "./commands.ts";
import { LabelFolder } from "./label-folder.ts";
import { createLog } from "./log.tsx";
import { StudioPanel } from "./panel.tsx";
import { OPEN_TAB, pathBelow, prefix, TILE } from "./place.ts";
import { showProblem } from "./problem.tsx";
import { addToRunning, followWhileRunningIsVisible } from "./running.ts";
import { StudioModel } from "./state.ts";
import { addToStatusBar } from "./status-bar.tsx";
import { Tabs } from "./tab.ts";
import { shareTheme } from "./theme.ts";

const PAUSE_MS = 30_000;

/** The parts of JupyterLab; null where an application does not have one. */
interface Parts {
  app: JupyterFrontEnd;
  state: IStateDB;
  trans: TranslationBundle;
  themes: IThemeManager | null;
  palette: ICommandPalette | null;
  statusBar: IStatusBar | null;
  running: IRunningSessionManagers | null;
  tracker: INotebookTracker | null;
  files: FileBrowser | null;
  browsers: IFileBrowserFactory | null;
  settings: ISettingRegistry.ISettings | null;
  /** Where the panel goes. */
  place: Panel;
  /** Return whether JupyterLab restored a tab at its start. */
  isRestored: (tab: Widget) => boolean;
}

/** What the commands of the menus do. */
export interface Studio {
  open: (args: OpenArguments) => Promise<void>;
  /** Null where there is no file browser. */
  labelFolder: LabelFolder | null;
}

/** Make all parts of the extension. */
export function createStudio(parts: Parts): Studio {
  const { app, state, trans, themes, palette, statusBar, running, tracker, files, browsers } =
    parts;
  const { place, isRestored, settings } = parts;
  const { commands, serviceManager, shell } = app;
  addStyle(panelStyle + dialogStyle);
  const api = new Api(serviceManager.serverSettings, trans);
  const model = new StudioModel(api, document);
  const tabs = new Tabs(app, api, state, trans, () => settings?.composite.openIn, isRestored);
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
  place.addWidget(panel);
  MessageLoop.installMessageHook(place, (_, { type }) => {
    if (type === "activate-request") panel.activate();
    return true;
  });

  /** Show a widget after the command palette has closed: that moves the focus back. */
  const show = (id: string) => {
    setTimeout(() => {
      shell.activateById(id);
    });
  };
  let log: ReturnType<typeof createLog> | null = null;
  const views = {
    log: () => {
      if (!log || log.isDisposed) log = createLog(model, trans);
      if (!log.isAttached) shell.add(log, "down");
      show(log.id);
    },
    panel: () => {
      show(place.id);
    },
  };
  addCommands(commands, palette, model, views, trans);
  commands.commandExecuted.connect((_, { id, args }) => {
    if (id === OPEN_TAB && args.id === TILE) model.followUntilSettled();
  });
  openCards((path, title) => void commands.execute(CommandIDs.open, { path, title }));
  if (running) {
    addToRunning(running, model, commands, trans);
    void app.restored.then(() => {
      followWhileRunningIsVisible(shell, model);
    });
  }
  if (statusBar) {
    let item: IDisposable | null = null;
    const update = () => {
      item?.dispose();
      const isWanted = settings?.composite.statusBar !== false;
      item = isWanted ? addToStatusBar(statusBar, model, commands, trans) : null;
    };
    settings?.changed.connect(update);
    update();
  }
  whileUsed(() => {
    // The status bar and the commands show the state; Notebook 7 has no status bar
    if (statusBar || model.state) void model.refresh();
  });
  return {
    open: async ({ path, title }) => {
      model.followUntilSettled();
      try {
        await tabs.open(path, title);
      } catch (error) {
        await showProblem(error, trans);
      }
    },
    labelFolder:
      browsers &&
      new LabelFolder(
        app,
        browsers,
        api,
        model,
        tabs,
        trans,
        () => settings?.composite.keepLabels === true,
      ),
  };
}

/**
 * Open the links in the cards of notebooks, in place of jupyter-server-proxy's command that they name.
 *
 * That command shows the tab that had the project, also if another page is there now.
 */
function openCards(open: (path: string, title: string) => void): void {
  const onClick = (event: MouseEvent) => {
    const link = (event.target as Element).closest<HTMLAnchorElement>(
      `a[data-commandlinker-command="${OPEN_TAB}"]`,
    );
    const path = link && pathBelow(prefix(), link.href, location.href);
    if (!path || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const { title } = JSON.parse(link.dataset.commandlinkerArgs ?? "") as { title: string };
    open(path, title);
  };
  document.addEventListener("click", onClick, { capture: true });
}

function addStyle(text: string): void {
  const style = document.createElement("style");
  style.textContent = text;
  document.head.append(style);
}

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
