import { URLExt } from "@jupyterlab/coreutils";
import { ServerConnection } from "@jupyterlab/services";
import type { TranslationBundle } from "@jupyterlab/translation";

import type {
  Exported,
  ExportRequest,
  Failed,
  Format,
  Formats,
  LogLine,
  Look,
  LookRequest,
  Made,
  MakeRequest,
  OneProject,
  Problem,
  Progress,
  ProgressLine,
  Project,
  Projects,
  State,
  StateWithLog,
  StateWithMemory,
} from "./api-types.ts";
import { stepTitle } from "./words.ts";

/** The pause between two questions during a start that a user waits for. */
const POLL_MS = 500;
/** Longer than a server that works sends nothing. */
const SILENT_MS = 45_000;

export type Command =
  "start" | "stop" | "restart" | "install" | "take-over" | "use-data" | "no-data";

export type StudioEvent =
  | { name: "state"; data: State }
  | { name: "projects"; data: Projects }
  | { name: "log"; data: LogLine[] };

export type OnProgress = (progress: Progress) => void;

interface Options {
  method?: string;
  body?: unknown;
  signal?: AbortSignal | undefined;
}

/** An error to show to the user. `status`: of the response; 0 if there was none. */
export class ApiError extends Error {
  readonly problem: Problem;
  readonly status: number;

  constructor(problem: Problem, status = 0) {
    super(sentence(problem));
    this.problem = problem;
    this.status = status;
  }
}

/**
 * The REST API of the server extension.
 *
 * Each method throws an ApiError, or the signal's reason after an abort.
 */
export class Api {
  private readonly _settings: ServerConnection.ISettings;
  private readonly _trans: TranslationBundle;

  constructor(settings: ServerConnection.ISettings, trans: TranslationBundle) {
    this._settings = settings;
    this._trans = trans;
  }

  /** Return the state with the log; starts nothing. */
  state(signal?: AbortSignal): Promise<StateWithLog> {
    return this._json("", { signal });
  }

  /** Return the bytes of memory that Label Studio uses; null if it does not run. */
  async memory(signal?: AbortSignal): Promise<number | null> {
    return (await this._json<StateWithMemory>("?memory=1", { signal })).memory;
  }

  /** Begin a command, and return the state after that. */
  run(command: Command): Promise<StateWithLog> {
    return this._json(`/${command}`, { method: "POST" });
  }

  /** Return what is in a folder or in files, the tasks that fit, and their project if there is one. */
  look(request: LookRequest, signal?: AbortSignal): Promise<Look> {
    return this._json("/source", { method: "POST", body: request, signal });
  }

  async project(project: number, signal?: AbortSignal): Promise<Project> {
    return (await this._json<OneProject>(`/projects/${String(project)}`, { signal })).project;
  }

  /** Make a project, or add new files to the existing one. Starts Label Studio first. */
  make(request: MakeRequest, onProgress: OnProgress, signal?: AbortSignal): Promise<Made> {
    return this._work("/projects", request, onProgress, signal);
  }

  /** Add what is new in a source to a project. Starts Label Studio first. */
  add(
    project: number,
    source: Look["source"],
    onProgress: OnProgress,
    signal?: AbortSignal,
  ): Promise<Made> {
    return this._work(`/projects/${String(project)}/items`, { source }, onProgress, signal);
  }

  /** Return the formats that a project can be exported in. */
  async formats(project: number, signal?: AbortSignal): Promise<Format[]> {
    return (await this._json<Formats>(`/projects/${String(project)}/formats`, { signal })).formats;
  }

  /** Export the labels of a project into a new or empty folder. */
  export(
    project: number,
    request: ExportRequest,
    onProgress: OnProgress,
    signal?: AbortSignal,
  ): Promise<Exported> {
    return this._work(`/projects/${String(project)}/export`, request, onProgress, signal);
  }

  /** Return the text of *Copy diagnostics*. `prefix`: of the state. */
  async diagnostics(prefix: string): Promise<string> {
    const url = new URL(`${prefix}_proxy/diagnostics`, this._settings.baseUrl).href;
    return (await this._checked(await this._fetch(url, {}))).text();
  }

  /** Yield the state and the projects, now and at each change, and new lines of the log. */
  async *events(signal: AbortSignal): AsyncGenerator<StudioEvent> {
    // A connection that was lost while the machine was suspended does not say so
    const silence = new AbortController();
    const begin = () =>
      setTimeout(() => {
        silence.abort(this._lost());
      }, SILENT_MS);
    const stop = () => {
      silence.abort(signal.reason);
    };
    signal.addEventListener("abort", stop);
    let timer = begin();
    try {
      const both = silence.signal;
      const response = await this._checked(await this._send("/events", { signal: both }));
      let [name, data] = ["", ""];
      for await (const line of this._lines(response, both)) {
        clearTimeout(timer);
        timer = begin();
        const [, field, value = ""] = /^(event|data): (.*)/.exec(line) ?? [];
        if (field === "event") name = value;
        if (field === "data") data += value;
        if (line === "") {
          if (data) yield { name, data: JSON.parse(data) as unknown } as StudioEvent;
          [name, data] = ["", ""];
        }
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    }
  }

  private async _json<T>(route: string, options: Options): Promise<T> {
    const response = await this._checked(await this._send(route, options));
    return (await response.json()) as T;
  }

  /** Send a request, after a start of Label Studio if it does not run; report its progress, and return its result. */
  private async _work<Result extends object>(
    route: string,
    body: object,
    onProgress: OnProgress,
    signal?: AbortSignal,
  ): Promise<Result> {
    let response = await this._send(route, { method: "POST", body, signal });
    for (;;) {
      const state = response.status === 503 ? await jsonOf(response.clone()) : null;
      if (!isState(state)) break;
      if (state.state === "failed") await this.run("start"); // only a user who asks again starts it
      await this._ready(onProgress, signal);
      response = await this._send(route, { method: "POST", body, signal });
    }
    for await (const line of this._lines(await this._checked(response), signal)) {
      const message = JSON.parse(line) as Failed | ProgressLine | Result;
      if ("error" in message) throw new ApiError(message.error, response.status);
      if (!("progress" in message)) return message;
      onProgress(message.progress);
    }
    throw this._lost();
  }

  /** Wait until Label Studio has started. It asks, since a proxy may keep events back. */
  private async _ready(onProgress: OnProgress, signal?: AbortSignal): Promise<void> {
    for (;;) {
      const { state, error, steps, progress } = await this.state(signal);
      if (state === "ready") return;
      if (state === "failed" && error) throw new ApiError(error);
      if (state === "stopped") throw this._stopped();
      const step = steps.find((each) => each.state === "current");
      const { done, total } = progress ?? { done: 0, total: 0 };
      const what = step && stepTitle(step, this._trans);
      onProgress({ done, total, what: what ?? this._trans.__("Starting Label Studio") });
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  private _send(route: string, options: Options): Promise<Response> {
    return this._fetch(URLExt.join(this._settings.baseUrl, "api/labelstudio") + route, options);
  }

  private async _fetch(url: string, { method, body, signal }: Options): Promise<Response> {
    const init: RequestInit = { method: method ?? "GET", signal: signal ?? null };
    if (body !== undefined) init.body = JSON.stringify(body);
    try {
      return await ServerConnection.makeRequest(url, init, this._settings);
    } catch {
      signal?.throwIfAborted();
      throw this._lost();
    }
  }

  private async *_lines(response: Response, signal?: AbortSignal): AsyncGenerator<string> {
    try {
      yield* linesOf(response, signal);
      signal?.throwIfAborted();
    } catch {
      signal?.throwIfAborted();
      throw this._lost();
    }
  }

  /** Return the response; throw an ApiError if it is an error or a login page. */
  private async _checked(response: Response): Promise<Response> {
    const isPage = response.headers.get("Content-Type")?.includes("text/html") ?? false; // the login
    if (response.ok && !isPage) return response;
    throw new ApiError(this._problemOf(response, await jsonOf(response)), response.status);
  }

  private _problemOf({ status }: Response, answer: unknown): Problem {
    const trans = this._trans;
    const problem = problemIn(answer);
    if (problem) return problem;
    if (status === 404) {
      return {
        what: trans.__("This Jupyter server does not have Label Studio."),
        why: trans.__("It did not load the server extension of labelstudio-proxy."),
        remedy: trans.__(
          "Restart Jupyter. If that does not help, `jupyter server extension list` shows why.",
        ),
      };
    }
    if (status < 400 || [401, 403, 424].includes(status)) {
      return {
        what: trans.__("Your Jupyter session ended."),
        why: "",
        remedy: trans.__("Reload the page and log in again."),
      };
    }
    return {
      what: trans.__("Jupyter returned an error."),
      why: messageIn(answer) ?? `HTTP ${String(status)}`,
      remedy: trans.__("Try again. The log of Jupyter has the details."),
    };
  }

  private _lost(): ApiError {
    return new ApiError({
      what: this._trans.__("The connection to Jupyter is lost."),
      why: "",
      remedy: this._trans.__("Check that Jupyter is running, then try again."),
    });
  }

  private _stopped(): ApiError {
    return new ApiError({
      what: this._trans.__("Label Studio was stopped."),
      why: "",
      remedy: this._trans.__("Try again."),
    });
  }
}

/** Return the parts of a problem in one line. */
export function sentence({ what, why, remedy }: Problem): string {
  return [what, why, remedy].filter(Boolean).join(" ");
}

/** Return the problem to show for anything that was thrown. */
export function problemFrom(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  return { what: error instanceof Error ? error.message : String(error), why: "", remedy: "" };
}

/** Yield the lines of a response, as they arrive; stop when the signal aborts. */
export async function* linesOf({ body }: Response, signal?: AbortSignal): AsyncGenerator<string> {
  if (!body) return;
  const reader = body.getReader();
  const cancel = () => {
    reader.cancel().catch(() => undefined); // it may have failed already
  };
  // Node forgets the signal of a request that nothing refers to
  signal?.addEventListener("abort", cancel);
  if (signal?.aborted) cancel();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const parts = (rest + decoder.decode(value, { stream: !done })).split("\n");
      rest = parts.pop() ?? "";
      yield* parts;
      if (done) break;
    }
    if (rest) yield rest;
  } finally {
    signal?.removeEventListener("abort", cancel);
    cancel();
  }
}

async function jsonOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return null; // a page
  }
}

function isState(answer: unknown): answer is State {
  return isRecord(answer) && "state" in answer && "steps" in answer;
}

function problemIn(answer: unknown): Problem | null {
  if (!isRecord(answer)) return null;
  const { what, why, remedy } = isRecord(answer.error) ? answer.error : answer;
  if (typeof what !== "string") return null;
  return { what, why: String(why), remedy: String(remedy) };
}

/** Return the message in an error of Jupyter's own. */
function messageIn(answer: unknown): string | null {
  return isRecord(answer) && typeof answer.message === "string" ? answer.message : null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
