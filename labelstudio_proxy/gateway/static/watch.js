/*
 * Shows over a page of Label Studio why it does not work now, and offers the next step.
 *
 * - The page stays as it is. What it wants to save meanwhile is sent as soon as Label Studio works again.
 * - The page asks the gateway for the state: every few seconds while a user is there, when the user returns, and when a
 *   request fails.
 * - Label Studio does not respond: a request has waited for 20 s, and the gateway gets no response either.
 * - Only with `idle_timeout`: warns before Label Studio stops, and reports to the gateway that the user is active.
 *
 * Its element has `data-prefix`.
 */
(() => {
  "use strict";

  const script = document.currentScript;
  const done = Symbol.for("labelstudio-proxy.watch");
  if (!script?.dataset.prefix || window[done]) return;
  const settings = {
    patience: 20000, // ms that a request may wait before the gateway is asked whether Label Studio responds
    beat: 5000, // ms between questions for the state
    rest: 15 * 60 * 1000, // ms without input, after which an open page asks nothing: it would keep a hub's server running
    grace: 2000, // ms for Label Studio to save an annotation whose response was lost
  };
  Object.defineProperty(window, done, { value: settings });
  const { prefix } = script.dataset;

  const INPUT = ["pointerdown", "pointermove", "keydown", "wheel", "touchmove"];
  const WARN = 60; // s before the stop, at most, that the page warns
  const REPORT = 60; // s between reports of activity, at least
  const PART = 4; // both are at most the time-out divided by this
  const WATCH = 500; // ms between questions while Label Studio starts, stops or does not respond
  const LIMIT = 15000; // ms for an answer of the gateway
  const LEAVING = 2000; // ms in which a browser cancels the requests of a page that it leaves

  let timeout = 0; // s, the gateway's
  let seen = Date.now(); // when the user was last active
  let reported = 0; // when activity was last reported
  let left = 0; // when the browser last began to leave the page
  let asking = null; // the question under way
  let timer = 0; // of the next question
  let resting = false; // there is none
  let stops = 0; // when Label Studio stops, if that is soon
  let ticking = 0;
  const fetch = window.fetch.bind(window); // before it is replaced, below

  const share = (most) => Math.min(most, timeout / PART);
  const isHtml = ({ headers }) => /html/.test(headers.get("Content-Type"));

  // ---- The question

  // Jupyter redirects to a login only what asks for a page, too; and JupyterHub answers the others with JSON.
  const headers = { Accept: "application/json, text/html;q=0.9" };

  /** Returns what the gateway answers, or an object whose `state` says why it cannot. */
  async function call(path, method = "GET") {
    const request = (redirect) =>
      fetch(`${prefix}_proxy/${path}`, { method, headers, redirect, cache: "no-store", signal: AbortSignal.timeout(LIMIT) });
    const isQuestion = method === "GET";
    try {
      // Followed, since a hub renews a login that expired by redirects if it can
      return await read(await request(isQuestion ? "follow" : "manual"));
    } catch ({ name }) {
      // No connection, or a redirect to a login on another host
      const { type } = isQuestion && name !== "TimeoutError" ? await request("manual").catch(() => ({})) : {};
      return { state: type === "opaqueredirect" ? "ended" : "lost" };
    }
  }

  async function read(response) {
    const { ok, status, type, headers } = response;
    const isJson = /json/.test(headers.get("Content-Type"));
    if (ok && isJson) return response.json();
    // JupyterHub's response for a server that is not running
    if (status === 424 || (status === 503 && headers.has("X-JupyterHub-Version"))) return { state: "off" };
    const { detail } = isJson ? await response.json() : {};
    if (detail) return { state: "refused", detail };
    const isLogin = ok || type === "opaqueredirect" || status === 401 || status === 403;
    return { state: isLogin ? "ended" : "lost", status };
  }

  function ask() {
    clearTimeout(timer);
    asking ??= (async () => {
      const found = await call("activity");
      if (asking !== mine) return; // from before a command
      asking = null;
      accept(found);
    })();
    const mine = asking;
    return mine;
  }

  function later(ms) {
    clearTimeout(timer);
    resting = ms === Infinity;
    if (!resting) timer = setTimeout(ask, Math.min(ms, 2 ** 31 - 1));
  }

  // A tab of JupyterLab that is behind others hides this frame
  const isShown = () => !document.hidden && window.frameElement?.checkVisibility?.() !== false;
  const isAway = () => Date.now() - seen >= settings.rest;
  const isPresent = () => isShown() && !isAway();

  function accept(found) {
    const { state, stop_in: stopIn = null } = found;
    if (state === "lost" && Date.now() - left < LEAVING) return later(LEAVING);
    timeout = found.timeout ?? timeout;
    const beat = isPresent() ? settings.beat : Infinity;
    if (state !== "ready") {
      unresponsive = false;
      const moving = !["stopped", "failed", "ended", "off", "lost", "refused"].includes(state);
      show(cardFor(found));
      return later(moving ? WATCH : beat);
    }
    if (unresponsive) return later(beat);
    if (card.open) card.close();
    const soon = share(WARN);
    stops = stopIn !== null && stopIn <= soon ? Date.now() + 1000 * stopIn : 0;
    tick();
    const idle = stopIn === null ? Infinity : 1000 * (stops ? Math.min(stopIn + 0.5, 5) : stopIn - soon);
    later(Math.min(idle, beat));
  }

  // ---- Activity

  const held = []; // what sends the requests that wait until the user returns

  function arrive() {
    seen = Date.now();
    held.splice(0).forEach((send) => send());
  }

  function notice({ isTrusted }) {
    if (!isTrusted) return;
    const returns = resting || !isPresent();
    arrive();
    if (returns) ask();
    if (!timeout || card.open || (!stops && seen - reported < 1000 * share(REPORT))) return;
    reported = seen;
    stops = 0;
    tick();
    call("activity", "POST").then(ask);
  }

  // ---- The warning and the card: outside of Label Studio's styles and its part of the page

  const make = (tag, text = "", ...children) => {
    const element = Object.assign(document.createElement(tag), { textContent: text });
    element.append(...children);
    return element;
  };
  const root = document.createElement("labelstudio-proxy-idle");
  const shadow = root.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host { all: initial; color-scheme: var(--labelstudio-proxy-scheme, light dark); --text: light-dark(#1f2328, #e6edf3); }
    #note, dialog { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: light-dark(#fff, #22272e);
      border: 1px solid light-dark(#d0d7de, #444c56); border-radius: 8px; box-shadow: 0 8px 32px #0004; padding: 16px 20px; }
    #note { position: fixed; inset: auto 24px 24px auto; z-index: 2147483647; width: 24em;
      max-width: calc(100vw - 48px); box-sizing: border-box; }
    #note[hidden] { display: none; }
    dialog { max-width: 28em; padding: 24px; outline: 0; }
    dialog::backdrop { background: light-dark(#fffa, #000a); }
    h1 { font-size: 18px; margin: 0 0 8px; }
    p { margin: 0; white-space: pre-line; overflow-wrap: anywhere; }
    code { font: 0.9em ui-monospace, monospace; }
    button { font: inherit; font-weight: 600; color: #fff; background: #b4441f; border: 0; border-radius: 6px;
      margin-top: 16px; padding: 6px 14px; cursor: pointer; white-space: nowrap; }
    button:focus-visible { outline: 2px solid var(--text); outline-offset: 2px; }
    button[hidden] { display: none; }
  `);
  shadow.adoptedStyleSheets = [sheet];

  const note = Object.assign(make("div"), { id: "note", hidden: true, role: "status" });

  const heading = make("h1");
  const sentence = make("p");
  const button = make("button");
  const card = make("dialog", "", heading, sentence, button);
  let shown = ""; // a screen reader would repeat it
  let act = null; // what the button does
  let anywhere = false; // a click anywhere does it, too
  card.addEventListener("cancel", (event) => event.preventDefault());
  card.addEventListener("click", ({ isTrusted, target }) => {
    if (isTrusted && act && (anywhere || target === button)) act();
  });
  // No keyboard shortcut of Label Studio may change what cannot be saved now.
  for (const type of ["keydown", "keypress", "keyup"]) {
    addEventListener(type, (event) => card.open && event.stopImmediatePropagation(), true);
  }
  shadow.append(note, card);

  function tick() {
    clearTimeout(ticking);
    note.hidden = !stops || card.open;
    if (note.hidden) return;
    const seconds = Math.max(0, Math.ceil((stops - Date.now()) / 1000));
    const warning = `Still there? Label Studio stops in ${seconds} s.`;
    note.textContent = `${warning} Move the mouse or press a key to keep it running.`;
    ticking = setTimeout(tick, 1000);
  }

  function show([title, text, label = "", action = null]) {
    if (!root.isConnected) document.documentElement.append(root);
    const parts = `${text} This page stays as you left it.`.trim().split(/`([^`\n]+)`/); // every second one is code
    if (shown !== (shown = [title, text, label].join("\n"))) {
      heading.textContent = title;
      sentence.replaceChildren(...parts.map((part, index) => (index % 2 ? make("code", part) : part)));
      button.hidden = !label;
      button.textContent = label;
    }
    act = action;
    anywhere = label === "Continue";
    stops = 0;
    tick();
    if (card.open) return;
    tried.clear();
    card.showModal();
  }

  // ---- What the card says

  const STARTING = ["Starting Label Studio…", ""];
  const start = () => command("start");
  const openTab = () => window.open(prefix, "_blank");

  /** Returns the title, the text, the button and what it does. */
  function cardFor({ state, backend, ready_after: ran, holder, error, detail, status, ...more }) {
    if (state === "stopped" && !error) {
      if (more.stopped_because) return ["Label Studio was stopped", "Nobody was using it.", "Continue", start];
      // A gateway that never started Label Studio is a new one
      if (!backend) return ["Label Studio is not running", "The server restarted.", "Start", start];
      return ["Label Studio was stopped", "A user or a program stopped it.", "Start", start];
    }
    if (error) {
      if (more.next_start) return ["Label Studio crashed", "It restarts automatically within a minute.", "Restart now", start];
      const takeOver = () => command("take-over");
      if (holder?.action) return ["Label Studio runs elsewhere", error.what, holder.action, takeOver];
      const title = ran === null ? "Label Studio could not be started" : "Label Studio stopped working";
      const again = /try again/i.test(error.remedy) ? "Try again" : ""; // else only a restart of Jupyter helps
      return [title, `${error.what} ${error.why}\n${error.remedy}\n`, again, start];
    }
    if (state === "ended") return ["You are logged out", "Log in again in a new tab, then return.", "Log in again", openTab];
    if (state === "off") {
      return ["Your Jupyter server is not running", "Start it in a new tab, then return.", "Start the server", openTab];
    }
    if (state === "refused") return ["The server refused the request", detail, "Try again", ask];
    if (state === "lost") {
      const why = status ? `The server responded with the error ${status}.` : "There is no connection to the Jupyter server.";
      return ["Label Studio cannot be reached", `${why} The page tries again every few seconds.`, "Try now", ask];
    }
    return state === "stopping" ? ["Stopping Label Studio…", ""] : STARTING;
  }

  async function command(name) {
    unresponsive = false;
    asking = null;
    arrive();
    reported = seen;
    show(STARTING);
    const found = await call(name, "POST");
    if (found.state === "refused") accept(found);
    else ask();
  }

  // ---- The requests of the page

  const refusal = () => {
    const init = { status: 503, headers: { "Content-Type": "application/json" } };
    return new Response('{"detail": "Label Studio cannot be reached."}', init);
  };
  const closed = () => new Promise((resolve) => card.addEventListener("close", resolve, { once: true }));

  /** Returns the URL if it is one of this origin, null for others. */
  function ours(address) {
    try {
      const url = new URL(address, document.baseURI);
      return url.origin === location.origin && /^http/.test(url.protocol) ? url : null;
    } catch {
      return null;
    }
  }

  /** Waits until Label Studio works; returns whether it did not. */
  async function recovery() {
    await (asking ? asking.then(ask) : ask()); // an answer that is on its way may be from before
    const wasAway = card.open;
    while (card.open) await closed();
    return wasAway;
  }

  /** Returns the response to a new annotation whose own response was lost; null if Label Studio does not have it. */
  async function saved(url, body) {
    await new Promise((resolve) => setTimeout(resolve, settings.grace));
    const sent = JSON.parse(body);
    if (!sent.lead_time) throw new Error("it cannot be told from others");
    const known = await (await fetch(url)).json();
    // The time that the user spent on it, in milliseconds, is no other annotation's
    const found = known.find((each) => each.lead_time === sent.lead_time && each.result.length === sent.result.length);
    return found ? Response.json(found, { status: 201 }) : null;
  }

  /**
   * Sends a request as `fetch` does. While the card is open, every request waits; while the user is away, reads do.
   *
   * Gives a response 503 instead of none: many callers in Label Studio never end after an error, and then *Submit* waits
   * for them for ever.
   *
   * A request that failed is sent once more if Label Studio has not received it, or if it may receive it twice. For a
   * new annotation, Label Studio is asked first whether it has it.
   */
  async function reach(input, init, url) {
    const method = (init?.method ?? input.method ?? "GET").toUpperCase();
    const path = url.pathname.replace(prefix, "/");
    const mayRepeat = method !== "POST" || /\/drafts\/?$/.test(path);
    // Not a skipped one, which is not in the list
    const isAnnotation = method === "POST" && /\/annotations\/?$/.test(path) && !url.searchParams.has("was_cancelled");
    // The data manager asks every 20 s, for ever
    if (method === "GET" && isAway()) await new Promise((resolve) => held.push(resolve));
    for (let again = false; ; again = true) {
      while (card.open) await closed();
      let response = null;
      try {
        response = await watched(fetch(input instanceof Request ? input.clone() : input, init));
        const { headers } = response;
        const isData = /json/.test(headers.get("Content-Type")) && !headers.has("Content-Disposition");
        if (isData) await response.clone().arrayBuffer(); // the connection may end before the response does
      } catch (error) {
        if ((init?.signal ?? input.signal)?.aborted) throw error;
        response = null;
      }
      // A login page
      const leads = response?.redirected && !new URL(response.url).pathname.startsWith(prefix);
      const isLogin = response?.ok && isHtml(response) && (leads || path.startsWith("/api/"));
      const isUnsent = isLogin || [401, 403, 424, 503].includes(response?.status);
      if (response && !isUnsent && response.status !== 502 && response.status !== 504) return response;
      const works = recovery();
      const isLost = !isUnsent && !mayRepeat;
      if (again || (isLost && !isAnnotation)) return isLogin || !response ? refusal() : response;
      await works;
      if (isLost) {
        const found = await saved(url, init.body).catch(() => response ?? refusal());
        if (found) return found;
      }
    }
  }

  window.fetch = (...request) => {
    const [input, init] = request;
    const url = ours(input.url ?? input);
    return url ? reach(input, init, url) : fetch(...request);
  };

  // ---- Files that Label Studio does not load with `fetch`: it never tries again after an error, so the page gets only
  // the error of the second attempt, which is made when Label Studio works.

  window.XMLHttpRequest = class extends XMLHttpRequest {
    #request = []; // the arguments of `open`
    #mayRepeat = false;

    constructor() {
      super();
      // Before any listener of the page
      for (const type of ["readystatechange", "load", "error", "loadend"]) this.addEventListener(type, this.#hide);
      for (const type of ["abort", "timeout"]) this.addEventListener(type, () => (this.#mayRepeat = false));
    }

    open(...request) {
      this.#request = request;
      super.open(...request);
    }

    send(...body) {
      const [method, url] = this.#request;
      this.#mayRepeat = /^(?:arraybuffer|blob)$/.test(this.responseType) && /^get$/i.test(method) && ours(url);
      if (this.#mayRepeat && card.open) recovery().then(() => super.send());
      else super.send(...body);
    }

    /** Hides the first failure from the page. */
    #hide(event) {
      if (!this.#mayRepeat || this.readyState !== XMLHttpRequest.DONE || !hasFailed(this)) return;
      event.stopImmediatePropagation();
      if (event.type !== "loadend") return;
      this.#mayRepeat = false;
      recovery().then(() => {
        if (this.readyState !== XMLHttpRequest.DONE) return; // cancelled meanwhile
        super.open(...this.#request);
        super.send();
      });
    }
  };

  function hasFailed({ status, responseURL }) {
    const url = ours(responseURL || location);
    const isLogin = url && !url.pathname.startsWith(prefix);
    return isLogin || [0, 401, 403, 424, 502, 503, 504].includes(status);
  }

  const tried = new Set(); // the files that were loaded again since the card was last shown

  const isBroken = ({ localName, src, complete, naturalWidth, error, networkState }) =>
    localName === "img" ? src && complete && !naturalWidth : error || networkState === HTMLMediaElement.NETWORK_NO_SOURCE;

  function load(element) {
    if (!isBroken(element)) return;
    const { localName, src, currentTime } = element;
    if (localName === "img") return (element.src = src);
    element.load();
    element.currentTime = currentTime;
  }

  addEventListener(
    "error",
    (event) => {
      const { target } = event;
      const element = target.localName === "source" ? target.parentElement : target;
      if (!/^(?:img|audio|video)$/.test(element?.localName) || !target.src || !ours(target.src)) return;
      if (tried.has(target.src)) return;
      tried.add(target.src);
      event.stopImmediatePropagation();
      recovery().then(() => load(element));
    },
    true,
  );

  const loadAll = (inner) => inner?.querySelectorAll("img, audio, video").forEach(load);

  // What failed again, and the pictures in the frames of texts, whose errors do not reach this window
  card.addEventListener("close", () => {
    loadAll(document);
    document.querySelectorAll("iframe").forEach((frame) => loadAll(frame.contentDocument));
  });
  document.addEventListener(
    "load",
    ({ target }) => {
      if (target.localName === "iframe") loadAll(target.contentDocument);
      // A PDF, of which a script cannot know whether it is shown
      if (target.localName === "embed") recovery().then((wasAway) => wasAway && (target.src = target.src));
    },
    true,
  );

  // ---- Label Studio does not respond

  let unresponsive = false; // and the card says so
  let examining = false;

  function watched(response) {
    const waiting = setInterval(() => card.open || examine(), settings.patience);
    const over = () => clearInterval(waiting);
    response.then(over, over);
    return response;
  }

  /** Shows the card if Label Studio does not respond to the gateway, and closes it when it does. */
  async function examine() {
    if (examining || card.open !== unresponsive) return;
    examining = true;
    const { responds } = await call("responds");
    examining = false;
    if (card.open !== unresponsive) return; // Restart was clicked meanwhile
    unresponsive = responds === false;
    if (!unresponsive) return ask();
    show(["Label Studio does not respond.", "", "Restart", () => command("restart")]);
    setTimeout(examine, WATCH);
  }

  // ---- A local file cannot be shown; Label Studio's own message blames CORS

  const files = `${prefix}data/local-files/`;
  const explained = new Set();
  const why = make("p");
  const close = make("button", "Close");
  const missing = make("dialog", "", make("h1", "A file cannot be shown"), why, close);
  Object.assign(missing.style, { position: "fixed", inset: "auto auto 24px 24px", margin: "0", zIndex: 2147483647 });
  close.addEventListener("click", () => (missing.open = false));
  shadow.append(missing);
  let explaining = false;

  /** Shows the gateway's reason, once for each. */
  async function explain(url) {
    if (explaining || missing.open) return;
    explaining = true;
    const response = await fetch(url, { cache: "no-store" }).catch(() => null);
    const { detail } = (response && !response.ok && (await response.json().catch(() => null))) || {};
    explaining = false;
    if (!detail || explained.has(detail)) return;
    explained.add(detail);
    why.textContent = detail;
    if (!root.isConnected) document.documentElement.append(root);
    missing.open = true; // unlike show(), leaves the focus where it is
  }

  new PerformanceObserver((list) => {
    for (const { name, responseStatus } of list.getEntries()) {
      if (responseStatus >= 400 && new URL(name).pathname === files) explain(name);
    }
  }).observe({ type: "resource", buffered: true });

  // ---- The page

  const listening = { capture: true, passive: true };
  const listen = (target) => INPUT.forEach((type) => target.addEventListener(type, notice, listening));

  // Events in a frame, such as of a text that is labelled, do not reach this window. Listening twice is listening once.
  function enter({ target }) {
    const inner = target.localName === "iframe" && target.contentDocument; // null: of another origin
    if (inner) listen(inner);
  }

  function begin() {
    document.documentElement.append(root);
    listen(window);
    addEventListener("pointerover", enter, listening);
    addEventListener("beforeunload", () => (left = Date.now()));
    // Back from another tab, or from sleep
    const back = () => {
      if (document.hidden) return;
      arrive();
      ask();
    };
    for (const type of ["focus", "online", "offline", "visibilitychange"]) addEventListener(type, back);
    reported = Date.now(); // the gateway counted the request of this page
    ask();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
