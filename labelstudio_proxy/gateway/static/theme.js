/*
 * Lets a page follow JupyterLab's theme.
 *
 * JupyterLab's extension stores the theme, "dark" or "light", under a key of its server: servers of a hub, on paths of
 * one host, share this storage. Without it, the browser's preference decides.
 *
 * - `--labelstudio-proxy-scheme` on the root element is a value for `color-scheme`.
 * - Label Studio reads its scheme from the storage. Until the user chooses one in Label Studio, it reads JupyterLab's.
 *
 * Its element has `data-prefix`, and comes before anything that is painted. jupyter/unavailable.py puts this text into a page.
 */
(() => {
  "use strict";

  const key = `labelstudio-proxy:theme:${document.currentScript.dataset.prefix}`;
  const choice = "preferred-color-scheme"; // Label Studio's key: "Dark", "Light" or "Auto", or none yet
  const root = document.documentElement;
  const { getItem } = Storage.prototype;

  const stored = (name) => {
    try {
      return getItem.call(localStorage, name);
    } catch {
      return null; // no storage in this frame
    }
  };
  const theme = () => (/^(?:dark|light)$/.test(stored(key)) ? stored(key) : "");

  function follow() {
    const current = theme();
    root.style.setProperty("--labelstudio-proxy-scheme", current || "light dark");
    // Label Studio sets the attribute when the page loads
    if (current && root.dataset.colorScheme && stored(choice) === null) root.dataset.colorScheme = current;
  }

  Storage.prototype.getItem = function (name) {
    const found = getItem.call(this, name);
    const current = found === null && name === choice && theme();
    return current ? current[0].toUpperCase() + current.slice(1) : found;
  };
  for (const type of ["storage", "pageshow"]) addEventListener(type, follow);
  follow();
})();
