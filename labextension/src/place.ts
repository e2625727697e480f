import { PageConfig } from "@jupyterlab/coreutils";

/** The path of Label Studio's pages in this server, with a slash at either end: the gateway's prefix. */
export function prefix(): string {
  return new URL("labelstudio/", PageConfig.getBaseUrl()).pathname;
}

/** The part of a URL that is below the prefix; null for other pages. `base`: what the URL is relative to. */
export function pathBelow(prefix: string, url: string, base: string): string | null {
  const { origin, pathname, search, hash } = new URL(url, base);
  if (origin !== new URL(base).origin) return null;
  const [before, parts] = [prefix.split("/").slice(0, -1), pathname.split("/")];
  // %40 and @ are the same user
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
