import type { TranslationBundle } from "@jupyterlab/translation";

import type { Project, State, Step, StepProgress } from "./api-types.ts";

/** The words for a state. The start page has the same, which a test compares. */
export interface Words {
  heading: string;
  sentence: string;
}

/** Return the heading and the sentence for a state, without its steps. */
export function wordsOf(state: State, trans: TranslationBundle): Words {
  const words = (heading: string, sentence = ""): Words => ({ heading, sentence });
  if (state.next_start !== null) {
    return state.ready_after === null
      ? words(
          trans.__("Label Studio could not be started"),
          trans.__("The next attempt is within a minute."),
        )
      : words(
          trans.__("Restarting Label Studio…"),
          trans.__("It restarts automatically within a minute."),
        );
  }
  if (state.holder?.action) return words(trans.__("Label Studio is running on another server"));
  if (state.offer) return words(trans.__("Which data should Label Studio use?"));
  if (state.state === "failed" && !state.installed) {
    return words(trans.__("Label Studio is not installed"));
  }
  switch (state.state) {
    case "stopped":
      return words(
        trans.__("Label Studio is not running"),
        trans.__("Your projects and annotations are saved."),
      );
    case "pulling":
      return words(
        trans.__("Starting Label Studio…"),
        trans.__("The image is downloaded only once."),
      );
    case "installing":
      return words(trans.__("Installing Label Studio…"), trans.__("This happens only once."));
    case "preparing":
    case "starting":
      return words(trans.__("Starting Label Studio…"));
    case "ready":
      return words(trans.__("Label Studio is ready"));
    case "stopping":
      return words(trans.__("Stopping Label Studio…"), trans.__("This takes a few seconds."));
    case "failed":
      return words(
        state.ready_after === null
          ? trans.__("Label Studio could not be started")
          : trans.__("Label Studio stopped working"),
      );
  }
}

/** Return one word for a state, for the status bar. */
export function wordOf({ state, next_start }: State, trans: TranslationBundle): string {
  if (next_start !== null) return trans.__("restarting");
  switch (state) {
    case "stopped":
      return trans.__("stopped");
    case "preparing":
    case "pulling":
    case "starting":
      return trans.__("starting");
    case "installing":
      return trans.__("installing");
    case "ready":
      return trans.__("ready");
    case "stopping":
      return trans.__("stopping");
    case "failed":
      return trans.__("failed");
  }
}

/** Return the title of a step; the server's own title if this version does not know the step. */
export function stepTitle({ id, title }: Step, trans: TranslationBundle): string {
  const titles: Record<string, string> = {
    data: trans.__("Open the data directory"),
    find: trans.__("Find Label Studio"),
    engine: trans.__("Find Docker or Podman"),
    pull: trans.__("Get the image of Label Studio"),
    database: trans.__("Prepare the database"),
    container: trans.__("Start the container"),
    load: trans.__("Load Label Studio"),
    response: trans.__("Open Label Studio"),
  };
  return titles[id] ?? title;
}

/** Return a duration as people write it: 3.4 s, 12 s, 2 min 05 s. */
export function duration(seconds: number, trans: TranslationBundle): string {
  if (seconds < 10) return trans.__("%1 s", Math.round(seconds * 10) / 10);
  const rest = Math.floor(seconds % 60);
  const minutes = Math.floor(seconds / 60);
  if (!minutes) return trans.__("%1 s", rest);
  return trans.__("%1 min %2 s", minutes, String(rest).padStart(2, "0"));
}

/** Return how many seconds a step took or has taken; null before it begins. `now`: by the server's clock. */
export function secondsOf(step: Step, state: State, now: number): number | null {
  if (step.state !== "current") return step.seconds;
  if (step.seconds !== null) return step.seconds + now - state.now;
  if (state.started_at === null) return null;
  const before = state.steps.reduce((sum, { seconds }) => sum + (seconds ?? 0), 0);
  return Math.max(0, now - state.started_at - before);
}

/** Return how much of a step is done; "" if that is not known. Large totals are bytes, shown in percent. */
export function count(progress: StepProgress | null, trans: TranslationBundle): string {
  if (!progress?.total) return "";
  const { done, total } = progress;
  if (total < 10_000) return trans.__("%1 of %2", done, total);
  return trans.__("%1 %", Math.floor((100 * done) / total));
}

/** Return a number of bytes as people write it: 177 MB, 1.2 GB. */
export function size(bytes: number, trans: TranslationBundle): string {
  const megabytes = bytes / 1e6;
  if (megabytes < 1000) return trans.__("%1 MB", Math.round(megabytes));
  return trans.__("%1 GB", (megabytes / 1000).toFixed(1));
}

/** Split a sentence at its `backticks`: every second part is code. */
export function codeParts(text: string): string[] {
  return text.split(/`([^`\n]+)`/);
}

/** Return a line of a log without the colours of a terminal. */
export function plain(line: string): string {
  return line.replace(/\x1b\[[0-9;]*m/g, "");
}

const IMPORT = "import labelstudio_proxy as lsp";

/** Return the code that loads the labels of a project. `sources`: the code cells of the notebook. */
export function dataFrameCode(
  project: Project,
  projects: readonly Project[],
  sources: readonly string[],
): string {
  const same = projects.filter(({ title }) => title === project.title);
  // JSON's escapes are Python's, too
  const name = same.length > 1 ? String(project.id) : JSON.stringify(project.title);
  const code = `lsp.project(${name}).to_dataframe()`;
  const imported = sources.some((source) => source.split("\n").includes(IMPORT));
  return imported ? code : `${IMPORT}\n\n${code}`;
}

/** Return a name for the folder of an export. */
export function folderName(title: string): string {
  const name = title.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[-.]+|-+$/g, "");
  return `${name || "project"}-export`;
}
