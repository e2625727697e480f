/*
 * Says over Label Studio's pages as whom a visitor labels: a user of a hub on the Jupyter server of another user.
 *
 * The gateway adds this script to the pages of visitors only. *OK* closes the note until the browser's tab is closed.
 * Its element has `data-prefix`.
 */
(() => {
  "use strict";

  const key = `labelstudio-proxy:visitor:${document.currentScript.dataset.prefix}`;

  function show() {
    const { firstName, lastName, email } = window.APP_SETTINGS?.user ?? {};
    const escaped = `${firstName} ${lastName}`.trim() || email; // as HTML, by Label Studio
    if (!escaped || sessionStorage.getItem(key)) return;
    const name = new DOMParser().parseFromString(escaped, "text/html").body.textContent;
    const root = document.createElement("labelstudio-proxy-visitor");
    const shadow = root.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`
      :host { all: initial; color-scheme: var(--labelstudio-proxy-scheme, light dark); --text: light-dark(#1f2328, #e6edf3); }
      div { position: fixed; inset: auto auto 24px 24px; z-index: 2147483646; max-width: min(26em, calc(100vw - 48px));
        box-sizing: border-box; font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: light-dark(#fff, #22272e);
        border: 1px solid light-dark(#d0d7de, #444c56); border-radius: 8px; box-shadow: 0 8px 32px #0004; padding: 16px 20px;
        overflow-wrap: anywhere; }
      button { font: inherit; font-weight: 600; color: #fff; background: #b4441f; border: 0; border-radius: 6px;
        display: block; margin-top: 12px; padding: 4px 14px; cursor: pointer; }
      button:focus-visible { outline: 2px solid var(--text); outline-offset: 2px; }
    `);
    shadow.adoptedStyleSheets = [sheet];
    const note = document.createElement("div");
    note.role = "status";
    const close = Object.assign(document.createElement("button"), { type: "button", textContent: "OK" });
    close.addEventListener("click", () => {
      sessionStorage.setItem(key, "closed");
      root.remove();
    });
    note.append(`You label as ${name}, the owner of this Jupyter server. Your name is not recorded.`, close);
    shadow.append(note);
    document.documentElement.append(root);
  }

  addEventListener("DOMContentLoaded", show);
})();
