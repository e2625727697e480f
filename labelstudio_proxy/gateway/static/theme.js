/*
 * Lets a page follow JupyterLab's theme.
 *
 * The JupyterLab extension stores the theme, "dark" or "light", in the browser's local storage. The key has the prefix,
 * because the servers of a hub share one host and so one storage. Without a stored theme, the browser's preference decides.
 *
 * - `--labelstudio-proxy-scheme` on the root element is the value for `color-scheme`.
 * - Label Studio reads its scheme from the storage. It gets JupyterLab's theme until the user chooses a scheme there.
 *
 * The script's element has `data-prefix` and comes first in the page, before the browser paints anything.
 * jupyter/unavailable.py writes the script into its page.
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
