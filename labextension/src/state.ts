import { DisposableDelegate, type IDisposable } from "@lumino/disposable";
import { type ISignal, Signal } from "@lumino/signaling";

import { type Api, ApiError, type Command, problemFrom, type StudioEvent } from "./api.ts";
import type { LogLine, Problem, Project, State, StateWithLog } from "./api-types.ts";

const LOG_LINES = 1000;
const RETRY_MS = { first: 1000, most: 30_000 };
/** A server sends the first event at once, unless a proxy keeps it back. Then the state is asked for. */
const ASK_MS = 5000;
/** How long a command may take until its effect begins. */
const SETTLE_MS = 30_000;

/** The part of `document` that the model needs. */
export type Page = Pick<Document, "hidden" | "addEventListener" | "removeEventListener">;

/**
 * The state of Label Studio, for all parts of the extension.
 *
 * Server-sent events keep it up to date between `follow` and the disposal of its result, while the page is visible.
 * Otherwise it has what `refresh` or the last command returned, and sends no request.
 */
export class StudioModel implements IDisposable {
  private readonly _api: Pick<Api, "state" | "memory" | "run" | "events">;
  private readonly _page: Page;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _timers = new Set<ReturnType<typeof setTimeout>>();
  private _state: State | null = null;
  private _received = 0;
  private _events = 0; // how many events had a state
  private _projects: readonly Project[] | null = null;
  private _log: readonly LogLine[] = [];
  private _memory: number | null = null;
  private _problem: Problem | null = null;
  private _isMissing = false;
  private _followers = 0;
  private _following: AbortController | null = null;
  private _disposed = false;

  constructor(api: Pick<Api, "state" | "memory" | "run" | "events">, page: Page) {
    this._api = api;
    this._page = page;
    page.addEventListener("visibilitychange", this._onVisibility);
  }

  /** Emitted when a property changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Null until the first response. */
  get state(): State | null {
    return this._state;
  }

  /** The time by the server's clock, in seconds. */
  get now(): number {
    return this._state ? this._state.now + (Date.now() - this._received) / 1000 : 0;
  }

  /** The newest project first; null until they are known. */
  get projects(): readonly Project[] | null {
    return this._projects;
  }

  /** The last lines of Label Studio's log. */
  get log(): readonly LogLine[] {
    return this._log;
  }

  /** The memory that Label Studio used at the last measurement, in bytes; null if it is not known. */
  get memory(): number | null {
    return this._memory;
  }

  /** Why the state is unknown or out of date; null if it is up to date. */
  get problem(): Problem | null {
    return this._problem;
  }

  /** Whether Jupyter has not loaded the server extension. */
  get isMissing(): boolean {
    return this._isMissing;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    this._disposed = true;
    this._page.removeEventListener("visibilitychange", this._onVisibility);
    for (const timer of this._timers) clearTimeout(timer);
    this._following?.abort();
    Signal.clearData(this);
  }

  /** Ask for the state once, unless events keep it up to date. */
  async refresh(): Promise<void> {
    if (!this._following) await this._ask();
  }

  private async _ask(): Promise<void> {
    try {
      await this._acceptFrom(this._api.state());
    } catch (error) {
      this._fail(error);
    }
  }

  /** Ask for the memory that Label Studio uses: events do not have it. */
  async measure(): Promise<void> {
    try {
      this._memory = await this._api.memory();
    } catch {
      this._memory = null; // the events say what is wrong
    }
    this._changed.emit();
  }

  /** Run a command, and follow the state until it is complete; throws an ApiError. */
  async run(command: Command): Promise<void> {
    await this._acceptFrom(this._api.run(command));
    this.followUntilSettled();
  }

  /** Keep the model up to date until the result is disposed, while the page is visible. */
  follow(): IDisposable {
    this._followers += 1;
    this._update();
    return new DisposableDelegate(() => {
      this._followers -= 1;
      this._update();
    });
  }

  /** Keep the model up to date until the start or stop that is about to begin is complete. */
  followUntilSettled(): void {
    let moved = isMoving(this._state);
    const following = this.follow();
    const end = () => {
      following.dispose();
      this._changed.disconnect(check);
      clearInterval(timer);
      this._timers.delete(timer);
    };
    const check = () => {
      if (isMoving(this._state)) moved = true;
      else if (moved) end();
    };
    // Not for ever, if the connection is lost
    const timer = setInterval(() => {
      if (this._problem || !isMoving(this._state)) end();
    }, SETTLE_MS);
    this._timers.add(timer);
    this._changed.connect(check);
  }

  private readonly _onVisibility = (): void => {
    this._update();
    // Label Studio may have started in another tab of the browser
    if (!this._page.hidden && this._state) void this.refresh();
  };

  private _update(): void {
    const wanted = this._followers > 0 && !this._page.hidden && !this._disposed;
    if (wanted && !this._following) {
      this._following = new AbortController();
      void this._receive(this._following.signal);
    } else if (!wanted && this._following) {
      this._following.abort();
      this._following = null;
    }
  }

  private async _receive(signal: AbortSignal): Promise<void> {
    const isOver = () => signal.aborted;
    let wait = RETRY_MS.first;
    while (!isOver()) {
      const asking = setInterval(() => void this._ask(), ASK_MS);
      this._timers.add(asking);
      try {
        for await (const event of this._api.events(signal)) {
          if (isOver()) return;
          wait = RETRY_MS.first;
          clearInterval(asking);
          this._handle(event);
        }
      } catch (error) {
        if (isOver()) return;
        this._fail(error);
      } finally {
        clearInterval(asking);
        this._timers.delete(asking);
      }
      await this._pause(wait, signal);
      wait = Math.min(2 * wait, RETRY_MS.most);
    }
  }

  private _pause(wait: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      this._timers.add(timer);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  private _handle(event: StudioEvent): void {
    if (event.name === "state") {
      this._events += 1;
      this._accept(event.data);
      return;
    }
    if (event.name === "projects") this._projects = event.data.projects;
    else this._addLog(event.data);
    this._changed.emit();
  }

  /** Accept a response, but not its state if an event has come since the request: that may be newer. */
  private async _acceptFrom(response: Promise<StateWithLog>): Promise<void> {
    const before = this._events;
    const { log, ...state } = await response;
    this._addLog(log);
    if (this._events === before) this._accept(state);
    else this._changed.emit();
  }

  private _accept(state: State): void {
    if (state.state !== "ready") this._memory = null;
    this._state = state;
    this._received = Date.now();
    this._problem = null;
    this._isMissing = false;
    this._changed.emit();
  }

  /** After a pause, the server repeats lines. The numbers of another gateway begin at 1. */
  private _addLog(lines: readonly LogLine[]): void {
    const [first, last] = [lines[0]?.[0] ?? 0, this._log.at(-1)?.[0] ?? 0];
    const before = first > last ? this._log : this._log.filter(([number]) => number < first);
    const isOther = (lines.at(-1)?.[0] ?? last) < last;
    this._log = [...(isOther ? [] : before), ...lines].slice(-LOG_LINES);
  }

  private _fail(error: unknown): void {
    this._problem = problemFrom(error);
    this._isMissing = error instanceof ApiError && error.status === 404;
    this._changed.emit();
  }
}

/** Return true during a start or a stop, and before an automatic restart. */
export function isMoving(state: State | null): boolean {
  if (!state) return false;
  return !["stopped", "ready", "failed"].includes(state.state) || state.next_start !== null;
}

/** Return true if there is something to stop. */
export function isRunning(state: State | null): boolean {
  return state?.state === "ready" || (isMoving(state) && state?.state !== "stopping");
}
