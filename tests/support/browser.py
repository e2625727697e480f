"""A real Chromium, and a record of everything that its pages requested."""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    Frame,
    Locator,
    Page,
    Playwright,
    Request,
    sync_playwright,
)

from .processes import wait_for

# Chromium without a window and the programs of one, such as the viewer of PDFs. A page takes a third
# less processor time in it.
HEADLESS_SHELL = "chromium-headless-shell"
EXECUTABLES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# A name of this machine that browsers, unlike localhost, do not trust.
INSECURE_HOST = "jupyter.test"

ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
]


def find_headless_shell(playwright: Playwright) -> str | None:
    """Return the path of the machine's headless shell, or of the one that Playwright installed."""
    if path := shutil.which(HEADLESS_SHELL):
        return path
    whole = Path(playwright.chromium.executable_path)
    pattern = whole.parents[1].name.replace("chromium-", "chromium_headless_shell-")
    found = whole.parents[2].glob(f"{pattern}/*/*headless*shell")
    return next(map(str, found), None)


def find_chromium(playwright: Playwright) -> str | None:
    """Return the path of the machine's Chromium or Chrome, or of the one that Playwright installed."""
    for name in EXECUTABLES:
        # Ubuntu's chromium-browser may be a stub that only says to install a snap
        if (path := shutil.which(name)) and _runs(path):
            return path
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def _runs(executable: str) -> bool:
    asked = subprocess.run([executable, "--version"], check=False, capture_output=True)
    return asked.returncode == 0


def launch(
    playwright: Playwright, executable: str, hosts: Mapping[str, str] | None = None
) -> Browser:
    """`hosts`: more names that the browser knows, as `{"example.org:443": "127.0.0.1:8443"}`."""
    ours = {INSECURE_HOST: "127.0.0.1", f"*.{INSECURE_HOST}": "127.0.0.1"}
    known = {**(hosts or {}), **ours}
    # no internet, so that the tests do not depend on it
    rules = [f"MAP {name} {there}" for name, there in known.items()]
    rules += ["MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1"]
    arguments = [*ARGUMENTS, f"--host-resolver-rules={' , '.join(rules)}"]
    return playwright.chromium.launch(executable_path=executable, args=arguments)


@dataclass
class Exchange:
    """A request of a page, and its result."""

    method: str
    url: str
    resource_type: str
    status: int | None = None
    """None until there is a response."""
    failure: str | None = None

    @property
    def is_failed(self) -> bool:
        # a navigation, a download or a seek in a video aborts requests: no failure
        failed = self.failure is not None and self.failure != "net::ERR_ABORTED"
        return failed or (self.status is not None and self.status >= 400)

    def is_within(self, prefix: str, origin: str) -> bool:
        parts = urlsplit(self.url)
        if parts.scheme in {"about", "blob", "data"}:
            return True
        path_is_within = f"{parts.path}/".startswith(prefix)
        return f"{parts.scheme}://{parts.netloc}" == origin and path_is_within

    def __str__(self) -> str:
        outcome = " ".join(str(o) for o in (self.status, self.failure) if o)
        return f"{outcome or 'no response'} {self.method} {self.url} ({self.resource_type})"


# Label Studio's editor throws this (`getRootElement` of its `createAppV17`) when React replaces the
# editor's part of the page before the editor has loaded. The race is Label Studio's own and shows
# about once in ten visits on a busy machine. The tests check the labels all the same.
EDITOR_RACE = "Root element not found (selector: null)"


@dataclass
class Recorder:
    """Every request and error of the pages of a browser context, pop-ups included."""

    context: BrowserContext
    exchanges: list[Exchange] = field(default_factory=list)
    console_errors: list[str] = field(default_factory=list)
    page_errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        by_request: dict[Request, Exchange] = {}

        def on_request(request: Request) -> None:
            exchange = Exchange(request.method, request.url, request.resource_type)
            by_request[request] = exchange
            self.exchanges.append(exchange)

        def on_failure(request: Request) -> None:
            if request in by_request:  # Chromium's PDF viewer fails without a begin when it closes
                by_request[request].failure = request.failure

        self.context.on("request", on_request)
        self.context.on("response", lambda r: setattr(by_request[r.request], "status", r.status))
        self.context.on("requestfailed", on_failure)
        self.context.on("weberror", lambda error: self.page_errors.append(str(error.error)))
        self.context.on(
            "console",
            lambda message: (
                self.console_errors.append(message.text) if message.type == "error" else None
            ),
        )

    def assert_clean(
        self, prefix: str, origin: str, *, ignored: Callable[[Exchange], bool] = lambda _: False
    ) -> None:
        """Raise AssertionError if there was an error or a request that should not have been.

        These are failed requests, requests outside `origin` and `prefix`, uncaught exceptions, and
        what the page's content security policy refused.

        `origin` as in `http://127.0.0.1:8888`, `prefix` as in `/user/alice/labelstudio/`.
        """
        self.context.cookies()  # a round trip, after which all earlier events have arrived
        exchanges = [exchange for exchange in self.exchanges if not ignored(exchange)]
        problems = [f"failed: {e}" for e in exchanges if e.is_failed]
        problems += [f"outside: {e}" for e in exchanges if not e.is_within(prefix, origin)]
        problems += [f"uncaught: {e}" for e in self.page_errors if e != EDITOR_RACE]
        problems += [e for e in self.console_errors if "Content Security Policy" in e]
        console = [f"(console: {text})" for text in self.console_errors]
        assert not problems, "\n".join([*problems, *console])

    def forget(self) -> None:
        """Forget everything recorded so far."""
        self.exchanges.clear()
        self.console_errors.clear()
        self.page_errors.clear()


class Tab(NamedTuple):
    page: Page
    recorder: Recorder


def new_tab(browser: Browser, login_url: str | None = None) -> Tab:
    """Return a tab in a new browser profile; `login_url` gives it Jupyter's cookie first."""
    context = browser.new_context(
        viewport={"width": 1400, "height": 900},
        ignore_https_errors=True,  # no browser knows who signed the tests' certificates
    )
    if login_url:
        response = context.request.get(login_url)
        assert response.ok, f"{response.status} at the login"
    recorder = Recorder(context)
    return Tab(context.new_page(), recorder)


def frame_in(lab: Page) -> Frame:
    """Return the page of Label Studio in the only tab of JupyterLab that has one.

    The extension takes the frame of a new tab out of its sandbox, which makes another frame of it.
    """
    frame = lab.locator("iframe:not([sandbox])").element_handle().content_frame()
    assert frame is not None
    return frame


def rest(studio: Frame | Page) -> None:
    """Wait until the page made no request for a second, as a user would.

    Label Studio's editor throws an error if its part of the page is replaced while it opens.
    """
    studio.wait_for_function(
        """() => {
            const asked = performance.getEntriesByType("resource").length;
            if (window.asked !== asked) {
                window.asked = asked;
                window.askedAt = performance.now();
            }
            return performance.now() - window.askedAt > 1000;
        }""",
        polling=100,
    )


def drop(studio: Frame | Page, path: Path) -> None:
    """Drop a file or a folder on the field of Label Studio's page for uploads."""
    box = studio.locator("#holder").bounding_box()
    assert box is not None
    page = studio if isinstance(studio, Page) else studio.page
    devtools = page.context.new_cdp_session(page)
    for step in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        devtools.send("Input.dispatchDragEvent", {"type": step, "data": data, **place})


def save_screenshots(tab: Tab, stem: Path) -> None:
    """Save a picture of every open page of the tab's context as `<stem>-<n>.png`."""
    for number, page in enumerate(tab.recorder.context.pages):
        page.screenshot(path=stem.with_name(f"{stem.name}-{number}.png"))


SHARE_OF_COLOUR = """
async ([png, colour]) => {
    const image = await createImageBitmap(
        new Blob([Uint8Array.from(atob(png), (c) => c.charCodeAt(0))], { type: "image/png" }));
    const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) {
        count += colour.every((part, n) => Math.abs(data[i + n] - part) < 16);
    }
    return count / (image.width * image.height);
}
"""


def wait_for_colour(locator: Locator, colour: tuple[int, int, int], share: float) -> None:
    """Wait until that share of what is on the screen has the colour."""

    def is_there() -> bool:
        box = locator.bounding_box()  # none while the editor mounts it anew
        if not box:
            return False
        png = base64.b64encode(locator.page.screenshot(clip=box)).decode()
        seen: float = locator.page.evaluate(SHARE_OF_COLOUR, [png, colour])
        return seen > share

    wait_for(is_there, what=f"{colour} on more than {share:.0%} of {locator}")


if __name__ == "__main__":
    # for scripts/system-packages: exit with 0 if there are the browsers for the tests
    with sync_playwright() as started:
        both = find_chromium(started) and find_headless_shell(started)
        sys.exit(None if both else "no Chromium found")
