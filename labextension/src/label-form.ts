import type { TranslationBundle } from "@jupyterlab/translation";
import { Signal } from "@lumino/signaling";

import type { FoundProject, Look, MakeRequest, Problem, Progress } from "./api-types.ts";
import { type Labels, withLabels } from "./labels.ts";

const DEFAULT_FILE = "labels.jsonl";

/** Return the name of the file that keeps the labels: the setting `keep_labels`, or else the default. */
export function fileOf(look: Look | null): string {
  const { keep = "" } = look ?? {};
  return keep === "" ? DEFAULT_FILE : keep;
}

/**
 * What the dialog shows.
 *
 * look:      null until the server has answered.
 * isMissing: a label is needed, and there is none.
 * progress:  null unless a project is being made.
 */
interface Fields extends Labels {
  look: Look | null;
  title: string;
  task: string;
  keep: boolean;
  isMissing: boolean;
  problem: Problem | null;
  progress: Progress | null;
}

/** The contents of the dialog. */
export class LabelForm {
  readonly changed = new Signal<this, void>(this);
  fields: Fields;

  private readonly _name: string;
  private readonly _trans: TranslationBundle;

  /** `name`: the title until the server proposes one. */
  constructor(name: string, trans: TranslationBundle, keep = false) {
    this._name = name;
    this._trans = trans;
    this.fields = {
      ...{ labels: [], typed: "", place: 0, note: "" },
      ...{ look: null, title: name, task: "", keep },
      ...{ isMissing: false, problem: null, progress: null },
    };
  }

  set(fields: Partial<Fields>): void {
    this.fields = { ...this.fields, ...fields };
    this.changed.emit();
  }

  /** Fill in what the server proposes, and keep what the user has typed meanwhile. */
  propose(look: Look): void {
    const { title, labels, keep } = this.fields;
    this.set({
      look,
      title: title === this._name ? look.title : title,
      task: look.tasks[0]?.name ?? "",
      keep: keep || look.keep !== "",
      ...(labels.length ? {} : { labels: look.labels, place: look.labels.length }),
    });
  }

  get project(): FoundProject | null {
    return this.fields.look?.project ?? null;
  }

  get needsLabels(): boolean {
    const { look, task } = this.fields;
    return look?.tasks.find(({ name }) => name === task)?.needs_labels ?? true;
  }

  /** Add what is typed as labels; return whether a project can be made. */
  complete(): boolean {
    const labels = withLabels(this.fields, this.fields.typed, this._trans);
    const isMissing = this.needsLabels && labels.labels.length === 0;
    this.set({ ...labels, isMissing, problem: null });
    return !isMissing;
  }

  /** Return the request that makes the project. */
  request(look: Look): MakeRequest {
    const { title, task, labels, keep } = this.fields;
    const { source, base } = look;
    return {
      ...{ source, base, title: title.trim(), task, keep: keep && fileOf(look) },
      ...(this.needsLabels && { labels }),
    };
  }
}
