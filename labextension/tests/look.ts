import type { Look } from "../src/api-types.ts";

/** A response to `POST source`. */
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
