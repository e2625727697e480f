import type { Place } from "./label-dialog.tsx";

/** Open a tab of the browser for a project that does not exist yet. It shows the progress until then. */
export function openPendingTab(title: string): Place {
  let tab = window.open("", "_blank");
  if (tab) {
    tab.opener = null;
    tab.document.title = title;
    const { backgroundColor, color, fontFamily } = getComputedStyle(document.body);
    const middle = { margin: "0", height: "100vh", display: "grid", placeItems: "center" };
    Object.assign(tab.document.body.style, middle, { backgroundColor, color, fontFamily });
    tab.document.body.setAttribute("role", "status");
  }
  return {
    say: (text) => {
      if (tab && !tab.closed) tab.document.body.textContent = text;
    },
    open: ({ url }) => {
      if (tab && !tab.closed) tab.location.replace(url);
      else tab = window.open(url, "_blank");
      return tab !== null;
    },
    close: () => tab?.close(),
  };
}
