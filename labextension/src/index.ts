import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin,
} from "@jupyterlab/application";
import { ICommandPalette, IThemeManager, showErrorMessage } from "@jupyterlab/apputils";
import { PageConfig } from "@jupyterlab/coreutils";
import {
  type FileBrowser,
  IDefaultFileBrowser,
  IFileBrowserFactory,
} from "@jupyterlab/filebrowser";
import { INotebookTracker } from "@jupyterlab/notebook";
import { IRunningSessionManagers } from "@jupyterlab/running";
import { ISettingRegistry } from "@jupyterlab/settingregistry";
import { IStateDB } from "@jupyterlab/statedb";
import { IStatusBar } from "@jupyterlab/statusbar";
import { ITranslator, nullTranslator } from "@jupyterlab/translation";
import type { Message } from "@lumino/messaging";
import { Panel, type Widget } from "@lumino/widgets";

import { labelStudioIcon } from "./icon.ts";
import { OPEN_TAB } from "./place.ts";
import type { Studio } from "./studio.ts";

/** JupyterLab still loads its launcher and folders when its layout is restored. */
const LATER_MS = 2000;

const ID = "labelstudio-proxy:plugin";

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
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
    ISettingRegistry,
  ],
  activate,
};

/**
 * Add what JupyterLab needs at its start: the place of the panel, and the commands of the menus.
 *
 * The rest is a separate file, which is loaded when JupyterLab is idle after its start.
 */
function activate(
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
  registry: ISettingRegistry | null,
): void {
  // The setting `tile`
  if (PageConfig.getOption("labelstudioProxyHidden")) return;
  const { commands, shell } = app;
  const trans = (translator ?? nullTranslator).load("labelstudio-proxy");
  const place = new Place(() => void load());
  place.id = "labelstudio-panel";
  place.title.icon = labelStudioIcon;
  place.title.caption = trans.__("Label Studio");
  shell.add(place, "left", { rank: 500 });
  restorer?.add(place, place.id);

  let restored: Set<Widget> | null = null;
  /** Return whether JupyterLab restored a tab at its start. */
  const isRestored = (tab: Widget) => restored?.has(tab) ?? true;
  let studio: Studio | null = null;
  let loading: Promise<Studio | null> | null = null;
  let problem = "";
  const parts = {
    app,
    state,
    trans,
    themes,
    palette,
    statusBar,
    running,
    tracker,
    files,
    browsers,
  };
  /** Load the rest, once. */
  const load = () =>
    (loading ??= (async () => {
      try {
        const { createStudio } = await import(/* webpackChunkName: "studio" */ "./studio.ts");
        place.node.textContent = "";
        const settings = (await registry?.load(ID).catch(() => null)) ?? null;
        studio = createStudio({ ...parts, place, isRestored, settings });
      } catch (error) {
        console.error(error);
        loading = null;
        problem = (await isConnected())
          ? trans.__("Reload the page: the extension for Label Studio could not be loaded.")
          : trans.__(
              "The connection to Jupyter is lost. Check that Jupyter is running, then try again.",
            );
        place.node.textContent = problem;
      }
      return studio;
    })());
  const loadOrSay = async () => {
    const loaded = await load();
    if (!loaded) void showErrorMessage(trans.__("Label Studio"), problem);
    return loaded;
  };

  commands.addCommand("labelstudio:open", {
    label: ({ isPalette }) =>
      isPalette ? trans.__("Open Label Studio") : trans.__("Label Studio"),
    caption: trans.__("Open Label Studio, and start it if necessary"),
    icon: labelStudioIcon,
    execute: async (args) => (await loadOrSay())?.open(args),
  });
  if (browsers) {
    commands.addCommand("labelstudio:label-folder", {
      label: ({ isMenu }) =>
        isMenu ? trans.__("Label Folder…") : trans.__("Label with Label Studio…"),
      caption: trans.__("Label the selected folder or files"),
      icon: ({ isPalette }) => (isPalette ? undefined : labelStudioIcon),
      isEnabled: (args) => studio?.labelFolder?.isEnabled(args) ?? true,
      isVisible: (args) => studio?.labelFolder?.isVisible(args) ?? true,
      execute: async (args) => (await loadOrSay())?.labelFolder?.execute(args),
    });
  }
  // jupyter-server-proxy restores a tab of Label Studio, or the user clicks the tile
  commands.commandExecuted.connect((_, { id }) => {
    if (id === OPEN_TAB) void load();
  });
  void app.restored.then(() => {
    restored = new Set(shell.widgets("main"));
    setTimeout(() => {
      if ("requestIdleCallback" in window)
        requestIdleCallback(() => void load(), { timeout: LATER_MS });
      else void load();
    }, LATER_MS);
  });
}

/** Return whether Jupyter responds. */
async function isConnected(): Promise<boolean> {
  try {
    return Boolean(await fetch(`${PageConfig.getBaseUrl()}api`, { cache: "no-store" }));
  } catch {
    return false;
  }
}

/** The place of the panel in the side bar. */
class Place extends Panel {
  private readonly _show: () => void;

  constructor(show: () => void) {
    super();
    this._show = show;
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._show();
  }
}

export default plugin;
