import type { JupyterFrontEnd } from "@jupyterlab/application";
import { Dialog, type IFrame, MainAreaWidget, showDialog } from "@jupyterlab/apputils";
import { PageConfig } from "@jupyterlab/coreutils";
import type { IStateDB } from "@jupyterlab/statedb";
import type { TranslationBundle } from "@jupyterlab/translation";
import { type Message, MessageLoop } from "@lumino/messaging";
import type { Widget } from "@lumino/widgets";

import type { Api } from "./api.ts";
import { labelStudioIcon } from "./icon.ts";
import { OPEN_TAB, partOf, pathBelow, prefix, projectOf, taskOf, TILE } from "./place.ts";

/** `path`: below the prefix. */
interface Page {
  path: string;
  title: string;
}

/** The tabs of Label Studio in JupyterLab, however they were opened. */
export class Tabs {
  private readonly _app: JupyterFrontEnd;
  private readonly _api: Api;
  private readonly _state: IStateDB;
  private readonly _trans: TranslationBundle;
  private readonly _tabs = new Map<unknown, Tab>();
  private readonly _adopted = new WeakSet<Widget>();
  private readonly _openIn: () => unknown;
  private readonly _isRestored: (tab: Widget) => boolean;

  /** `openIn`: returns the user's setting. `isRestored`: returns whether JupyterLab restored a tab at its start. */
  constructor(
    app: JupyterFrontEnd,
    api: Api,
    state: IStateDB,
    trans: TranslationBundle,
    openIn: () => unknown,
    isRestored: (tab: Widget) => boolean,
  ) {
    this._app = app;
    this._api = api;
    this._state = state;
    this._trans = trans;
    this._openIn = openIn;
    this._isRestored = isRestored;
    app.commands.commandExecuted.connect((_, { id, result }) => {
      if (id === OPEN_TAB) void result.then((widget) => this._adopt(widget));
    });
    for (const widget of app.shell.widgets("main")) void this._adopt(widget);
  }

  /**
   * Open a page of Label Studio in a tab of JupyterLab or of the browser, by the settings `openIn` and `new_browser_tab`.
   *
   * If JupyterLab has a tab for the project, that tab is shown, at the page where it is; for an item, only a tab that
   * shows the item. `path`: below the prefix.
   */
  async open(path = "", title = "Label Studio"): Promise<void> {
    const { commands, shell } = this._app;
    const url = prefix() + path;
    if (await this.isInBrowser()) {
      window.open(url, "_blank", "noopener");
      return;
    }
    const [project, task] = [projectOf(path), taskOf(path)];
    const tab = [...this._tabs.values()].find(
      (each) => project && each.project === project && (!task || each.task === task),
    );
    if (tab) {
      shell.activateById(tab.id);
      return;
    }
    let id = path ? `labelstudio:${url}` : TILE;
    // jupyter-server-proxy would show the tab that had this project, also if another page is there now
    while (project && [...this._tabs.values()].some((each) => each.frameId === id)) id += "+";
    await commands.execute(OPEN_TAB, { id, title, url, newBrowserTab: false });
  }

  /** Return whether pages open in a tab of the browser. */
  async isInBrowser(): Promise<boolean> {
    // Notebook 7 shows one document in a page
    const isLab = !PageConfig.getOption("notebookPage") && this._app.commands.hasCommand(OPEN_TAB);
    const openIn = this._openIn();
    if (!isLab || openIn === "browser") return true;
    return openIn !== "jupyterlab" && (await this._api.state()).new_browser_tab;
  }

  /** Take over a tab of jupyter-server-proxy if it shows Label Studio. */
  private async _adopt(widget: unknown): Promise<void> {
    if (!(widget instanceof MainAreaWidget) || this._adopted.has(widget)) return;
    const main = widget as MainAreaWidget<IFrame>;
    const frame = main.content.node.querySelector("iframe");
    const path = frame && pathBelow(prefix(), main.content.url, location.href);
    if (frame === null || path === null) return;
    this._adopted.add(main);
    const key = `labelstudio-proxy:tab:${main.content.id}`;
    const kept = this._isRestored(main)
      ? ((await this._state.fetch(key)) as Page | undefined)
      : undefined;
    if (main.isDisposed) return;
    const page = kept ?? { path, title: main.content.title.label };
    const tab = new Tab(main, frame, page, this._api, this._trans);
    tab.onMove = (moved) => void this._state.save(key, { ...moved });
    this._tabs.set(main, tab);
    main.disposed.connect(() => {
      this._tabs.delete(main);
      void this._state.remove(key);
    });
  }
}

/** A tab of Label Studio in JupyterLab. */
class Tab {
  onMove: (page: Page) => void = () => undefined;

  private readonly _main: MainAreaWidget<IFrame>;
  private readonly _frame: HTMLIFrameElement;
  private readonly _api: Api;
  private readonly _trans: TranslationBundle;
  private _path: string;
  private _titled = ""; // the part of a project that the tab showed when it got its title

  /** `page`: what the tab shows. */
  constructor(
    main: MainAreaWidget<IFrame>,
    frame: HTMLIFrameElement,
    { path, title }: Page,
    api: Api,
    trans: TranslationBundle,
  ) {
    this._main = main;
    this._frame = frame;
    this._api = api;
    this._trans = trans;
    this._path = path;
    const { content } = main;
    main.addClass("jp-LabelStudio-tab");
    content.title.label = title;
    content.title.icon = labelStudioIcon.bindprops({ stylesheet: "mainAreaTab" });
    frame.title = "Label Studio";
    content.url = prefix() + path;
    // In a sandbox, Chromium shows no PDF, and tabs that open from there are in the sandbox, too. It protects nothing: the
    // page has JupyterLab's origin and may run scripts. The change has an effect only when the frame is attached anew.
    const place = frame.parentElement;
    frame.remove();
    frame.removeAttribute("sandbox");
    place?.append(frame);
    // JupyterLab focuses this element, but Label Studio's shortcuts work in the frame only
    content.node.addEventListener("focus", () => {
      frame.focus();
    });
    frame.addEventListener("load", () => {
      this._follow();
    });
    MessageLoop.installMessageHook(main, (_, message) => this._mayPass(message));
  }

  get id(): string {
    return this._main.id;
  }

  /** The name by which jupyter-server-proxy finds the tab. */
  get frameId(): string {
    return this._main.content.id;
  }

  /** The number of the project that the tab shows; "" for none. */
  get project(): string {
    return projectOf(this._path);
  }

  /** The number of the item that the tab shows; "" for none. */
  get task(): string {
    return taskOf(this._path);
  }

  /** Follow where the user goes in the loaded page. */
  private _follow(): void {
    const page = this._frame.contentWindow;
    const move = () => {
      void this._move();
    };
    // Firefox has the navigation API since version 147, Safari since 26.2
    const navigation = page?.navigation;
    navigation?.addEventListener("currententrychange", move);
    move();
  }

  private async _move(): Promise<void> {
    let path: string | null = null;
    try {
      path = pathBelow(prefix(), this._frame.contentWindow?.location.href ?? "", location.href);
    } catch {
      // A page of another host, such as a login
    }
    if (path === null) return;
    this._path = path;
    const { project } = this;
    const { title } = this._main.content;
    const part = partOf(path); // another one, since users change the title in the settings
    if (part !== this._titled) {
      const label = project ? await this._titleOf(project) : "Label Studio";
      if (project !== this.project) return; // the user is elsewhere by now
      if (label) [this._titled, title.label] = [part, label];
    }
    this.onMove({ path: this._path, title: title.label });
  }

  /** Return the title of a project; "" while Label Studio does not run, or if there is no such project. */
  private async _titleOf(project: string): Promise<string> {
    try {
      return (await this._api.project(Number(project))).title;
    } catch {
      return "";
    }
  }

  /** Return whether a message may pass; ask the user before a tab with unsaved changes closes. */
  private _mayPass({ type }: Message): boolean {
    if (type !== "close-request" || !this._isUnsaved()) return true;
    const trans = this._trans;
    void showDialog({
      title: trans.__("Close Label Studio?"),
      body: trans.__("The page has unsaved changes."),
      buttons: [
        Dialog.cancelButton({ label: trans.__("Cancel") }),
        Dialog.warnButton({ label: trans.__("Close") }),
      ],
    }).then(({ button }) => {
      if (button.accept) this._main.dispose();
    });
    return false;
  }

  private _isUnsaved(): boolean {
    try {
      const event = new Event("beforeunload", { cancelable: true });
      // A page may ask by setting it, too
      const asked: { returnValue: unknown } = event;
      Object.defineProperty(asked, "returnValue", { value: "", writable: true });
      const isAllowed = this._frame.contentWindow?.dispatchEvent(event) ?? true;
      return !isAllowed || asked.returnValue !== "";
    } catch {
      return false; // a page of another host
    }
  }
}
