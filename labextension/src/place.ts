import { PageConfig } from "@jupyterlab/coreutils";

// A command of jupyter-server-proxy. The tile, a project's card in a notebook and `Tabs.open` open tabs with it.
// jupyter-server-proxy restores these tabs after a reload of JupyterLab.
export const OPEN_TAB = "server-proxy:open";
/** The id of the tile's tab. */
export const TILE = "server-proxy:labelstudio";

/** Return the gateway's prefix: the path of Label Studio's pages, with a slash at either end. */
export function prefix(): string {
  return new URL("labelstudio/", PageConfig.getBaseUrl()).pathname;
}

/** Return the part of a URL below the prefix; null for other pages. `base`: what the URL is relative to. */
export function pathBelow(prefix: string, url: string, base: string): string | null {
  const { origin, pathname, search, hash } = new URL(url, base);
  if (origin !== new URL(base).origin) return null;
  const [before, parts] = [prefix.split("/").slice(0, -1), pathname.split("/")];
  // A hub writes a user's name with %40 or with @
  const isBelow = before.every(
    (part, at) => decodeURIComponent(part) === decodeURIComponent(parts[at] ?? ""),
  );
  return isBelow ? parts.slice(before.length).join("/") + search + hash : null;
}

/** Return the part of a project that a page belongs to, such as its settings; "" for none. `path`: below the prefix. */
export function partOf(path: string): string {
  return /^projects\/\d+(?:\/[^/?#]*)?/.exec(path)?.[0] ?? "";
}

/** Return the number of the project that a page belongs to; "" for none. `path`: below the prefix. */
export function projectOf(path: string): string {
  return /^projects\/(\d+)(?:[/?#]|$)/.exec(path)?.[1] ?? "";
}

/** Return the number of the item that a page shows; "" for none. `path`: below the prefix. */
export function taskOf(path: string): string {
  return /[?&]task=(\d+)/.exec(path)?.[1] ?? "";
}
