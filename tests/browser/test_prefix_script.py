"""The browser script keeps every request of a page inside the prefix, whichever way the page asks."""

from __future__ import annotations

import base64
import contextlib
import json
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from importlib.resources import files
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Error, Page, Request, sync_playwright
from support.small_server import small_server

PREFIX = "/user/a%40b.c/labelstudio/"
SCRIPT = (files("labelstudio_proxy.gateway") / "static" / "prefix.js").read_bytes()
TAG = f'<script src="{PREFIX}_proxy/static/prefix.js" data-prefix="{PREFIX}"></script>'
PATIENCE = 20  # seconds, for what should take milliseconds

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SILENCE = (
    b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
    + b"data" + struct.pack("<I", 0)
)  # fmt: skip
CONTENT = {
    "png": ("image/png", PIXEL),
    "svg": ("image/svg+xml", b'<svg xmlns="http://www.w3.org/2000/svg"><g id="i"/></svg>'),
    "wav": ("audio/wav", SILENCE),
    "js": ("text/javascript", b"self.loaded = true;"),
    "css": ("text/css", b":root { --loaded: yes }"),
    "woff": ("font/woff", b""),
    "vtt": ("text/vtt", b"WEBVTT\n"),
    "json": ("application/json", b'{"image": "/data/upload/1/x.png", "html": "<img src=/y>"}'),
    "stream": ("text/event-stream", b"data: x\n\n"),
}


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Site:
    """A web server that serves something for every path, and remembers what it was asked for."""

    port: int = 0
    mapped: bool = True
    seen: list[Seen] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def record(self, seen: Seen) -> None:
        with self.changed:
            self.seen.append(seen)
            self.changed.notify_all()

    def wait_for(self, path: str) -> Seen:
        """The first request for `path`, as soon as there is one."""

        def found() -> Seen | None:
            return next((seen for seen in self.seen if seen.path.partition("?")[0] == path), None)

        with self.changed:
            seen = self.changed.wait_for(found, PATIENCE)
            assert seen, f"{path} was not asked for, but {[seen.path for seen in self.seen]}"
            return seen

    def respond(self, path: str) -> tuple[str, bytes]:
        name = urlsplit(path).path
        if name == f"{PREFIX}_proxy/static/prefix.js":
            return "text/javascript", SCRIPT
        if name in self.pages:
            return "text/html; charset=utf-8", self.pages[name].encode()
        if (extension := name.rpartition(".")[2]) in CONTENT:
            return CONTENT[extension]
        return "text/html; charset=utf-8", self.page().encode()

    def page(self, body: str = "", head: str = "") -> str:
        tag = TAG if self.mapped else ""
        icon = '<link rel="icon" href="data:,">'
        return f"<!doctype html><html><head>{tag}{icon}{head}</head><body>{body}</body></html>"


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.site.record(Seen(self.command, self.path, headers, body))
        kind, content = self.site.respond(self.path)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


class Tab:
    """A page under the prefix, and what its browser asked for."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page = page
        self.site = site
        self.asked: list[str] = []
        self.errors: list[str] = []

    def record(self, request: Request) -> None:
        self.asked.append(request.url)

    def fail(self, error: Error) -> None:
        self.errors.append(str(error))

    def open(self, body: str = "", head: str = "") -> None:
        self.site.pages[f"{PREFIX}page"] = self.site.page(body, head)
        self.page.goto(f"{self.site.origin}{PREFIX}page", wait_until="load")

    def settle(self) -> None:
        """Returns when what was set off before has reached the network."""
        self.page.evaluate(
            """async () => {
                await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
                await fetch("settled");
            }"""
        )

    def outside(self) -> list[str]:
        """What was asked for outside of the prefix, including what was given up before it reached the server."""
        served = [seen.path for seen in self.site.seen]
        asked = [
            url.removeprefix(self.site.origin)
            for url in self.asked
            if url.startswith(self.site.origin)
        ]
        return [path for path in served + asked if not path.startswith(PREFIX)]


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    with small_server(type("SiteHandler", (Handler,), {"site": site})) as site.port:
        yield site


@pytest.fixture(scope="module")
def script_browser() -> Iterator[Browser]:
    flags = "--no-sandbox --disable-gpu --disable-quic --disable-background-networking --disable-sync --no-first-run"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=flags.split()
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def script_page(script_browser: Browser) -> Iterator[Page]:
    with new_page(script_browser) as page:
        yield page


@pytest.fixture
def tab(script_page: Page, site: Site) -> Iterator[Tab]:
    """A tab that tests share: each has a site, and so an origin, for itself."""
    with recorded(script_page, site) as tab:
        yield tab
    for page in script_page.context.pages:
        if page is not script_page:
            page.close()
    script_page.goto("about:blank")


@pytest.fixture
def new_tab(script_browser: Browser, site: Site) -> Iterator[Tab]:
    """A tab for one test, which may change what its pages begin with."""
    with new_page(script_browser) as page, recorded(page, site) as tab:
        yield tab


@contextlib.contextmanager
def new_page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE * 1000)
    yield context.new_page()
    context.close()


@contextlib.contextmanager
def recorded(page: Page, site: Site) -> Iterator[Tab]:
    tab = Tab(page, site)
    page.on("pageerror", tab.fail)
    page.context.on("request", tab.record)
    yield tab
    page.context.remove_listener("request", tab.record)
    page.remove_listener("pageerror", tab.fail)


# What a page does, and the path (of a Label Studio at "/") that this asks for.
REQUESTS = {
    "fetch a string": ("fetch('/api/x.json')", "/api/x.json"),
    "fetch an absolute string": ("fetch(location.origin + '/api/x.json?a=/b')", "/api/x.json"),
    "fetch a URL": ("fetch(new URL('/api/x.json', location))", "/api/x.json"),
    "fetch a Request": ("fetch(new Request('/api/x.json'))", "/api/x.json"),
    "XMLHttpRequest": ("r = new XMLHttpRequest(); r.open('GET', '/api/x.json'); r.send()", "/api/x.json"),
    "Worker": ("new Worker('/w.js')", "/w.js"),
    "SharedWorker": ("new SharedWorker(new URL('/w.js', location))", "/w.js"),
    "service worker": ("void navigator.serviceWorker.register('/sw.js')", "/sw.js"),
    "service worker with a scope": ("void navigator.serviceWorker.register('/sw.js', {scope: '/'})", "/sw.js"),
    "EventSource": ("new EventSource('/x.stream')", "/x.stream"),
    "WebSocket": ("new WebSocket(location.origin.replace('http', 'ws') + '/ws')", "/ws"),
    "sendBeacon": ("navigator.sendBeacon('/beacon', 'x')", "/beacon"),
    "window.open": ("void window.open('/opened')", "/opened"),
    "FontFace": ("void new FontFace('f', 'url(/f.woff)').load().catch(() => {})", "/f.woff"),
    "new Image": ("new Image().src = '/i.png'", "/i.png"),
    "new Audio": ("new Audio('/a.wav')", "/a.wav"),
    "img.src": ("add('img').src = '/i.png'", "/i.png"),
    "img.src, absolute": ("add('img').src = location.origin + '/i.png'", "/i.png"),
    "img.srcset": ("add('img').srcset = '/i.png 1x, /i.png 2x'", "/i.png"),
    "img.setAttribute": ("add('img').setAttribute('SRC', '/i.png')", "/i.png"),
    "input.src": ("x = add('input'); x.type = 'image'; x.src = '/i.png'", "/i.png"),
    "audio.src": ("add('audio').src = '/a.wav'", "/a.wav"),
    "video.poster": ("add('video').poster = '/i.png'", "/i.png"),
    "source of an audio": ("x = document.createElement('source'); x.src = '/a.wav'; add('audio').append(x)", "/a.wav"),
    "source of a picture": (
        "x = add('picture'); s = document.createElement('source'); s.srcset = '/i.png'; x.append(s, new Image())",
        "/i.png",
    ),
    "track": (
        ("x = add('video'); t = document.createElement('track'); t.src = '/t.vtt'; x.src = 'a.wav'; x.append(t);"
         "t.track.mode = 'showing'"),
        "/t.vtt",
    ),
    "link.href": ("x = document.createElement('link'); x.rel = 'stylesheet'; x.href = '/s.css'; add(x)", "/s.css"),
    "script.src": ("x = document.createElement('script'); x.src = '/s.js'; add(x)", "/s.js"),
    "script.setAttribute": ("x = document.createElement('script'); x.setAttribute('src', '/s.js'); add(x)", "/s.js"),
    "iframe.src": ("add('iframe').src = '/frame'", "/frame"),
    "object.data": ("x = document.createElement('object'); x.data = '/frame'; add(x)", "/frame"),
    "embed.src": ("x = document.createElement('embed'); x.src = '/i.svg'; add(x)", "/i.svg"),
    "body.background": ("document.body.background = '/i.png'", "/i.png"),
    "SVG image href": ("svg('image').setAttribute('href', '/i.png')", "/i.png"),
    "SVG image xlink:href": (
        "svg('image').setAttributeNS('http://www.w3.org/1999/xlink', 'xlink:href', '/i.png')", "/i.png",
    ),
    "SVG image baseVal": ("svg('image').href.baseVal = '/i.png'", "/i.png"),
    "SVG use href": ("svg('use').setAttribute('href', '/i.svg#i')", "/i.svg"),
    "innerHTML": ("add('div').innerHTML = '<p>x</p><img src=\"/i.png?a=1&amp;b=2\">'", "/i.png"),
    "innerHTML, unquoted": ("add('div').innerHTML = '<img alt=a src=/i.png>'", "/i.png"),
    "innerHTML, detached": ("document.createElement('div').innerHTML = \"<img src='/i.png'>\"", "/i.png"),
    "innerHTML, reference": ("add('div').innerHTML = '<img src=\"&#x2F;i.png\">'", "/i.png"),
    "innerHTML, srcset": ("add('div').innerHTML = '<img srcset=\"/i.png, /i.png 2x\">'", "/i.png"),
    "innerHTML, SVG": ("add('div').innerHTML = '<svg><image xlink:href=\"/i.png\"/></svg>'", "/i.png"),
    "innerHTML, style": ("add('div').innerHTML = '<b style=\"background:url(/i.png)\">x</b>'", "/i.png"),
    "innerHTML, style with references": (
        "add('div').innerHTML = '<b style=\"background:url(&quot;/i.png&quot;)\">x</b>'", "/i.png",
    ),
    "innerHTML, <style>": ("add('div').innerHTML = '<style>b{background:url(/i.png)}</style><b>x</b>'", "/i.png"),
    "innerHTML of <style>": ("add('b').textContent = 1; add('style').innerHTML = 'b{background:url(/i.png)}'", "/i.png"),
    "outerHTML": ("add('div').outerHTML = '<img src=\"/i.png\">'", "/i.png"),
    "insertAdjacentHTML": ("document.body.insertAdjacentHTML('beforeend', '<img src=\"/i.png\">')", "/i.png"),
    "insertAdjacentHTML after a script": (
        "add('script').insertAdjacentHTML('afterend', '<img src=\"/i.png\">')", "/i.png",
    ),
    "document.write": ("document.write('<head>' + tag + '</head><img src=\"/i.png\">')", "/i.png"),
    "createContextualFragment": (
        "document.createRange().createContextualFragment('<img src=\"/i.png\">')", "/i.png",
    ),
    "shadow root": (
        "add('div').attachShadow({mode: 'open'}).innerHTML = '<img src=\"/i.png\">'", "/i.png",
    ),
    "setHTMLUnsafe": ("add('div').setHTMLUnsafe('<img src=\"/i.png\">')", "/i.png"),
    "template": (
        "t = document.createElement('template'); t.innerHTML = '<img src=\"/i.png\">'; add(t.content.cloneNode(true))",
        "/i.png",
    ),
    "DOMParser, append": ("add(parsed('<img src=\"/i.png\">').body.firstChild)", "/i.png"),
    "DOMParser, append a tree": ("add(parsed('<p><b><img src=\"/i.png\"></b></p>').body)", "/i.png"),
    "DOMParser, adoptNode": ("document.adoptNode(parsed('<img src=\"/i.png\">').body.firstChild)", "/i.png"),
    "DOMParser, importNode": ("document.importNode(parsed('<img src=\"/i.png\">').body, true)", "/i.png"),
    "DOMParser, replaceWith": ("add('p').replaceWith(parsed('<img src=\"/i.png\">').body.firstChild)", "/i.png"),
    "DOMParser, insertAdjacentElement": (
        "document.body.insertAdjacentElement('beforeend', parsed('<img src=\"/i.png\">').body.firstChild)", "/i.png",
    ),
    "style property": ("x = add('p'); x.textContent = 'x'; x.style.backgroundImage = 'url(/i.png)'", "/i.png"),
    "style.setProperty": ("add('p').style.setProperty('background', 'url(\"/i.png\")')", "/i.png"),
    "style.cssText": ("add('p').style.cssText = 'background: url(/i.png)'", "/i.png"),
    "text of <style>": ("add('b').append(1); add('style').append('b{background:url(/i.png)}')", "/i.png"),
    "insertRule": ("add('style').sheet.insertRule('body{background:url(/i.png)}')", "/i.png"),
    "srcdoc property": ("add('iframe').srcdoc = '<img src=\"/i.png\">'", "/i.png"),
    "srcdoc attribute": ("add('iframe').setAttribute('srcdoc', '<p>x<img src=/i.png>')", "/i.png"),
    "srcdoc in HTML": ("add('div').innerHTML = '<iframe srcdoc=\"<img src=&quot;/i.png&quot;>\"></iframe>'", "/i.png"),
    "srcdoc, its style sheet": (
        "add('iframe').srcdoc = '<!doctype html><html><head><style>body{background:url(/i.png)}</style></head>'",
        "/i.png",
    ),
    "srcdoc, sandboxed without scripts": (
        "x = add('iframe'); x.setAttribute('sandbox', ''); x.srcdoc = '<img src=\"/i.png\">'", "/i.png",
    ),
    "srcdoc in a srcdoc": (
        "add('iframe').srcdoc = '<iframe srcdoc=\"<img src=&quot;/i.png&quot;>\"></iframe>'", "/i.png",
    ),
}  # fmt: skip

NAVIGATIONS = {
    "click a link": ("x = add('a'); x.href = '/next'; x.click()", "/next"),
    "click an inserted link": ("add('p').innerHTML = '<a href=\"/next\">x</a>'; document.links[0].click()", "/next"),
    "click a link changed in part": ("x = add('a'); x.href = 'y'; x.pathname = '/next'; x.click()", "/next"),
    "click a link in a shadow root": (
        ("s = add('p').attachShadow({mode: 'open'}); s.innerHTML = '<a>x</a>';"
         "x = document.createAttribute('href'); x.value = '/next'; s.firstChild.setAttributeNode(x); s.firstChild.click()"),
        "/next",
    ),
    "form.submit": ("x = add('form'); x.action = '/next'; x.submit()", "/next"),
    "form.submit, POST": ("x = add('form'); x.method = 'post'; x.action = '/next'; x.submit()", "/next"),
    "form with a field named action": (
        "x = add('form'); x.innerHTML = '<input name=action>'; x.setAttribute('action', '/next'); x.requestSubmit()",
        "/next",
    ),
    "button formAction": (
        "x = document.createElement('button'); add('form').append(x); x.formAction = '/next'; x.click()", "/next",
    ),
    "location.href": ("location.href = '/next'", "/next"),
    "location": ("window.location = '/next?a=b#c'", "/next"),
    "location.assign": ("location.assign('/next')", "/next"),
    "location.replace": ("location.replace(location.origin + '/next')", "/next"),
}  # fmt: skip

HELPERS = """
    const tag = document.querySelector("script[data-prefix]")?.outerHTML ?? "";
    const add = what => document.body.appendChild(typeof what === "string" ? document.createElement(what) : what);
    const svg = name => {
        const make = name => document.createElementNS("http://www.w3.org/2000/svg", name);
        return add(make("svg")).appendChild(make(name));
    };
    const parsed = html => new DOMParser().parseFromString(html, "text/html");
    let r, s, t, x;
"""


def run(tab: Tab, code: str) -> None:
    tab.page.evaluate(f"() => {{ {HELPERS} {code} }}")


@pytest.mark.parametrize(("code", "path"), REQUESTS.values(), ids=REQUESTS)
def test_request_stays_inside_the_prefix(tab: Tab, code: str, path: str) -> None:
    tab.open()
    run(tab, code)
    tab.site.wait_for(PREFIX + path[1:])
    tab.settle()
    assert tab.outside() == []
    assert tab.errors == []


@pytest.mark.parametrize(("code", "path"), NAVIGATIONS.values(), ids=NAVIGATIONS)
def test_navigation_stays_inside_the_prefix(tab: Tab, code: str, path: str) -> None:
    tab.open()
    run(tab, code)
    tab.page.wait_for_url(lambda url: urlsplit(url).path == PREFIX + path[1:])
    tab.settle()
    assert tab.outside() == []
    assert tab.errors == []


@pytest.mark.parametrize(("code", "path"), REQUESTS.values(), ids=REQUESTS)
def test_without_the_script_the_request_leaves_the_prefix(tab: Tab, code: str, path: str) -> None:
    tab.site.mapped = False
    tab.open()
    run(tab, code)
    tab.site.wait_for(path)


@pytest.mark.parametrize(("code", "path"), NAVIGATIONS.values(), ids=NAVIGATIONS)
def test_without_the_script_the_navigation_leaves_the_prefix(
    tab: Tab, code: str, path: str
) -> None:
    tab.site.mapped = False
    tab.open()
    run(tab, code)
    tab.page.wait_for_url(lambda url: urlsplit(url).path == path)


def test_element_reports_the_url_that_it_loads(tab: Tab) -> None:
    tab.open()
    image = tab.page.evaluate(
        "() => { const i = new Image(); i.src = '/data/x.png'; return [i.src, i.getAttribute('src')] }"
    )
    assert image == [f"{tab.site.origin}{PREFIX}data/x.png", f"{PREFIX}data/x.png"]


def test_history_stays_inside_the_prefix(tab: Tab) -> None:
    tab.open()
    for method in ("pushState", "replaceState"):
        tab.page.evaluate(f"history.{method}({{a: '/b'}}, '', '/projects/?page=2#x')")
        assert tab.page.url == f"{tab.site.origin}{PREFIX}projects/?page=2#x"
        assert tab.page.evaluate("history.state") == {"a": "/b"}
        tab.page.evaluate(f"history.{method}(null, '')")
        assert tab.page.url.endswith(f"{PREFIX}projects/?page=2#x")


UNTOUCHED = [
    "https://example.org/x.png", "//example.org/x.png", "/\\example.org/x.png", "http://127.0.0.1:1/x.png",
    "blob:http://127.0.0.1/0-0", "data:image/gif;base64,R0lGODlhAQABAAAAACw=", "javascript:void('/x')", "mailto:a@b.c",
    "#top", "?a=/b", "relative.png", "./relative.png", "", "about:blank",
    f"{PREFIX}x.png", PREFIX, PREFIX[:-1], f"{PREFIX[:-1]}?x", PREFIX.replace("%40", "@") + "x.png",
]  # fmt: skip


@pytest.mark.parametrize("url", UNTOUCHED)
def test_other_urls_are_untouched(tab: Tab, url: str) -> None:
    tab.open()
    seen = tab.page.evaluate(
        """url => {
            const link = document.createElement("a");
            const results = [];
            link.href = url; results.push(link.getAttribute("href"));
            link.setAttribute("href", url); results.push(link.getAttribute("href"));
            const box = document.createElement("div");
            box.innerHTML = `<a href="${url}">x</a>`; results.push(box.firstChild.getAttribute("href"));
            return results;
        }""",
        url,
    )
    assert seen == [url] * 3


def test_url_is_not_ours_under_a_base_elsewhere(tab: Tab) -> None:
    tab.open()
    page = '<base href="https://example.org/"><img src="/x.png">'
    srcdoc = tab.page.evaluate(
        "html => { const frame = document.createElement('iframe'); frame.srcdoc = html; return frame.srcdoc }",
        page,
    )
    assert srcdoc.endswith(page)


def test_request_keeps_method_headers_and_body(tab: Tab) -> None:
    tab.open()
    body = json.dumps({"text": 'see <a href="/x">/x</a> and fetch("/y")'})
    tab.page.evaluate(
        """body => fetch(new Request('/api/tasks', {
            method: 'PUT', headers: {'X-Test': '/z', 'Content-Type': 'application/json'}, body
        }))""",
        body,
    )
    seen = tab.site.wait_for(f"{PREFIX}api/tasks")
    assert (seen.method, seen.headers["x-test"], seen.headers["content-type"]) == (
        "PUT",
        "/z",
        "application/json",
    )
    assert seen.body.decode() == body

    tab.page.evaluate("body => fetch('/api/text', {method: 'POST', body})", body)
    assert tab.site.wait_for(f"{PREFIX}api/text").body.decode() == body


def test_response_is_untouched(tab: Tab) -> None:
    tab.open()
    assert (
        tab.page.evaluate("fetch('/api/x.json').then(r => r.text())") == CONTENT["json"][1].decode()
    )


def test_text_and_documents_that_are_only_parsed_are_untouched(tab: Tab) -> None:
    tab.open()
    html = '<a href="/x">x</a><img src="/y">'
    xml = '<View><Image name="i" value="/v" src="/s" href="/h"/></View>'
    results = tab.page.evaluate(
        """([html, xml]) => {
            const text = document.createElement("textarea");
            text.innerHTML = html;
            const code = document.createElement("script");
            code.innerHTML = `const x = '${html}'`;
            const parsed = new DOMParser().parseFromString(html, "text/html");
            const config = new DOMParser().parseFromString(xml, "application/xml");
            config.documentElement.firstChild.setAttribute("src", "/s");
            const comment = document.createElement("div");
            comment.innerHTML = `<!-- ${html} --><title>${html}</title>`;
            const paragraph = document.createElement("p");
            paragraph.textContent = html;
            paragraph.setAttribute("data-src", "/z");
            paragraph.title = "/t";
            return [text.value, code.textContent, parsed.body.innerHTML, new XMLSerializer().serializeToString(config),
                comment.innerHTML, paragraph.textContent, paragraph.dataset.src, paragraph.title];
        }""",
        [html, xml],
    )
    comment = f"<!-- {html} --><title>{html.replace('<', '&lt;').replace('>', '&gt;')}</title>"
    assert results == [html, f"const x = '{html}'", html, xml, comment, html, "/z", "/t"]


def test_inserted_html_is_otherwise_what_it_was(tab: Tab) -> None:
    """The tree is the one that the browser makes without the script, but for the URLs; scripts stay inert."""
    html = (
        "<pre>\n\n two lines</pre><p>a<p>b <b>c<i>d</b>e</i> &lt;&amp;&nbsp;&#47; "
        "<table><tr><td>x<a title='1 > 0' href=\"/a?x=1&copy=2&quot;'\" data-x='/d'>y</table>"
        "<script>window.ran = true</script><a href=/b/>z</a><br/><a b=c href='/c' href='/d'>"
        "<img alt='<img src=/no>' src=/i.png?a\u00a0b><textarea>\n<img src=/n></textarea><a href=\"/unclosed"
    )
    trees = []
    for mapped in (True, False):
        tab.site.mapped = mapped
        tab.open()
        trees.append(
            tab.page.evaluate(
                "html => { const box = document.createElement('div'); document.body.append(box);"
                "box.innerHTML = html; return [box.innerHTML, window.ran] }",
                html,
            )
        )
    (mapped_tree, mapped_ran), (tree, ran) = trees
    assert mapped_tree.count(PREFIX[:-1]) == 4
    assert mapped_tree.replace(PREFIX[:-1], "") == tree
    assert mapped_ran is ran is None


def test_frame_document_is_otherwise_what_it_was(tab: Tab) -> None:
    html = (
        "<!-- a --><!DOCTYPE html><html lang=en><head profile=x><title>/t</title></head>\n<body class=y>"
        "<pre>\n\nx</pre>text /x <a href='/a'>a</a></body></html>"
    )
    read = """html => new Promise(done => {
        const frame = document.createElement("iframe");
        frame.onload = () => {
            const { documentElement: root, compatMode } = frame.contentDocument;
            done([root.outerHTML, compatMode]);
        };
        frame.srcdoc = html;
        document.body.append(frame);
    })"""
    results = []
    for mapped in (True, False):
        tab.site.mapped = mapped
        tab.open()
        root, mode = tab.page.evaluate(read, html)
        results.append((root.replace(PREFIX[:-1], ""), mode))
    assert results[0] == results[1]


def test_second_run_changes_nothing(tab: Tab) -> None:
    tab.open()
    results = tab.page.evaluate(
        """async () => {
            const first = [fetch, Worker, Element.prototype.setAttribute];
            const again = document.createElement("script");
            Object.assign(again.dataset, document.querySelector("script[data-prefix]").dataset);
            again.src = "_proxy/static/prefix.js";
            await new Promise(done => { again.onload = done; document.head.append(again); });
            const image = new Image();
            image.src = "/x.png";
            return [again.dataset.prefix, image.getAttribute("src"),
                [fetch, Worker, Element.prototype.setAttribute].map((f, i) => f === first[i])];
        }"""
    )
    assert results == [PREFIX, f"{PREFIX}x.png", [True] * 3]
    tab.settle()
    assert tab.outside() == []


@pytest.mark.parametrize("way", ["click a link changed in part", "click a link in a shadow root"])
def test_click_stays_inside_the_prefix_without_the_navigation_api(new_tab: Tab, way: str) -> None:
    new_tab.page.add_init_script("delete window.navigation")
    test_navigation_stays_inside_the_prefix(new_tab, *NAVIGATIONS[way])


def test_service_worker_gets_the_prefix_as_its_scope(tab: Tab) -> None:
    tab.open()
    scope = tab.page.evaluate(
        "navigator.serviceWorker.register('/sw.js', {scope: '/'}).then(r => r.scope)"
    )
    assert scope == tab.site.origin + PREFIX


def test_functions_and_classes_stay_what_they_are(tab: Tab) -> None:
    shapes_of = """() => {
        const shape = f => [f.name, f.length, typeof f.prototype, String(f).includes("[native code]")];
        class Own extends Request {}
        const worker = new Worker("w.js");
        const setter = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, "src").set;
        return [
            ...[fetch, Request, Worker, WebSocket, EventSource, Audio, open, Element.prototype.setAttribute].map(shape),
            shape(setter), worker instanceof Worker, worker.constructor === Worker, new Audio() instanceof Audio,
            new Own("x") instanceof Own, new Request("x") instanceof Request, Request.prototype.constructor === Request,
            Object.keys(WebSocket), WebSocket.OPEN, Object.getOwnPropertyNames(window).includes("fetch"),
        ];
    }"""
    shapes = []
    for mapped in (True, False):
        tab.site.mapped = mapped
        tab.open()
        shapes.append(tab.page.evaluate(shapes_of))
    assert shapes[0] == shapes[1]


def test_missing_apis_are_no_error(new_tab: Tab) -> None:
    names = "Worker SharedWorker EventSource WebSocket FontFace ServiceWorkerContainer Worklet ShadowRoot navigation Audio"
    new_tab.page.add_init_script(
        f"for (const name of {json.dumps(names.split())}) delete window[name];"
    )
    new_tab.open()
    new_tab.page.evaluate("fetch('/api/x.json')")
    assert new_tab.errors == []
    assert new_tab.outside() == []


def test_nulls_reach_the_browser_as_they_are(tab: Tab) -> None:
    tab.open()
    assert tab.page.evaluate(
        """() => {
            const box = document.createElement("div");
            box.innerHTML = "<p>x</p>";
            box.innerHTML = null;
            const errors = [() => document.body.setAttribute("x"), () => new Worker(), () => box.insertAdjacentHTML("x")]
                .map(call => { try { call() } catch (error) { return error.name } });
            return [box.innerHTML, ...errors];
        }"""
    ) == ["", "TypeError", "TypeError", "TypeError"]


@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "<a ",
        '<a href="',
        "<a href='",
        "<!--",
        "</",
        "<style>",
        "<script>",
        "<p style=url(",
        "<b a=",
        "'\"<i ",
    ],
)
def test_hostile_html_ends(tab: Tab, piece: str) -> None:
    tab.open()
    # In a template, so that the time is the script's and not the page's.
    code = "html => { document.createElement('template').innerHTML = html; return 'done' }"
    assert tab.page.evaluate(code, piece * (300_000 // len(piece))) == "done"


@pytest.mark.parametrize("piece", ["url(", "url( ", 'url("', "@import ", "/*", "'\\'", '"\\'])
def test_hostile_style_sheet_ends(tab: Tab, piece: str) -> None:
    tab.open()
    code = "css => { const style = document.createElement('style'); style.innerHTML = css; return 'done' }"
    assert tab.page.evaluate(code, "url(" + piece * (300_000 // len(piece))) == "done"
