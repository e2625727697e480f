import type { IThemeManager } from "@jupyterlab/apputils";

import { prefix } from "./place.ts";

/**
 * Tell the gateway's pages whether JupyterLab is dark, now and at each change.
 *
 * They are in frames and other tabs of the browser. `gateway/static/theme.js` reads the key.
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
