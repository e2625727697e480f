import { Dialog, Notification, ReactWidget } from "@jupyterlab/apputils";
import type { TranslationBundle } from "@jupyterlab/translation";

import { type Api, problemFrom } from "./api.ts";
import type { FoundProject, Look, LookRequest, Progress } from "./api-types.ts";
import { h } from "./jsx.ts";
import { LabelForm } from "./label-form.ts";
import { LabelFormView } from "./label-form-view.tsx";

const BUTTONS = ["cancel", "add", "accept"] as const;
const ACCEPT = BUTTONS.indexOf("accept");

/**
 * A tab in which a project will open.
 *
 * open:  shows the project; returns false if the browser does not allow that.
 * say:   shows a text until then.
 * close: closes the tab if no project will open.
 */
export interface Place {
  open: (project: FoundProject) => boolean;
  say: (text: string) => void;
  close: () => void;
}

interface Options {
  api: Api;
  trans: TranslationBundle;
  /** Start Label Studio. */
  start: () => Promise<void>;
  /** What to label, and its name in the file browser. */
  request: LookRequest;
  name: string;
  /** Whether *Keep the labels* is ticked. */
  keep: boolean;
  /** Return the place for a project. Called during a click or a key press: browsers open tabs only then. */
  reserve: (title: string) => Promise<Place>;
}

/** The dialog that makes a project over a folder or files, or finds their project, and opens it. */
export class LabelDialog extends Dialog<void> {
  private readonly _options: Options;
  private readonly _form: LabelForm;
  private readonly _closed = new AbortController();
  private _look: Promise<Look | null>;
  private _isBusy = false;

  constructor(options: Options) {
    const { name, keep, trans } = options;
    const form = new LabelForm(name, trans, keep);
    const title = trans.__("Label with Label Studio");
    super({
      title,
      body: ReactWidget.create(
        <LabelFormView form={form} trans={trans} />,
      ) as unknown as Dialog.Body<void>,
      buttons: [
        Dialog.cancelButton({ className: "jp-LabelStudioDialog-cancel" }),
        Dialog.okButton({ className: "jp-LabelStudioDialog-add" }),
        Dialog.okButton({ className: "jp-LabelStudioDialog-accept" }),
      ],
      defaultButton: ACCEPT,
      focusNodeSelector: ".jp-LabelStudioDialog-labels input",
    });
    this.addClass("jp-LabelStudioDialog");
    this.node.ariaLabel = title;
    this.node.tabIndex = -1;
    this._options = options;
    this._form = form;
    form.changed.connect(() => {
      this._updateButtons();
    });
    this._updateButtons();
    this._look = this._lookAtFiles();
  }

  override handleEvent(event: Event): void {
    const isKey = event instanceof KeyboardEvent && event.type === "keydown";
    const isHandled = isKey
      ? this._isForBody(event) || this._isMove(event)
      : event.type === "click" && event.target === this.node; // outside: the typed labels stay
    if (!isHandled) super.handleEvent(event);
    // The default button, which gets the focus that left the dialog, may be disabled
    if (event.type === "focus" && !this.node.contains(document.activeElement)) this.node.focus();
  }

  override resolve(index = ACCEPT): void {
    const button = BUTTONS[index];
    if (button === "add" || button === "accept") {
      void this._run(button === "add");
    } else {
      this.reject();
    }
  }

  override reject(): void {
    this._closed.abort();
    super.reject();
  }

  /** Return whether the field for labels handles the key. Otherwise JupyterLab's dialog handles Enter and arrows. */
  private _isForBody(event: KeyboardEvent): boolean {
    const target = event.target as Element;
    if (!target.closest(".jp-LabelStudioDialog-labels")) return false;
    if (event.key === "Enter") {
      const isTyped = this._form.fields.typed.trim() !== "";
      return event.isComposing || target.localName === "button" || isTyped;
    }
    return event.key.startsWith("Arrow");
  }

  /** Move the focus between the buttons that are shown: JupyterLab's dialog would stop at a hidden one. */
  private _isMove(event: KeyboardEvent): boolean {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const shown = BUTTONS.map((name) => this._button(name)).filter(({ hidden }) => !hidden);
    const place = shown.indexOf(document.activeElement as HTMLButtonElement);
    if (step === undefined || place < 0) return false;
    event.preventDefault();
    shown.at((place + step) % shown.length)?.focus();
    return true;
  }

  /** Show what the folder or the files contain. Starts Label Studio meanwhile, so that it is ready sooner. */
  private async _lookAtFiles(): Promise<Look | null> {
    const { api, request, start } = this._options;
    try {
      const look = await api.look(request, this._closed.signal);
      this._form.propose(look);
      if (look.project) this._button("accept").focus(); // the fields disappear
      start().catch(() => undefined); // the next request fails for the same reason, and shows it
      return look;
    } catch (error) {
      this._fail(error);
      return null;
    }
  }

  private async _run(isAdding: boolean): Promise<void> {
    if (this._isBusy) return;
    this._isBusy = true;
    try {
      const { look, problem } = this._form.fields;
      this._form.set({ problem: null });
      if (problem && !look) {
        this._look = this._lookAtFiles();
      } else if (this._form.project ?? this._form.complete()) {
        this.node.focus(); // the fields are disabled meanwhile
        await this._open(isAdding);
        requestAnimationFrame(() => {
          this._focusField();
        });
      } else {
        this._focusField();
      }
    } finally {
      this._isBusy = false;
    }
  }

  /** Make the project or add the new files, if necessary, and open it. */
  private async _open(isAdding: boolean): Promise<void> {
    const { trans, reserve } = this._options;
    const found = this._form.project;
    let place: Place | null = null;
    try {
      place = await reserve(found?.title ?? this._form.fields.title);
      const project = found && !isAdding ? found : await this._made(found, place);
      if (!project) {
        place.close();
      } else if (place.open(project)) {
        super.resolve(ACCEPT);
      } else {
        const what = trans.__("The browser has blocked the new tab.");
        const remedy = trans.__("Allow pop-ups for this page, then press Open.");
        this._form.set({ problem: { what, why: "", remedy } });
      }
    } catch (error) {
      place?.close();
      this._fail(error);
    } finally {
      this._form.set({ progress: null });
    }
  }

  /** Make the project, or add new files to it; return null if the dialog shows why that is impossible. */
  private async _made(found: FoundProject | null, place: Place): Promise<FoundProject | null> {
    const { api, trans } = this._options;
    const { signal } = this._closed;
    const report = (progress: Progress) => {
      this._form.set({ progress });
      place.say(progress.what);
    };
    report({ done: 0, total: 0, what: trans.__("Looking at the files") });
    const look = await this._look;
    if (!look || (look.project && !found)) return null;
    const made = found
      ? await api.add(found.id, look.source, report, signal)
      : await api.make(this._form.request(look), report, signal);
    const notes = made.notes.filter((note) => !look.notes.includes(note));
    if (notes.length) Notification.info(notes.join(" "));
    const project = { ...made.project, new: 0 };
    this._form.set({ look: { ...look, project } });
    return project;
  }

  private _fail(error: unknown): void {
    if (!this._closed.signal.aborted) this._form.set({ problem: problemFrom(error) });
  }

  private _updateButtons(): void {
    const { trans } = this._options;
    const { project } = this._form;
    const { problem, progress } = this._form.fields;
    const added = project?.new ?? 0;
    const again = problem && !project;
    const action = again ? trans.__("Try Again") : project ? trans.__("Open") : trans.__("Label");
    this._button("accept", action).disabled = progress !== null;
    const add = this._button("add", trans._n("Add %1 New File", "Add %1 New Files", added));
    add.disabled = progress !== null;
    add.hidden = added === 0;
  }

  private _focusField(): void {
    const field = this.node.querySelector<HTMLElement>(".jp-LabelStudioDialog-labels input");
    (field ?? this._button("accept")).focus();
  }

  private _button(name: (typeof BUTTONS)[number], text?: string): HTMLButtonElement {
    const button = this.node.querySelector<HTMLButtonElement>(
      `button.jp-LabelStudioDialog-${name}`,
    );
    if (!button) throw new Error(name);
    const label = button.querySelector<HTMLElement>(".jp-Dialog-buttonLabel");
    if (label && text !== undefined) label.textContent = label.ariaLabel = text;
    return button;
  }
}
