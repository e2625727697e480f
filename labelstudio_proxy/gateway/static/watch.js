/*
 * Shows over a page of Label Studio what keeps it from working, and offers the next step. The page stays as it is.
 *
 * - Label Studio does not respond: a request has waited for 20 s, and the gateway gets no response either.
 * - Label Studio stops because nobody uses it (only with `idle_timeout`): warns before, and starts it at the next click.
 *   What the user does in the page is reported to the gateway as use.
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
  const SOON = 60; // s before the stop, at most, that it is announced
  const TELL = 60; // s between reports, at most
  const SHORT = 4; // both are at most this part of the time-out
  const RETRY = 10000; // ms between requests while Jupyter cannot be reached
  const WATCH = 500; // ms between requests while Label Studio starts or stops

  let timeout = 0; // s, the gateway's
  let told = 0; // when somebody's doing was last reported
  let timer = 0;
  let ends = 0; // when Label Studio is stopped, if it is soon
  let ticking = 0;
  const fetch = window.fetch.bind(window); // before Label Studio puts its own in its place

  const share = (most) => Math.min(most, timeout / SHORT);
  const later = (ms) => {
    clearTimeout(timer);
    timer = setTimeout(ask, Math.min(ms, 2 ** 31 - 1));
  };

  async function send(path, method) {
    try {
      const response = await fetch(`${prefix}_proxy/${path}`, { method, redirect: "manual", cache: "no-store" });
      // JupyterHub's answer for a server that it has stopped; a way to a login
      if (response.type === "opaqueredirect" || [401, 403, 424].includes(response.status)) return { state: "ended" };
      return response.ok ? await response.json() : null;
    } catch {
      return null; // Jupyter cannot be reached, for now
    }
  }

  const ask = async () => accept(await send("activity", "GET"));

  function accept(answer) {
    if (!answer) return later(RETRY);
    timeout = answer.timeout ?? timeout;
    const { state, stop_in: stopIn } = answer;
    if (state !== "ready") return away(state);
    if (unresponsive) return;
    if (card.open) card.close();
    if (stopIn === null) return clearTimeout(timer); // it is never stopped any more
    const soon = share(SOON);
    ends = stopIn <= soon ? Date.now() + 1000 * stopIn : 0;
    tick();
    later(1000 * (ends ? Math.min(stopIn + 0.5, 5) : stopIn - soon));
  }

  // ---- Somebody does something

  function noticed({ isTrusted }) {
    if (!isTrusted || !timeout || card.open) return;
    if (!ends && Date.now() - told < 1000 * share(TELL)) return;
    told = Date.now();
    ends = 0;
    tick();
    send("activity", "POST").then(accept);
  }

  // ---- What is shown: outside of Label Studio's styles, and of what it does with the page

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
    p { margin: 0 0 16px; }
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
  // Label Studio's keyboard shortcuts must not reach what cannot be saved now.
  for (const type of ["keydown", "keypress", "keyup"]) {
    addEventListener(type, (event) => card.open && event.stopImmediatePropagation(), true);
  }
  shadow.append(note, card);

  function tick() {
    clearTimeout(ticking);
    note.hidden = !ends || card.open;
    if (note.hidden) return;
    const seconds = Math.max(0, Math.ceil((ends - Date.now()) / 1000));
    const stops = `Still there? Label Studio stops in ${seconds} s, since nobody seems to use it.`;
    note.textContent = `${stops} Move the mouse or press a key to keep it running.`;
    ticking = setTimeout(tick, 1000);
  }

  function tell(title, what, label) {
    if (!root.isConnected) document.documentElement.append(root);
    heading.textContent = title;
    sentence.textContent = what;
    button.hidden = !label;
    button.textContent = label || "";
    ends = 0;
    tick();
    if (!card.open) card.showModal();
  }

  // What Label Studio's scripts ask for meanwhile, again and again, is not worth a line in Jupyter's log each.
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

  /** Shows the card if Label Studio responds to nobody, and closes it when it responds again. */
  async function examine() {
    if (examining || card.open !== unresponsive) return;
    examining = true;
    const answer = await send("responds", "GET");
    examining = false;
    if (card.open !== unresponsive) return; // Restart was clicked meanwhile
    unresponsive = answer?.responds === false;
    if (unresponsive) {
      tell("Label Studio does not respond.", "What you see stays as you left it.", "Restart");
      setTimeout(examine, WATCH);
    } else if (card.open) ask();
  }

  // ---- Label Studio does not run

  let reload = false; // what the button does

  function away(state) {
    clearTimeout(timer);
    reload = state === "failed" || state === "ended";
    const kept = "What you see is still as you left it, and goes on from here.";
    if (state === "stopped") tell("Label Studio was stopped", `Nobody was using it. ${kept}`, "Continue");
    else if (state === "failed") tell("Label Studio does not run", "The page that tells why opens here.", "Show it");
    else if (state === "ended") tell("Your Jupyter session has ended", "Reload the page to log in.", "Reload");
    else {
      tell(state === "stopping" ? "Stopping Label Studio…" : "Starting Label Studio…", kept, "");
      later(WATCH);
    }
  }

  async function resume() {
    if (reload) return location.reload();
    const command = unresponsive ? "restart" : "start";
    unresponsive = false;
    tell("Starting Label Studio…", "This takes a few seconds.", "");
    told = Date.now();
    await send(command, "POST");
    ask();
  }

  const listening = { capture: true, passive: true };
  const listen = (target) => INPUT.forEach((type) => target.addEventListener(type, noticed, listening));

  // What is done in a frame, such as a text that is labelled, does not reach this window. The same twice is once.
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
    told = Date.now(); // the page itself was somebody's request
    ask();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
