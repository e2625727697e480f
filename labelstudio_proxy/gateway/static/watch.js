/*
 * Shows in a page of Label Studio why it does not work now, and offers the next step. The page stays as it is.
 *
 * - Label Studio does not respond: a request has waited for 20 s, and the gateway gets no response either.
 * - Label Studio stops because nobody uses it (only with `idle_timeout`): warns before, and starts it at the next click.
 *   Reports to the gateway that the user is active in the page.
 *
 *   <script src="<prefix>_proxy/static/watch.js" data-prefix="<prefix>"></script>
 */
(() => {
  "use strict";

  const script = document.currentScript;
  const done = Symbol.for("labelstudio-proxy.watch");
  if (!script?.dataset.prefix || window[done]) return;
  const settings = { patience: 20000 }; // ms that a request may wait before the gateway is asked
  Object.defineProperty(window, done, { value: settings });
  const { prefix } = script.dataset;

  const INPUT = ["pointerdown", "pointermove", "keydown", "wheel", "touchmove"];
  const WARN = 60; // s before the stop, at most, that the page warns
  const REPORT = 60; // s between reports of activity, at least
  const PART = 4; // both are at most the time-out divided by this
  const RETRY = 10000; // ms between requests while Jupyter cannot be reached
  const WATCH = 500; // ms between requests while Label Studio starts or stops

  let timeout = 0; // s, the gateway's
  let reported = 0; // when activity was last reported
  let timer = 0;
  let stops = 0; // when Label Studio stops, if that is soon
  let ticking = 0;
  const fetch = window.fetch.bind(window); // before Label Studio replaces it

  const share = (most) => Math.min(most, timeout / PART);
  const later = (ms) => {
    clearTimeout(timer);
    timer = setTimeout(ask, Math.min(ms, 2 ** 31 - 1));
  };

  async function send(path, method) {
    try {
      const response = await fetch(`${prefix}_proxy/${path}`, { method, redirect: "manual", cache: "no-store" });
      // A redirect to a login page, a refusal, or JupyterHub's response for a stopped server (424)
      if (response.type === "opaqueredirect" || [401, 403, 424].includes(response.status)) return { state: "ended" };
      return response.ok ? await response.json() : null;
    } catch {
      return null; // Jupyter cannot be reached now
    }
  }

  const ask = async () => accept(await send("activity", "GET"));

  function accept(found) {
    if (!found) return later(RETRY);
    timeout = found.timeout ?? timeout;
    const { state, stop_in: stopIn } = found;
    if (state !== "ready") return showStopped(state);
    if (unresponsive) return;
    if (card.open) card.close();
    if (stopIn === null) return clearTimeout(timer); // there is no idle stop now
    const soon = share(WARN);
    stops = stopIn <= soon ? Date.now() + 1000 * stopIn : 0;
    tick();
    later(1000 * (stops ? Math.min(stopIn + 0.5, 5) : stopIn - soon));
  }

  // ---- Activity

  function report({ isTrusted }) {
    if (!isTrusted || !timeout || card.open) return;
    if (!stops && Date.now() - reported < 1000 * share(REPORT)) return;
    reported = Date.now();
    stops = 0;
    tick();
    send("activity", "POST").then(accept);
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
    :host { all: initial; }
    #note, dialog { font: 15px/1.5 system-ui, sans-serif; color: #1f2328; background: #fff; border: 1px solid #d0d7de;
      border-radius: 8px; box-shadow: 0 8px 32px #0004; padding: 16px 20px; }
    #note { position: fixed; inset: auto 24px 24px auto; z-index: 2147483647; width: 24em;
      max-width: calc(100vw - 48px); box-sizing: border-box; }
    #note[hidden] { display: none; }
    dialog { max-width: 26em; padding: 24px; }
    dialog::backdrop { background: #fffa; }
    h1 { font-size: 18px; margin: 0 0 8px; }
    p { margin: 0 0 16px; overflow-wrap: anywhere; }
    button { font: inherit; font-weight: 600; color: #fff; background: #b4441f; border: 0; border-radius: 6px;
      padding: 6px 14px; cursor: pointer; white-space: nowrap; }
    button:focus-visible { outline: 2px solid #1f2328; outline-offset: 2px; }
    button[hidden] { display: none; }
    @media (prefers-color-scheme: dark) {
      #note, dialog { color: #e6edf3; background: #22272e; border-color: #444c56; }
      dialog::backdrop { background: #000a; }
      button:focus-visible { outline-color: #e6edf3; }
    }
  `);
  shadow.adoptedStyleSheets = [sheet];

  const note = Object.assign(make("div"), { id: "note", hidden: true, role: "status" });

  const heading = make("h1");
  const sentence = make("p");
  const button = make("button", "Continue");
  const card = make("dialog", "", heading, sentence, button);
  card.addEventListener("cancel", (event) => event.preventDefault());
  card.addEventListener("click", (event) => event.isTrusted && !button.hidden && resume());
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

  function showCard(title, what, label) {
    if (!root.isConnected) document.documentElement.append(root);
    heading.textContent = title;
    sentence.textContent = what;
    button.hidden = !label;
    button.textContent = label || "";
    stops = 0;
    tick();
    if (!card.open) card.showModal();
  }

  // The polls of Label Studio's scripts would fill Jupyter's log meanwhile.
  window.fetch = (...request) => {
    if (!card.open) return watched(fetch(...request));
    const init = { status: 503, headers: { "Content-Type": "application/json" } };
    return Promise.resolve(new Response('{"detail": "Label Studio is not running."}', init));
  };

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
    const found = await send("responds", "GET");
    examining = false;
    if (card.open !== unresponsive) return; // Restart was clicked meanwhile
    unresponsive = found?.responds === false;
    if (unresponsive) {
      showCard("Label Studio does not respond.", "This page stays as you left it.", "Restart");
      setTimeout(examine, WATCH);
    } else if (card.open) ask();
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
  let asking = false;

  /** Shows the gateway's reason, once for each. */
  async function explain(url) {
    if (asking || missing.open) return;
    asking = true;
    const response = await fetch(url, { cache: "no-store" }).catch(() => null);
    const { detail } = (response && !response.ok && (await response.json().catch(() => null))) || {};
    asking = false;
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

  // ---- Label Studio does not run

  let reload = false; // what the button does

  function showStopped(state) {
    clearTimeout(timer);
    reload = state === "failed" || state === "ended";
    const kept = "This page stays as you left it.";
    if (state === "stopped") showCard("Label Studio was stopped", `Nobody was using it. ${kept}`, "Continue");
    else if (state === "failed") showCard("Label Studio is not running", "The start page shows the reason.", "Show reason");
    else if (state === "ended") showCard("Your Jupyter session ended", "Reload to log in.", "Reload");
    else {
      showCard(state === "stopping" ? "Stopping Label Studio…" : "Starting Label Studio…", kept, "");
      later(WATCH);
    }
  }

  async function resume() {
    if (reload) return location.reload();
    const command = unresponsive ? "restart" : "start";
    unresponsive = false;
    showCard("Starting Label Studio…", "This takes a few seconds.", "");
    reported = Date.now();
    await send(command, "POST");
    ask();
  }

  const listening = { capture: true, passive: true };
  const listen = (target) => INPUT.forEach((type) => target.addEventListener(type, report, listening));

  // Events in a frame, such as of a text that is labelled, do not reach this window. Listening twice is listening once.
  function enter({ target }) {
    const inner = target.localName === "iframe" && target.contentDocument; // null: of another origin
    if (inner) listen(inner);
  }

  function begin() {
    document.documentElement.append(root);
    listen(window);
    addEventListener("pointerover", enter, listening);
    // Back from another tab, or from sleep
    const back = () => document.hidden || !timeout || ask();
    for (const type of ["focus", "online", "visibilitychange"]) addEventListener(type, back);
    reported = Date.now(); // the gateway counted the request of this page
    ask();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
