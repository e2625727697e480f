// Keeps the start page up to date with server-sent events, or by polling where a proxy buffers those, and opens Label
// Studio when it is ready. start.css says which part of the page is visible in which state.
"use strict";

(() => {
  const FAST = 1000; // ms between polls where there are no events
  const SLOW = 5000; // ms without an event, or at rest, before a poll
  const REST = 15 * 60 * 1000; // ms of polling at rest; then only when the user returns to the tab
  const LOG_LINES = 1000;
  const RELOADS = { most: 2, within: 30000 }; // ms; after so many, the user must click

  const $ = (id) => document.getElementById(id);
  const make = (tag, textContent) => Object.assign(document.createElement(tag), { textContent });
  const main = $("main");
  const { prefix, words, stepWords, snapshot: first } = JSON.parse($("data").textContent) || {};

  let [snapshot, received] = [null, 0]; // the latest one, and the time it arrived
  let stream = null; // the EventSource in use
  let proven = false; // an event has arrived since it connected
  let streams = true; // events arrive at all
  let failures = 0; // requests in a row without a response
  let turn = 0; // a response of an earlier turn is ignored
  let timer = 0; // of the next poll
  let restingSince = 0;
  let lastLine = 0; // number of the last one in the log
  let following = true; // the log stays scrolled to its end
  let opens = false; // the log opens as soon as it has a line
  let busy = false;
  let [state, refused] = ["", null]; // the gateway's, and why it refused a request in which state

  async function call(url, method = "GET") {
    const signal = AbortSignal.timeout(20000);
    const response = await fetch(url, { method, redirect: "manual", cache: "no-store", signal });
    const type = response.headers.get("content-type") || "";
    // A redirect to a login page, that page, a refusal, or JupyterHub's response for a stopped server (424)
    const login = response.type === "opaqueredirect" || (response.ok && /html/.test(type));
    const ended = login || [401, 403, 424].includes(response.status);
    const refusal = response.status === 403 && /json/.test(type) && (await response.json());
    if (refusal?.what) throw Object.assign(new Error(refusal.what), { refusal }); // by the gateway, not by Jupyter
    if (ended || !response.ok) throw Object.assign(new Error(`HTTP ${response.status}`), { ended });
    return response;
  }

  function later(wait) {
    clearTimeout(timer);
    timer = setTimeout(poll, wait);
  }

  function hush() {
    clearTimeout(timer);
    turn += 1;
    if (stream) stream.close();
    stream = null;
    proven = false;
  }

  function listen() {
    hush();
    const source = new EventSource(`${prefix}_proxy/events`);
    let [errors, fresh] = [0, true];
    const on = (name, handle) =>
      source.addEventListener(name, ({ data }) => {
        proven = true;
        errors = 0;
        later(SLOW);
        handle(JSON.parse(data));
      });
    on("state", accept);
    on("log", (lines) => {
      addLog(lines, fresh);
      fresh = false;
    });
    source.onerror = () => {
      // Often no error: the gateway ends the stream every half minute, and the browser reconnects
      proven = false;
      fresh = true;
      errors += 1;
      later(source.readyState === EventSource.CLOSED || errors > 2 ? 0 : SLOW);
    };
    stream = source;
    later(SLOW);
  }

  async function poll() {
    if (stream && !proven) {
      hush();
      streams = false;
    }
    clearTimeout(timer);
    const mine = (turn += 1);
    try {
      const next = await (await call(`${prefix}_proxy/state`)).json();
      if (mine !== turn) return;
      addLog(next.log || [], !stream);
      accept(next);
    } catch (error) {
      if (mine === turn) lost(error);
    }
  }

  function lost({ ended, refusal }) {
    hush();
    if (refusal && first) {
      refused = { state, error: refusal };
      return accept({ ...snapshot, state });
    }
    failures += 1;
    main.dataset.connection = ended ? "ended" : "lost";
    const message = ended ? "Your Jupyter session ended." : "Connection to Jupyter lost, retrying…";
    put($("connection"), refusal?.detail || message);
    if (first) later(Math.min(FAST * 2 ** (failures - 1), 3 * SLOW));
  }

  function accept(next) {
    if (failures) streams = true; // the stream may have failed for the same reason
    failures = 0;
    delete main.dataset.connection;
    put($("connection"), "");
    const before = snapshot;
    state = next.state;
    if (refused?.state !== state) refused = null;
    if (refused) next = { ...next, state: "failed", error: refused.error, holder: null, offer: null, installed: true, actions: [], next_start: null };
    snapshot = next;
    received = Date.now();
    show(before);
    const resting = ["failed", "stopped"].includes(next.state) && !next.next_start;
    const rested = restingSince && Date.now() - restingSince;
    restingSince = resting ? restingSince || Date.now() : 0;
    if (resting || next.state === "ready") hush();
    if (next.state === "ready") leave();
    else if (resting && rested < REST) later(rested ? SLOW : 0); // at once: the end of the log
    else if (stream) later(SLOW);
    else if (streams && !resting && !document.hidden) listen();
    else if (!resting) later(FAST);
  }

  function leave() {
    if (recentReloads() < RELOADS.most) {
      location.reload(); // replace() with a hash in the URL would load nothing
    } else {
      main.dataset.stuck = "";
      $("open").href = location.pathname + location.search;
    }
  }

  function recentReloads() {
    try {
      const key = `labelstudio-proxy:reloads:${prefix}`;
      const times = JSON.parse(sessionStorage.getItem(key) || "[]");
      const recent = times.filter((time) => Date.now() - time < RELOADS.within);
      sessionStorage.setItem(key, JSON.stringify([...recent, Date.now()]));
      return recent.length;
    } catch {
      // No storage in this frame: only whether this page itself is a reload is known
      return performance.getEntriesByType("navigation")[0]?.type === "reload" ? RELOADS.most : 0;
    }
  }

  function put(node, text) {
    if (node.textContent !== text) node.textContent = text; // a screen reader would repeat it
  }

  function prose(node, text) {
    const parts = text.split(/`([^`\n]+)`/); // every second one is code
    node.replaceChildren(...parts.map((part, index) => (index % 2 ? make("code", part) : part)));
  }

  function duration(seconds) {
    if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`;
    const minutes = Math.floor(seconds / 60);
    const rest = `${Math.floor(seconds % 60)} s`;
    return minutes ? `${minutes} min ${rest.padStart(4, "0")}` : rest;
  }

  function wordsOf({ state, next_start: nextStart, ready_after: readyAfter, holder, offer, installed }) {
    if (nextStart) return words[readyAfter === null ? "trying" : "waiting"];
    if (holder?.action) return words.elsewhere;
    if (offer) return words.offer;
    if (state === "failed" && installed === false) return words.missing;
    return words[state === "failed" && readyAfter !== null && !refused ? "ended" : state];
  }

  function sentence(shown) {
    const { state, steps, stopped_because: because } = shown;
    const now = steps.find((step) => step.state === "current");
    const then = steps.find((step) => step.state === "next");
    const following = then ? `Next: ${then.title}.` : "It appears here in a moment.";
    const moving = now && ["preparing", "pulling", "installing", "starting"].includes(state);
    const progress = moving ? [`Now: ${now.title}.`, following] : [];
    return [because, ...progress, wordsOf(shown)[1]].join(" ").trim();
  }

  function show(before) {
    const { state, steps, error, versions } = snapshot;
    main.dataset.state = state;
    const [heading] = wordsOf(snapshot);
    document.title = heading;
    put($("heading"), heading);
    put($("sentence"), sentence(snapshot));
    put($("facts"), Object.entries(versions).map((pair) => pair.join(" ")).join(" · "));

    const list = $("steps");
    while (list.children.length > steps.length) list.lastElementChild.remove();
    while (list.children.length < steps.length) list.append($("step").content.cloneNode(true));
    steps.forEach((step, index) => showStep(list.children[index], step));
    tick();
    showActions(snapshot.actions || []);

    if (state !== "failed") {
      put($("note"), "");
      $("diagnostics").hidden = true;
      return;
    }
    const { address = "", action = "" } = snapshot.holder || {}; // of the server that uses the data directory
    main.toggleAttribute("data-held", Boolean(action));
    main.toggleAttribute("data-offer", Boolean(snapshot.offer));
    const reachable = /^https?:/.test(address);
    main.toggleAttribute("data-reachable", reachable);
    put($("take-over"), action);
    $("there").href = reachable ? address : "";
    for (const part of ["what", "why", "remedy"]) prose($(part), error?.[part] || "");
    main.toggleAttribute("data-ran", snapshot.ready_after !== null);
    main.toggleAttribute("data-retry", !snapshot.actions?.length && /try again/i.test(error?.remedy));
    if (before?.state === "failed") return;
    opens = !action && !snapshot.offer;
    addLog([]);
    // In a frame, this would take the focus from what the user is typing in
    if (before && document.hasFocus()) $("heading").focus();
  }

  // The buttons of this state; one that is shown already keeps the focus
  function showActions(actions) {
    const [offered, key] = [$("offered"), JSON.stringify(actions)];
    if (offered.dataset.shown === key) return;
    offered.dataset.shown = key;
    const buttons = actions.map(({ command, label }, index) => {
      const button = Object.assign(make("button", label), { type: "button" });
      if (command !== "stop" && index === 0) button.className = "primary";
      button.onclick = () => post(`${prefix}_proxy/${command}`);
      return button;
    });
    offered.replaceChildren(...buttons);
    main.toggleAttribute("data-again", actions.some(({ label }) => label === "Try again"));
  }

  function showStep(item, step) {
    const part = (selector) => item.querySelector(selector);
    const current = step.state === "current";
    const { done, total } = (current && snapshot.progress) || { total: 0 };
    const count = total < 10000 ? `${done} of ${total}` : `${Math.floor((100 * done) / total)} %`;
    item.dataset.state = step.state;
    item.ariaCurrent = current ? "step" : null;
    put(part(".title"), step.title);
    put(part(".word"), stepWords[step.state]);
    put(part(".detail"), step.detail || "");
    put(part(".time"), step.seconds === null ? "" : duration(step.seconds));
    put(part(".count"), total > 0 ? count : "");
    const bar = part("progress");
    bar.setAttribute("aria-label", step.title);
    if (total > 0) Object.assign(bar, { max: total, value: done });
    else bar.removeAttribute("value");
  }

  // Running times: by the server's clock up to the latest snapshot, and by this one since
  function tick() {
    if (!snapshot || failures) return;
    const { started_at: startedAt, now, steps } = snapshot;
    const since = (Date.now() - received) / 1000;
    const elapsed = startedAt === null ? 0 : Math.max(0, now - startedAt + since);
    put($("elapsed"), startedAt === null ? "" : duration(Math.floor(elapsed)));
    const index = steps.findIndex((step) => step.state === "current");
    if (index < 0) return;
    const before = steps.reduce((sum, step) => sum + (step.seconds || 0), 0);
    const { seconds } = steps[index];
    const running = Math.max(0, seconds === null ? elapsed - before : seconds + since);
    put($("steps").children[index].querySelector(".time"), duration(Math.floor(running)));
  }

  function addLog(lines, fresh) {
    const log = $("log");
    if (fresh && lines.length && lines.at(-1)[0] < lastLine) {
      lastLine = 0; // a new gateway numbers from 1, and sends its whole log
      log.replaceChildren();
    }
    for (const [number, text] of lines.slice(-LOG_LINES)) {
      if (number <= lastLine) continue;
      lastLine = number;
      log.append(make("div", text.replace(/\x1b\[[0-9;]*m/g, ""))); // without a terminal's colours
    }
    while (log.children.length > LOG_LINES) log.firstElementChild.remove();
    main.toggleAttribute("data-log", log.hasChildNodes());
    if (opens && log.hasChildNodes()) {
      opens = false;
      $("disclosure").open = true;
    }
    if (following) log.scrollTop = log.scrollHeight;
  }

  async function post(url) {
    if (busy) return;
    busy = true;
    refused = null;
    hush();
    try {
      const response = await call(url, "POST");
      restingSince = 0;
      if (first) accept(await response.json());
      else location.reload();
    } catch (error) {
      lost(error);
    }
    busy = false;
  }

  async function copyDiagnostics() {
    const area = $("diagnostics");
    area.value = "";
    try {
      area.value = await (await call(`${prefix}_proxy/diagnostics`)).text();
      area.hidden = true;
      await navigator.clipboard.writeText(area.value); // refused over http and in some frames
      put($("note"), "Diagnostics copied.");
    } catch {
      area.hidden = !area.value;
      area.select();
      const missing = "The diagnostics could not be loaded.";
      put($("note"), area.value ? "Press Ctrl+C (⌘C on a Mac) to copy." : missing);
    }
  }

  const buttons = document.querySelectorAll("[data-post]");
  for (const button of buttons) button.onclick = () => post(button.dataset.post);
  $("copy").onclick = copyDiagnostics;
  $("reload").onclick = () => location.reload();
  $("disclosure").ontoggle = () => addLog([]); // scrolls to the end
  $("log").onscroll = ({ target }) => {
    following = target.scrollHeight - target.scrollTop - target.clientHeight < 24;
  };
  if (first) {
    // Back from another tab, or from sleep: the page may be out of date
    const refresh = () => {
      if (busy) return;
      if (!document.hidden && !stream) {
        restingSince = restingSince && Date.now();
        poll();
      } else if (document.hidden && stream) {
        hush(); // a browser has six connections to a host: a few hidden tabs would leave none to JupyterLab
        later(FAST);
      }
    };
    for (const event of ["focus", "online", "visibilitychange"]) addEventListener(event, refresh);
    setInterval(tick, 500);
    accept(first);
    const start = () => first.may_start && first.state === "stopped" && post(`${prefix}_proxy/start`);
    if (document.prerendering) document.addEventListener("prerenderingchange", start);
    else start();
  }
})();
