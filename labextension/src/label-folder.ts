import type { JupyterFrontEnd } from "@jupyterlab/application";
import { showErrorMessage } from "@jupyterlab/apputils";
import { PathExt } from "@jupyterlab/coreutils";
import type { IFileBrowserFactory } from "@jupyterlab/filebrowser";
import type { Contents } from "@jupyterlab/services";
import type { TranslationBundle } from "@jupyterlab/translation";

import type { Api } from "./api.ts";
import type { LookRequest } from "./api-types.ts";
import { LabelDialog, type Place } from "./label-dialog.tsx";
import { openPendingTab } from "./pending-tab.ts";
import { foreignDrive, withLocalPaths } from "./local-paths.ts";
import type { StudioModel } from "./state.ts";
import type { Tabs } from "./tab.ts";

/**
 * What to label: a folder or files, by JupyterLab's paths. Without either, it is the selection in the file
 * browser, or else the folder that it shows.
 *
 * isContextMenu: true in the file browser's context menu. Beside the items, that is for the folder.
 * isMenu:        true in *File → New*. That is for a folder, also if files are selected.
 */
interface Arguments extends LookRequest {
  isContextMenu?: boolean;
  isMenu?: boolean;
}

/** What the command does that labels a folder or files. */
export class LabelFolder {
  private readonly _app: JupyterFrontEnd;
  private readonly _browsers: IFileBrowserFactory;
  private readonly _api: Api;
  private readonly _model: StudioModel;
  private readonly _tabs: Tabs;
  private readonly _trans: TranslationBundle;
  private readonly _keepsLabels: () => boolean;

  /** `keepsLabels`: returns whether the dialog has *Keep the labels* ticked. */
  constructor(
    app: JupyterFrontEnd,
    browsers: IFileBrowserFactory,
    api: Api,
    model: StudioModel,
    tabs: Tabs,
    trans: TranslationBundle,
    keepsLabels: () => boolean,
  ) {
    this._app = app;
    this._browsers = browsers;
    this._api = api;
    this._model = model;
    this._tabs = tabs;
    this._trans = trans;
    this._keepsLabels = keepsLabels;
  }

  isEnabled(args: Arguments): boolean {
    return this._requestOf(args) !== null;
  }

  isVisible(args: Arguments): boolean {
    const items = args.isContextMenu ? this._selected(args) : [];
    return items.length === 0 || items.some(({ type }) => type !== "notebook");
  }

  async execute(args: Arguments): Promise<void> {
    const { contents } = this._app.serviceManager;
    const [api, tabs, trans] = [this._api, this._tabs, this._trans];
    const request = this._requestOf(args);
    if (!request) return;
    const isSelection = !args.path && !args.paths && request.paths;
    if (isSelection && this._selected(args).some(({ type }) => type === "directory")) {
      await showErrorMessage(
        trans.__("Select one folder, or files only"),
        trans.__("For more folders, select the folder that they are in."),
      );
      return;
    }
    const drive = foreignDrive(request, contents);
    if (drive) {
      const title = trans.__("Label Studio cannot read these files");
      const reason = trans.__("They are on %1, not on the disk of the Jupyter server.", drive);
      await showErrorMessage(title, `${reason} ${trans.__("Copy them into a folder there.")}`);
      return;
    }
    const local = withLocalPaths(request, contents);
    const [first = ""] = local.paths ?? [];
    const name = PathExt.basename(local.path ?? PathExt.dirname(first));
    const isInBrowser = tabs.isInBrowser().catch(() => null);
    const reserve = async (title: string) =>
      ((await isInBrowser) ?? (await tabs.isInBrowser()))
        ? openPendingTab(title)
        : placeInTab(tabs);
    const start = () => this._model.run("start");
    const keep = this._keepsLabels();
    await new LabelDialog({ api, trans, start, request: local, name, keep, reserve }).launch();
  }

  private _selected({ isContextMenu, isMenu }: Arguments): Contents.IModel[] {
    const isItem = (node: Element) => node.classList.contains("jp-DirListing-item");
    if (isContextMenu && !this._app.contextMenuHitTest(isItem)) return [];
    const items = [...(this._browsers.tracker.currentWidget?.selectedItems() ?? [])];
    return isMenu ? items.filter(({ type }) => type === "directory") : items;
  }

  private _requestOf(args: Arguments): LookRequest | null {
    if (args.path !== undefined) return { path: args.path };
    if (args.paths) return { paths: args.paths };
    const items = this._selected(args);
    const [first = this._browsers.tracker.currentWidget?.model] = items;
    if (!first) return null;
    const isFolder = items.length < 2 && (!items[0] || items[0].type === "directory");
    return isFolder ? { path: first.path } : { paths: items.map(({ path }) => path) };
  }
}

function placeInTab(tabs: Tabs): Place {
  const nothing = () => undefined;
  return {
    say: nothing,
    close: nothing,
    open: ({ path, title }) => {
      void tabs.open(path, title);
      return true;
    },
  };
}
