import type { JupyterFrontEnd } from "@jupyterlab/application";
import { type ICommandPalette, showErrorMessage } from "@jupyterlab/apputils";
import { PathExt } from "@jupyterlab/coreutils";
import type { IFileBrowserFactory } from "@jupyterlab/filebrowser";
import type { Contents } from "@jupyterlab/services";
import type { TranslationBundle } from "@jupyterlab/translation";

import type { Api } from "./api.ts";
import type { LookRequest } from "./api-types.ts";
import { labelStudioIcon } from "./icon.ts";
import type { Place } from "./label-dialog.tsx";
import { openPendingTab } from "./pending-tab.ts";
import { foreignDrive, withLocalPaths } from "./local-paths.ts";
import type { StudioModel } from "./state.ts";
import type { Tabs } from "./tab.ts";

const LABEL_FOLDER = "labelstudio:label-folder";

/**
 * What to label: a folder or files, by JupyterLab's paths. Without either, it is the selection in the file
 * browser, or else the folder that it shows.
 *
 * isContextMenu: true in the file browser's context menu. Beside the items, that is for the folder.
 */
interface Arguments extends LookRequest {
  isContextMenu?: boolean;
}

/** Add the command that labels a folder or files. */
export function addLabelFolder(
  app: JupyterFrontEnd,
  { tracker }: IFileBrowserFactory,
  palette: ICommandPalette | null,
  api: Api,
  model: StudioModel,
  tabs: Tabs,
  trans: TranslationBundle,
): void {
  const { contents } = app.serviceManager;

  const selected = ({ isContextMenu }: Arguments): Contents.IModel[] => {
    const isItem = (node: Element) => node.classList.contains("jp-DirListing-item");
    if (isContextMenu && !app.contextMenuHitTest(isItem)) return [];
    return [...(tracker.currentWidget?.selectedItems() ?? [])];
  };

  const requestOf = (args: Arguments): LookRequest | null => {
    if (args.path !== undefined) return { path: args.path };
    if (args.paths) return { paths: args.paths };
    const items = selected(args);
    const [first = tracker.currentWidget?.model] = items;
    if (!first) return null;
    const isFolder = items.length < 2 && (!items[0] || items[0].type === "directory");
    return isFolder ? { path: first.path } : { paths: items.map(({ path }) => path) };
  };

  app.commands.addCommand(LABEL_FOLDER, {
    label: trans.__("Label with Label Studio…"),
    caption: trans.__("Label the selected folder or files"),
    icon: ({ isPalette }) => (isPalette ? undefined : labelStudioIcon),
    isEnabled: (args) => requestOf(args) !== null,
    isVisible: (args: Arguments) => {
      const items = args.isContextMenu ? selected(args) : [];
      return items.length === 0 || items.some(({ type }) => type !== "notebook");
    },
    execute: async (args) => {
      const request = requestOf(args);
      if (!request) return;
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
      // A separate file, which JupyterLab's start does not load
      const { LabelDialog } = await import(
        /* webpackChunkName: "label-dialog" */ "./label-dialog.tsx"
      );
      const start = () => model.run("start");
      await new LabelDialog({ api, trans, start, request: local, name, reserve }).launch();
    },
  });
  const category = trans.__("Label Studio");
  palette?.addItem({ command: LABEL_FOLDER, category, args: { isPalette: true } });
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
