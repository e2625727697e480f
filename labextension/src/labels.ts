import type { TranslationBundle } from "@jupyterlab/translation";

/** A label with its separator; in quotation marks, a label may have a separator inside. */
const LABEL = /\s*(?:"([^"]*)"|'([^']*)'|([^,;\t\r\n]*))\s*(?:[,;\t\r\n]|$)/y;
const LIST_OF_PYTHON = /^\s*[[(]\s*(["'].*)[\])]\s*$/s;

/** The labels in a text that was typed or pasted: lines, words with commas, or a list of Python's. */
export function splitLabels(text: string): string[] {
  const list = LIST_OF_PYTHON.exec(text)?.[1] ?? text;
  const found: string[] = [];
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < list.length) {
    const [, double, single, plain = ""] = LABEL.exec(list) ?? [];
    found.push((double ?? single ?? plain).trim());
  }
  return found.filter((label) => label !== "");
}

/** Whether a text has a separator outside quotation marks, so that it can be split. */
export function isComplete(text: string): boolean {
  const mark = /^\s*(["'])/.exec(text)?.[1];
  const isOpen = mark !== undefined && text.trim().lastIndexOf(mark) === 0;
  return !isOpen && /[,;\t\r\n]/.test(text);
}

/** `labels` with those of `added` that are not there yet, at a place; `twice`: the others. */
export function addLabels(
  labels: readonly string[],
  added: readonly string[],
  place = labels.length,
): { labels: string[]; twice: string[] } {
  const fresh: string[] = [];
  const twice: string[] = [];
  for (const label of added) {
    (labels.includes(label) || fresh.includes(label) ? twice : fresh).push(label);
  }
  return { labels: [...labels.slice(0, place), ...fresh, ...labels.slice(place)], twice };
}

/**
 * Labels, and what is typed beside them.
 *
 * place: where the next label goes; an edited one returns to its place.
 */
export interface Labels {
  labels: string[];
  typed: string;
  place: number;
  note: string;
}

/** The labels with those that are in a text; `note` names what is there twice. */
export function withLabels(value: Labels, text: string, trans: TranslationBundle): Labels {
  const { labels, twice } = addLabels(value.labels, splitLabels(text), value.place);
  const note = twice.length ? trans.__("There already: %1", twice.join(", ")) : "";
  return { labels, typed: "", place: labels.length, note };
}
