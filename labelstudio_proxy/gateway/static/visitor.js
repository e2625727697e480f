/*
 * Says over Label Studio's pages as whom people label who share one account: a user of a hub on the Jupyter server of
 * another user, and everyone on a service of a hub.
 *
 * The gateway adds this script to their pages only. *OK* closes the note until the browser's tab is closed.
 * Its element has `data-prefix`.
 */
(() => {
  "use strict";

  const key = `labelstudio-proxy:visitor:${document.currentScript.dataset.prefix}`;

  function show() {
    const { firstName, lastName, email } = window.APP_SETTINGS?.user ?? {};
    const name = `${firstName} ${lastName}`.trim() || email;
    if (!name || sessionStorage.getItem(key)) return;
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
    note.append(`Everyone here labels as ${name}. Label Studio does not record your own name.`, close);
    shadow.append(note);
    document.documentElement.append(root);
  }

  addEventListener("DOMContentLoaded", show);
})();
