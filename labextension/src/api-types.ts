// Made by scripts/make-api-types from labelstudio_proxy/api_types.py. Do not edit.

export type StateName = "stopped" | "preparing" | "pulling" | "installing" | "starting" | "ready" | "stopping" | "failed";

export type StepState = "next" | "current" | "done" | "failed";

export type Medium = "image" | "text" | "audio" | "video" | "time-series";

export type LogLine = [number, string];

/** An error to show to the user. Commands and names are in `backticks`; `why` and `remedy` may be "". */
export interface Problem {
  what: string;
  why: string;
  remedy: string;
}

/** One step of a start. */
export interface Step {
  id: string;
  title: string;
  state: StepState;
  detail: string;
  seconds: number | null;
}

/** How much of the current step is done. */
export interface StepProgress {
  done: number;
  total: number;
}

/** The server that holds the lock on the data directory. */
export interface Holder {
  user: string;
  host: string;
  server: string;
  since: number;
  address: string;
}

/** A holder. `action`: the label of the button that takes over from it; "" for none. */
export interface HolderWithAction {
  user: string;
  host: string;
  server: string;
  since: number;
  address: string;
  action: string;
}

/** Earlier data that a first start can use, if the user chooses to. */
export interface Offer {
  folder: string;
}

/** A button that the state offers. `command`: the route to POST to, as for `start`. */
export interface Action {
  command: string;
  label: string;
}

/** The fields that an error adds to the state. */
export interface Details {
  holder?: HolderWithAction;
  offer?: Offer;
  installed?: boolean;
  actions?: Array<Action>;
}

/** The state of Label Studio at one moment.
 * 
 * since:      when this state began.
 * versions:   of labelstudio-proxy and, once known, of Label Studio and what runs it.
 * backend:    "process", "docker", or "" before the first start.
 * ready_after: seconds that the start took.
 * stopped_because: a sentence, if no user asked for the stop.
 * installed:  False if the last start found no Label Studio.
 * actions:    more buttons for this state; the first one helps most.
 * next_start: when Label Studio restarts after a crash; None if it does not.
 * notices:    sentences to show to the user, about what does not prevent a start. */
export interface Snapshot {
  state: StateName;
  since: number | null;
  steps: Array<Step>;
  progress: StepProgress | null;
  versions: Record<string, string>;
  backend: string;
  started_at: number | null;
  now: number;
  ready_after: number | null;
  restarts: number;
  restart_reasons: Record<string, number>;
  stopped_because: string;
  error: Problem | null;
  holder: HolderWithAction | null;
  offer: Offer | null;
  installed: boolean;
  actions: Array<Action>;
  next_start: number | null;
  notices: Array<string>;
}

/** Which Label Studio a Jupyter server has.
 * 
 * prefix:  the path of its pages in browsers, with a slash at either end.
 * new_browser_tab: whether its pages open in a tab of the browser, not of JupyterLab. */
export interface Instance {
  data_dir: string;
  prefix: string;
  new_browser_tab: boolean;
}

/** The data of the event `state`. */
export interface State {
  state: StateName;
  since: number | null;
  steps: Array<Step>;
  progress: StepProgress | null;
  versions: Record<string, string>;
  backend: string;
  started_at: number | null;
  now: number;
  ready_after: number | null;
  restarts: number;
  restart_reasons: Record<string, number>;
  stopped_because: string;
  error: Problem | null;
  holder: HolderWithAction | null;
  offer: Offer | null;
  installed: boolean;
  actions: Array<Action>;
  next_start: number | null;
  notices: Array<string>;
  data_dir: string;
  prefix: string;
  new_browser_tab: boolean;
}

/** A snapshot, with the last lines of Label Studio's log.
 * 
 * address: the URL at which a browser last opened Label Studio; "" if none has. */
export interface SnapshotWithLog {
  state: StateName;
  since: number | null;
  steps: Array<Step>;
  progress: StepProgress | null;
  versions: Record<string, string>;
  backend: string;
  started_at: number | null;
  now: number;
  ready_after: number | null;
  restarts: number;
  restart_reasons: Record<string, number>;
  stopped_because: string;
  error: Problem | null;
  holder: HolderWithAction | null;
  offer: Offer | null;
  installed: boolean;
  actions: Array<Action>;
  next_start: number | null;
  notices: Array<string>;
  address: string;
  log: Array<LogLine>;
}

/** The answer to `GET ""`. */
export interface StateWithLog {
  state: StateName;
  since: number | null;
  steps: Array<Step>;
  progress: StepProgress | null;
  versions: Record<string, string>;
  backend: string;
  started_at: number | null;
  now: number;
  ready_after: number | null;
  restarts: number;
  restart_reasons: Record<string, number>;
  stopped_because: string;
  error: Problem | null;
  holder: HolderWithAction | null;
  offer: Offer | null;
  installed: boolean;
  actions: Array<Action>;
  next_start: number | null;
  notices: Array<string>;
  address: string;
  log: Array<LogLine>;
  data_dir: string;
  prefix: string;
  new_browser_tab: boolean;
}

/** The answer to `GET "?memory=1"`. `memory`: bytes; None if Label Studio does not run. */
export interface StateWithMemory {
  state: StateName;
  since: number | null;
  steps: Array<Step>;
  progress: StepProgress | null;
  versions: Record<string, string>;
  backend: string;
  started_at: number | null;
  now: number;
  ready_after: number | null;
  restarts: number;
  restart_reasons: Record<string, number>;
  stopped_because: string;
  error: Problem | null;
  holder: HolderWithAction | null;
  offer: Offer | null;
  installed: boolean;
  actions: Array<Action>;
  next_start: number | null;
  notices: Array<string>;
  address: string;
  log: Array<LogLine>;
  data_dir: string;
  prefix: string;
  new_browser_tab: boolean;
  memory: number | null;
}

/** A project.
 * 
 * path:    of its labelling page, below the prefix, without a slash before it.
 * url:     the same with the prefix.
 * task:    a name of `labelling.tasks`; "" for an own labelling interface.
 * source:  what the project was made over, such as {"kind": "folder", "path": …}; {} if it was made in
 *          Label Studio.
 * keep:    the file that keeps the labels; "" for none.
 * keep_problem: why that file is not up to date; "" if it is. */
export interface Project {
  id: number;
  title: string;
  path: string;
  url: string;
  task: string;
  total: number;
  labelled: number;
  labels: Array<string>;
  source: Record<string, unknown>;
  keep: string;
  keep_problem: string;
  new_browser_tab: boolean;
}

/** The answer to `GET projects`, and the data of the event `projects`; newest first. */
export interface Projects {
  projects: Array<Project>;
}

/** A recently labelled item. `image`: the URL of its picture, or "". */
export interface LabelledItem {
  labels: Array<string>;
  image: string;
  text: string;
  url: string;
}

/** `label_counts`: the most frequent label first. `last`: the newest label first. */
export interface Summary {
  label_counts: Record<string, number>;
  last: Array<LabelledItem>;
}

/** A project with what its card shows. */
export interface ProjectWithSummary {
  id: number;
  title: string;
  path: string;
  url: string;
  task: string;
  total: number;
  labelled: number;
  labels: Array<string>;
  source: Record<string, unknown>;
  keep: string;
  keep_problem: string;
  new_browser_tab: boolean;
  label_counts: Record<string, number>;
  last: Array<LabelledItem>;
}

/** The answer to `GET projects/<id>`. */
export interface OneProject {
  project: Project;
}

/** The answer to `GET projects/<id>?summary=1`. */
export interface OneProjectWithSummary {
  project: ProjectWithSummary;
}

/** The response to a request that failed, and the last line of a stream that failed. */
export interface Failed {
  error: Problem;
}

/** The body of `POST source`: a folder as `path`, or files as `paths`.
 * 
 * Both are relative to Jupyter's root folder, or absolute. */
export interface LookRequest {
  path?: string;
  paths?: Array<string>;
}

/** A folder with its subfolders, or a pattern. */
export interface FolderSource {
  kind: "path";
  path: string;
}

/** A list of files. */
export interface FilesSource {
  kind: "list";
  values: Array<string>;
}

/** A task that fits some of the files. `count`: how many. */
export interface TaskChoice {
  name: string;
  medium: Medium;
  needs_labels: boolean;
  count: number;
}

/** The project that was made over a source. `new`: how many files are not in it yet. */
export interface FoundProject {
  id: number;
  title: string;
  path: string;
  url: string;
  task: string;
  labels: Array<string>;
  keep: string;
  new: number;
}

/** What is in a folder or in files, for the dialog that makes a project.
 * 
 * source, base: for `POST projects`; `base` is the folder in which labels are kept.
 * title:   of a new project.
 * media:   how many files of each medium there are.
 * others:  how many files have another suffix.
 * tasks:   those that fit; the suggested one first.
 * labels:  of the existing project, or the names of the subfolders that sort the files.
 * keep:    the setting `keep_labels`; "" for none.
 * project: None if there is none, or if `project_known` is False because the database cannot be read.
 * notes:   sentences about what is left out. */
export interface Look {
  source: FolderSource | FilesSource;
  base: string;
  title: string;
  media: Partial<Record<Medium, number>>;
  others: number;
  tasks: Array<TaskChoice>;
  labels: Array<string>;
  keep: string;
  project: FoundProject | null;
  project_known: boolean;
  notes: Array<string>;
}

/** `base`: the folder of relative paths; without it, Jupyter's root folder.
 * 
 * keep: the name of a file, relative to the source's folder; False for none. */
export interface MakeOptions {
  base?: string;
  title?: string;
  task?: string;
  labels?: Array<string>;
  config?: string;
  keep?: string | boolean;
}

/** The body of `POST projects`. */
export interface MakeRequest {
  base?: string;
  title?: string;
  task?: string;
  labels?: Array<string>;
  config?: string;
  keep?: string | boolean;
  source: FolderSource | FilesSource;
}

/** How much is done, of how much (0 if that is not known), and in `what` the work. */
export interface Progress {
  done: number;
  total: number;
  what: string;
}

/** A line before the last one. */
export interface ProgressLine {
  progress: Progress;
}

/** The last line of `POST projects`. `added`: items. `notes`: sentences about what is left out. */
export interface Made {
  project: Project;
  added: number;
  notes: Array<string>;
}

/** `pictures`: whether to include the pictures, where the format has them; True by default. */
export interface ExportOptions {
  base?: string;
  pictures?: boolean;
}

/** The body of `POST projects/<id>/export`. `folder`: a new or empty folder. */
export interface ExportRequest {
  base?: string;
  pictures?: boolean;
  format: string;
  folder: string;
}

/** The last line of `POST projects/<id>/export`. `files`: how many the folder has. */
export interface Exported {
  folder: string;
  files: number;
}

/** A format of an export. `name`: for `ExportRequest`. `pictures`: whether it can include them. */
export interface Format {
  name: string;
  title: string;
  description: string;
  pictures: boolean;
}

/** The answer to `GET projects/<id>/formats`. */
export interface Formats {
  formats: Array<Format>;
}
