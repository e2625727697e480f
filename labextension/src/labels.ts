import type { TranslationBundle } from "@jupyterlab/translation";

/** A label and its separator. A label in quotation marks may have separators inside. */
const LABEL = /\s*(?:"([^"]*)"|'([^']*)'|([^,;\t\r\n]*))\s*(?:[,;\t\r\n]|$)/y;
const PYTHON_LIST = /^\s*[[(]\s*(["'].*)[\])]\s*$/s;

/** Return the labels in a text that was typed or pasted: lines, words with commas, or a Python list. */
export function splitLabels(text: string): string[] {
  const list = PYTHON_LIST.exec(text)?.[1] ?? text;
  const found: string[] = [];
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < list.length) {
    const [, double, single, plain = ""] = LABEL.exec(list) ?? [];
    found.push((double ?? single ?? plain).trim());
  }
  return found.filter((label) => label !== "");
}

/** Return whether a text has a separator outside quotation marks. */
export function isComplete(text: string): boolean {
  const mark = /^\s*(["'])/.exec(text)?.[1];
  const isOpen = mark !== undefined && text.trim().lastIndexOf(mark) === 0;
  return !isOpen && /[,;\t\r\n]/.test(text);
}

/** Return `labels` with the new ones of `added` at a place, and in `twice` those that were there already. */
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
 * Labels, and what is typed in the field beside them.
 *
 * place: where the next label goes. An edited label returns to its place.
 * note:  a hint for the user.
 */
export interface Labels {
  labels: string[];
  typed: string;
  place: number;
  note: string;
}

/** Return the labels with those in a text added; `note` names the ones that were there already. */
export function withLabels(value: Labels, text: string, trans: TranslationBundle): Labels {
  const { labels, twice } = addLabels(value.labels, splitLabels(text), value.place);
  const note = twice.length ? trans.__("Already in the list: %1", twice.join(", ")) : "";
  return { labels, typed: "", place: labels.length, note };
}
