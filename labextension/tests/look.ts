import type { TranslationBundle } from "@jupyterlab/translation";

import type { Look } from "../src/api-types.ts";

function format(text: string, ...values: unknown[]): string {
  return text.replace(/%(\d)/g, (_, place) => String(values[Number(place) - 1]));
}

/** Untranslated, as `nullTranslator` does it; that module does not load in Node.js. */
export const trans = {
  __: format,
  _n: (one: string, many: string, count: number, ...values: unknown[]) =>
    format(count === 1 ? one : many, count, ...values),
} as unknown as TranslationBundle;

/** An answer to `POST source`. */
export const look: Look = {
  source: { kind: "path", path: "/home/ada/pets" },
  base: "/home/ada/pets",
  title: "pets 2",
  media: { image: 2, audio: 1 },
  others: 0,
  tasks: [
    { name: "image-classification", medium: "image", needs_labels: true, count: 2 },
    { name: "automatic-speech-recognition", medium: "audio", needs_labels: false, count: 1 },
  ],
  labels: ["cat", "dog"],
  keep: "",
  project: null,
  project_known: true,
  notes: [],
};
