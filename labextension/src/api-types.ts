// Made by scripts/make-api-types from labelstudio_proxy/jupyter/api_types.py. Do not edit.

/** An error for people. */
export interface ProblemJson {
  what: string;
  why: string;
  remedy: string;
}

/** The state of Label Studio. */
export interface StateJson {
  state: "stopped" | "preparing" | "pulling" | "starting" | "ready" | "stopping" | "failed";
  backend: string;
  versions: Record<string, string>;
  started_at: number | null;
  error: ProblemJson | null;
  notices: Array<string>;
  data_dir: string;
  prefix: string;
}
