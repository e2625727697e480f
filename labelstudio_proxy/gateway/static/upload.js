/*
 * Lifts two limits of Label Studio's page for uploads.
 *
 * - It asks a dropped folder for its files only once. A browser returns no more than the first 100.
 * - It names all files of an upload in one URL. With thousands of them, servers refuse so long a URL.
 */
(() => {
  "use strict";

  const done = Symbol.for("labelstudio-proxy.upload");
  if (window[done]) return;
  const settings = { ids: 500 }; // files in one URL
  Object.defineProperty(window, done, { value: settings });

  // Browsers do not name the class of the readers; a dropped folder leads to it.
  function completeReaders({ __proto__: reader }) {
    const { readEntries } = reader;
    if (readEntries[done]) return;
    reader.readEntries = function (found, failed) {
      const all = [];
      const more = (entries) => {
        all.push(...entries);
        if (entries.length) readEntries.call(this, more, failed);
        else found(all);
      };
      readEntries.call(this, more, failed);
    };
    reader.readEntries[done] = true;
  }

  const { webkitGetAsEntry } = DataTransferItem.prototype;
  DataTransferItem.prototype.webkitGetAsEntry = function () {
    const entry = webkitGetAsEntry.call(this);
    if (entry?.isDirectory) completeReaders(entry.createReader());
    return entry;
  };

  /** The URL of a list of uploads, and the numbers of the files in it, if these are many. */
  function longList(input) {
    const text = String(input?.url ?? input);
    if (!/\/file-uploads\?.*\bids=/.test(text)) return null;
    const url = new URL(text, document.baseURI);
    const ids = url.searchParams.get("ids").match(/\d+/g) ?? [];
    return ids.length > settings.ids ? { url, ids } : null;
  }

  async function fetchInParts({ url, ids }, init) {
    const all = [];
    for (let at = 0; at < ids.length; at += settings.ids) {
      url.searchParams.set("ids", `[${ids.slice(at, at + settings.ids)}]`);
      const response = await fetch(url.href, init);
      if (!response.ok) return response;
      all.push(...(await response.json()));
    }
    return new Response(JSON.stringify(all), { headers: { "Content-Type": "application/json" } });
  }

  const fetch = window.fetch.bind(window);
  window.fetch = function (...args) {
    const list = longList(args[0]);
    return list ? fetchInParts(list, args[1]) : fetch(...args);
  };
})();
