/*
 * Keeps a page of Label Studio inside the prefix.
 *
 * Label Studio runs at "/". The gateway maps its pages. This script maps the URLs that their scripts make, where the
 * browser is about to use them. Data stay untouched: responses, request bodies, text, and documents that are only
 * parsed (DOMParser, templates) until they become part of the page.
 *
 *   <script src="<prefix>_proxy/static/prefix.js" data-prefix="<prefix>"></script>   first in <head>
 */
(() => {
  "use strict";

  const script = document.currentScript;
  const done = Symbol.for("labelstudio-proxy.prefix");
  if (!script?.src || !script.dataset.prefix || window[done]) return;
  Object.defineProperty(window, done, { value: true });

  // From the script's own address: in a srcdoc frame or a sandbox, `location` knows neither origin nor path.
  const { origin } = new URL(script.src);
  const base = new URL(script.dataset.prefix, script.src).pathname.replace(/\/$/, "");
  if (!base) return;

  // In the sandbox of JupyterLab's frame, and in the tabs that open from there, Chromium shows no PDF. Scripts of this
  // origin run in that frame, so its sandbox protects nothing from them. Frames of labelled data allow no popups.
  const frame = window.frameElement;
  if (frame?.sandbox?.contains("allow-popups")) {
    frame.removeAttribute("sandbox");
    location.reload(); // the change applies to the next page of the frame
  }

  // JupyterLab focuses its own element around the frame, where the keys of Label Studio do nothing.
  const widget = frame?.closest(".jp-IFrame");
  if (widget) addEventListener("load", () => widget.contains(parent.document.activeElement) && window.focus());

  // ---- Text: each function returns its argument if there is nothing to map ----

  const decoded = (path) => {
    try {
      return decodeURIComponent(path); // %40 and @ are the same user
    } catch {
      return path;
    }
  };
  const under = `${decoded(base)}/`;

  const resolve = (url) => {
    try {
      return new URL(url, document.baseURI);
    } catch {
      return null;
    }
  };

  /** Puts `prefix` before the path of a root-absolute or same-origin URL that is not under it. */
  function insert(url, prefix) {
    const [head] = /^[\0-\x20]*(?:(?:https?|wss?):[/\\]{2}[^/\\?#]*)?/i.exec(url);
    if (!head.trim() && !/[/\\]/.test(url.charAt(head.length))) return url; // relative, blob:, data:, #, …
    const target = resolve(url); // "//host", or a <base> elsewhere, lead to another origin
    if (target?.origin.replace(/^ws/, "http") !== origin) return url;
    if (`${decoded(target.pathname)}/`.startsWith(under)) return url;
    return url.slice(0, head.length) + prefix + url.slice(head.length);
  }
  const mapUrl = (url) => insert(url, base);

  const cssBase = base.replace(/[^\w/.~%@:+-]/g, (c) => `\\${c.charCodeAt(0).toString(16).padStart(6, "0")}`);
  const STRING = String.raw`"[^"\\\n]*(?:\\[^][^"\\\n]*)*"?|'[^'\\\n]*(?:\\[^][^'\\\n]*)*'?`;
  const CSS = new RegExp(
    String.raw`/\*[^]*?(?:\*/|$)|(\burl\(\s*|@import\s*)?(${STRING})|\burl\(([^)]*)`, "gi",
  );

  function mapCss(css) {
    if (!/\burl\(|@import/i.test(css)) return css;
    return css.replace(CSS, (all, call, string, bare) => {
      if (call) return call + string[0] + insert(string.slice(1), cssBase);
      return bare ? `url(${insert(bare, cssBase)}` : all;
    });
  }

  const mapSrcset = (value) => value.replace(/[^\s,](?:\S*,(?!\S)|\S*[^,]*)/g, mapUrl);

  const ATTRIBUTES = new Map([
    ["href", [/^(?:a|area|base|link|image|use|feimage|script)$/i, mapUrl]],
    ["src", [/^(?:img|image|script|iframe|frame|audio|video|source|track|embed|input)$/i, mapUrl]],
    ["srcset", [/^(?:img|source)$/i, mapSrcset]],
    ["imagesrcset", [/^link$/i, mapSrcset]],
    ["poster", [/^video$/i, mapUrl]],
    ["data", [/^object$/i, mapUrl]],
    ["action", [/^form$/i, mapUrl]],
    ["formaction", [/^(?:button|input)$/i, mapUrl]],
    ["srcdoc", [/^iframe$/i, mapHtml]],
    ["background", [/^(?:body|table|thead|tbody|tfoot|tr|td|th)$/i, mapUrl]],
    ["style", [/^/, mapCss]],
  ]);

  function mapAttribute(tag, name, value) {
    const [tags, map] = ATTRIBUTES.get(name.toLowerCase().replace(/^xlink:/, "")) ?? [];
    return tags?.test(tag) ? map(value) : value;
  }

  const COMMENT = /<!--(?:-?>|[^]*?--!?>)/y;
  const SPACE = String.raw`\t\n\f\r `; // HTML's own, which is not \s
  const MARKUP = new RegExp(String.raw`<(?:(!--)|([!?]|/(?![a-z]))|(/?[a-z][^${SPACE}/>]*))`, "gi");
  const VALUE = String.raw`"([^"]*)"|'([^']*)'|(["'])|([^${SPACE}>]*)`;
  const ATTRIBUTE = new RegExp(
    String.raw`[${SPACE}/]*(?:(>)|([^${SPACE}/>][^${SPACE}/>=]*)(?:[${SPACE}]*=[${SPACE}]*(?:${VALUE}))?)`, "y",
  );
  const RAW = /^(?:script|style|textarea|title|xmp|iframe|noembed|noframes|noscript)$/i;
  const search = (regexp, text, from) => {
    regexp.lastIndex = from; // always set, so that a search within a search does no harm
    return regexp.exec(text);
  };

  const encode = (value) => value.replace(/[&"\r]/g, (c) => `&#${c.charCodeAt(0)};`);
  const inert = document.createElement("template");
  const setInnerHtml = Object.getOwnPropertyDescriptor(Element.prototype, "innerHTML").set;
  const decode = (value, quote) => {
    setInnerHtml.call(inert, `<i a=${quote}${value}${quote}>`); // the browser's own reading of references
    return inert.content.firstChild.getAttribute("a");
  };

  /**
   * Maps the values of URL attributes (and style sheets) in HTML that a script is about to insert.
   *
   * A request would start before a mutation observer saw the element. Setting the HTML in an inert template and moving
   * the nodes would revive scripts, and writing a tree out again changes text; so this edits the string, only there.
   * `inside` is the element whose content it is.
   */
  function mapHtml(html, inside = "") {
    if (RAW.test(inside)) return inside.toLowerCase() === "style" ? mapCss(html) : html;
    let out = "";
    let copied = 0;
    const replace = (start, end, text) => {
      out += html.slice(copied, start) + text;
      copied = end;
    };
    for (let at = 0, markup; (markup = search(MARKUP, html, at)); ) {
      const [, comment, bogus, tag] = markup;
      if (comment || bogus) {
        const end = search(comment ? COMMENT : />/g, html, markup.index);
        if (!end) break;
        at = end.index + end[0].length;
        continue;
      }
      const edits = [];
      let elsewhere = false;
      let attribute;
      at = markup.index + markup[0].length;
      while ((attribute = search(ATTRIBUTE, html, at))) {
        const [all, end, name, double, single, open, bare] = attribute;
        at += all.length;
        if (end || open) break;
        const raw = double ?? single ?? bare;
        if (!raw) continue;
        const quote = double !== undefined ? '"' : single !== undefined ? "'" : "";
        const value = raw.includes("&") ? decode(raw, quote) : raw;
        elsewhere ||= /^base$/i.test(tag) && /^href$/i.test(name) && (resolve(value)?.origin ?? origin) !== origin;
        const mapped = mapAttribute(tag, name, value);
        const length = raw.length + 2 * quote.length;
        if (mapped !== value) edits.push([at - length, at, `"${encode(mapped)}"`]);
      }
      if (!attribute?.[1] || elsewhere) break; // no tag, or no URL of ours from here on
      if (tag[0] === "/") continue;
      edits.forEach((edit) => replace(...edit));
      if (RAW.test(tag)) {
        const end = search(new RegExp(`</${tag}(?=[${SPACE}/>])`, "gi"), html, at)?.index ?? html.length;
        if (/^style$/i.test(tag)) replace(at, end, mapCss(html.slice(at, end)));
        at = end;
      }
    }
    return out + html.slice(copied);
  }

  // ---- Nodes ----

  const NAMES = [...ATTRIBUTES.keys()];
  const MAPPED = `style,[style*="url("],${NAMES.filter((name) => name !== "style").map((name) => `[*|${name}]`)}`;
  const isLive = (node) => Boolean((node?.ownerDocument ?? node)?.defaultView);
  const isHtml = (element) => /\/(?:xhtml|svg)$/.test(element.namespaceURI); // and not the XML of a labelling config

  function fixAttribute(element, name) {
    const value = element.getAttribute(name);
    const mapped = value && isHtml(element) ? mapAttribute(element.localName, name, value) : value;
    if (mapped !== value) element.setAttribute(name, mapped);
  }

  function fixElement(element) {
    for (const name of element?.getAttributeNames?.() ?? []) fixAttribute(element, name);
    if (element?.localName === "style") fixStyleSheet(element);
  }

  function fixStyleSheet(element) {
    const mapped = mapCss(element.textContent);
    if (mapped !== element.textContent) element.textContent = mapped;
  }

  function fixTree(root) {
    [root, ...(root.querySelectorAll?.(MAPPED) ?? [])].forEach(fixElement);
    return root;
  }

  // ---- The places where the browser uses a URL ----

  /** Applies `map` to whatever will be converted to a string; what needs no mapping keeps its type. */
  const mapValue = (value, map = mapUrl) => {
    if (value === null || value === undefined) return value;
    const text = String(value);
    const mapped = map(text);
    return mapped === text ? value : mapped;
  };
  const argument = (index, map = mapUrl) => (args, self) => {
    if (args.length > index) args[index] = mapValue(args[index], (text) => map(text, self));
  };

  /** Lets `before(args, self)` change the arguments of a function or class that otherwise stays what it is. */
  function wrap(owner, name, before, after = (result) => result) {
    const own = owner && Object.getOwnPropertyDescriptor(owner, name);
    if (typeof own?.value !== "function") return; // not in this browser
    const native = own.value;
    const wrapped = new Proxy(native, {
      apply(_, self, args) {
        before(args, self);
        return after(Reflect.apply(native, self, args), self);
      },
      construct(_, args, newTarget) {
        before(args);
        return Reflect.construct(native, args, newTarget === wrapped ? native : newTarget);
      },
    });
    Object.defineProperty(owner, name, { ...own, value: wrapped });
    if (native.prototype?.constructor === native) native.prototype.constructor = wrapped;
  }

  /** Lets `map(value, self)` change what is assigned to a property. */
  function wrapSetter(owner, name, map) {
    const own = owner && Object.getOwnPropertyDescriptor(owner, name);
    if (!own?.set) return;
    const apply = (native, self, [value]) => Reflect.apply(native, self, [mapValue(value, (text) => map(text, self))]);
    Object.defineProperty(owner, name, { ...own, set: new Proxy(own.set, { apply }) });
  }

  const wrapMethods = (type, names, before) => {
    for (const name of names.split(" ")) wrap(window[type]?.prototype, name, before);
  };

  // A Request is mapped when it is made: a later change would have to read its body.
  for (const name of ["Request", "Worker", "SharedWorker", "EventSource", "WebSocket", "Audio", "open"]) {
    wrap(window, name, argument(0));
  }
  wrapMethods("XMLHttpRequest", "open", argument(1));
  wrapMethods("Navigator", "sendBeacon", argument(0));
  wrapMethods("Worklet", "addModule", argument(0));
  wrapMethods("History", "pushState replaceState", argument(2));
  wrapMethods("ServiceWorkerContainer", "getRegistration", argument(0));
  wrapMethods("ServiceWorkerContainer", "register", (args) => {
    argument(0)(args);
    if (args[1]?.scope !== undefined) args[1] = { ...args[1], scope: mapValue(args[1].scope) };
  });

  // Label Studio fetches the page behind a link, parses it and runs its scripts, whichever page it is. So a parsed page
  // keeps only the scripts to which the gateway gave the nonce of that response's policy.
  const nonces = new Set([script.nonce]);
  const note = ({ headers, type }) => {
    const [, nonce] = (type === "basic" && /'nonce-([^']+)'/.exec(headers.get("Content-Security-Policy"))) || [];
    if (nonce) nonces.add(nonce);
  };
  wrap(window, "fetch", argument(0), (answer) => {
    answer.then(note, () => {});
    return answer;
  });
  const prune = (root) => {
    root.querySelectorAll("template").forEach(({ content }) => prune(content));
    for (const element of root.querySelectorAll("script")) if (!nonces.has(element.nonce)) element.remove();
    return root;
  };
  wrap(window.DOMParser.prototype, "parseFromString", () => {}, (parsed) =>
    parsed.contentType === "text/html" ? prune(parsed) : parsed);

  // Attributes. Elements of documents that are only parsed, and the XML of labelling configurations, are data.
  const mapLive = (element, name, text) =>
    isLive(element) && isHtml(element) ? mapAttribute(element.localName, name, text) : text;
  const setAttribute = (at) => (args, element) =>
    argument(at + 1, (text) => mapLive(element, String(args[at]), text))(args);
  wrapMethods("Element", "setAttribute", setAttribute(0));
  wrapMethods("Element", "setAttributeNS", setAttribute(1));
  const PROPERTIES = "href src srcset imageSrcset poster data action formAction srcdoc background".split(" ");
  for (const type of Object.getOwnPropertyNames(window).filter((name) => /^HTML\w+Element$/.test(name))) {
    for (const name of PROPERTIES) {
      wrapSetter(window[type].prototype, name, (text, element) => mapLive(element, name, text));
    }
  }
  wrapSetter(window.SVGAnimatedString?.prototype, "baseVal", mapUrl); // image.href.baseVal

  // Styles.
  wrap(window, "FontFace", argument(1, mapCss));
  wrapMethods("CSSStyleDeclaration", "setProperty", argument(1, mapCss));
  wrapMethods("CSSStyleSheet", "insertRule replace replaceSync", argument(0, mapCss));
  wrapSetter(window.CSSStyleDeclaration?.prototype, "cssText", mapCss);

  // HTML.
  const content = (html, node) => (isLive(node) ? mapHtml(html, node.localName) : html);
  const markup = (html, node) => (isLive(node) ? mapHtml(html) : html);
  wrapMethods("Element", "setHTML setHTMLUnsafe", argument(0, content));
  wrapMethods("ShadowRoot", "setHTML setHTMLUnsafe", argument(0, content));
  wrapSetter(window.ShadowRoot?.prototype, "innerHTML", content);
  wrapSetter(Element.prototype, "innerHTML", content);
  wrapSetter(Element.prototype, "outerHTML", markup);
  wrapMethods("Element", "insertAdjacentHTML", (args, element) =>
    argument(1, /^(?:afterbegin|beforeend)$/i.test(args[0]) ? content : markup)(args, element));
  wrapMethods("Range", "createContextualFragment", (args, range) => argument(0, markup)(args, range.startContainer));
  wrapMethods("Document", "write writeln", (args, target) =>
    args.forEach((_, index) => argument(index, markup)(args, target)));

  // Nodes that were only parsed so far: mapped on their way into the page, before they can send a request.
  const adopt = (args, target) => {
    if (!isLive(target)) return;
    for (const node of args) if (node instanceof Node && !isLive(node)) fixTree(node);
  };
  wrapMethods("Node", "appendChild insertBefore replaceChild", adopt);
  wrapMethods("Element", "append prepend before after replaceWith replaceChildren insertAdjacentElement", adopt);
  wrapMethods("DocumentFragment", "append prepend replaceChildren", adopt);
  wrapMethods("CharacterData", "before after replaceWith", adopt);
  wrapMethods("Range", "insertNode", (args, range) => adopt(args, range.startContainer));
  wrapMethods("Document", "adoptNode", adopt);
  wrap(Document.prototype, "importNode", () => {}, (node, target) => (isLive(target) ? fixTree(node) : node));

  // ---- Nets below all this ----

  // Inline styles assigned property by property, text put into <style>, attribute nodes, and so on.
  new MutationObserver((records) => {
    for (const { type, target, attributeName, addedNodes } of records) {
      if (type === "attributes") fixAttribute(target, attributeName);
      else if (target.localName === "style") fixStyleSheet(target);
      else addedNodes.forEach((node) => node.nodeType === Node.ELEMENT_NODE && fixTree(node));
    }
  }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: NAMES });

  const net = (event) => [...event.composedPath(), event.submitter].forEach(fixElement);
  for (const type of ["click", "auxclick", "submit"]) window.addEventListener(type, net, true);
  wrapMethods("HTMLFormElement", "submit", (_, form) => fixAttribute(form, "action"));

  // `location` itself cannot be wrapped; Label Studio says `location.href = "/"` at the end of a session.
  window.navigation?.addEventListener("navigate", (event) => {
    const { url, sameDocument } = event.destination;
    const mapped = mapUrl(url);
    if (mapped === url || !event.cancelable || sameDocument || event.formData || event.downloadRequest !== null) return;
    if (event.navigationType !== "push" && event.navigationType !== "replace") return;
    event.preventDefault();
    location[event.navigationType === "replace" ? "replace" : "assign"](mapped);
  });
})();
