import type { TranslationBundle } from "@jupyterlab/translation";

import type { Look } from "./api-types.ts";

/** Return what people do in a task; the task's name if this version does not know it. */
export function taskText(task: string, trans: TranslationBundle): string {
  const texts: Record<string, string> = {
    "image-classification": trans.__("Classify pictures"),
    "object-detection": trans.__("Draw boxes on pictures"),
    "image-segmentation": trans.__("Paint areas of pictures"),
    "keypoint-detection": trans.__("Set points on pictures"),
    "text-classification": trans.__("Classify texts"),
    "token-classification": trans.__("Mark words in texts"),
    "audio-classification": trans.__("Classify recordings"),
    "automatic-speech-recognition": trans.__("Write down what recordings say"),
    "video-classification": trans.__("Classify videos"),
    "time-series-classification": trans.__("Classify time series"),
  };
  return texts[task] ?? task;
}

/** Return what a folder has, for example "12 pictures, 1 text, 3 other files". */
export function contentsText(look: Look, trans: TranslationBundle): string {
  const parts = Object.entries(look.media).map(([medium, count]) =>
    mediumText(medium, count, trans),
  );
  if (look.others) {
    parts.push(trans._n("%2 other file", "%2 other files", look.others, shown(look.others)));
  }
  return parts.join(", ");
}

function mediumText(medium: string, count: number, trans: TranslationBundle): string {
  switch (medium) {
    case "image":
      return trans._n("%2 picture", "%2 pictures", count, shown(count));
    case "text":
      return trans._n("%2 text", "%2 texts", count, shown(count));
    case "audio":
      return trans._n("%2 recording", "%2 recordings", count, shown(count));
    case "video":
      return trans._n("%2 video", "%2 videos", count, shown(count));
    default:
      return trans._n("%2 CSV file", "%2 CSV files", count, shown(count));
  }
}

function shown(count: number): string {
  return count.toLocaleString();
}
