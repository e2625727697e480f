import type { State } from "../src/api-types.ts";

/** A state with these fields. */
export function snapshot(fields: Partial<State>): State {
  return {
    state: "stopped",
    since: null,
    steps: [],
    progress: null,
    versions: {},
    backend: "",
    started_at: null,
    now: 0,
    ready_after: null,
    restarts: 0,
    restart_reasons: {},
    stopped_because: "",
    error: null,
    holder: null,
    offer: null,
    installed: true,
    actions: [],
    next_start: null,
    notices: [],
    data_dir: "/data",
    prefix: "/labelstudio/",
    new_browser_tab: false,
    ...fields,
  };
}
