import type { IThemeManager } from "@jupyterlab/apputils";

import { prefix } from "./place.ts";

/**
 * Store whether JupyterLab's theme is dark, now and at each change, for the gateway's pages.
 *
 * These are in frames and in other tabs of the browser. Their script `theme.js` reads the key.
 */
export function shareTheme(themes: IThemeManager): void {
  const key = `labelstudio-proxy:theme:${prefix()}`;
  const share = () => {
    if (!themes.theme) return; // not loaded yet
    try {
      localStorage.setItem(key, themes.isLight(themes.theme) ? "light" : "dark");
    } catch {
      // The browser lets this page store nothing.
    }
  };
  themes.themeChanged.connect(share);
  share();
}
