"""The start page in a real browser, against a small server that answers as a test tells it to."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from multidict import CIMultiDict
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from labelstudio_proxy.gateway import start_page
from labelstudio_proxy.gateway.request_guard import Origins, refusal
from labelstudio_proxy.gateway.start_page import Action, render_notice_page, render_start_page
from labelstudio_proxy.jupyter.unavailable import GatewayUnavailable, page_policy
from labelstudio_proxy.problem import Problem
from labelstudio_proxy.request_kind import classify

pytestmark = pytest.mark.timeout(120)  # s; a page that reloads for ever keeps the browser busy

PREFIX = "/user/alice/labelstudio/"
STATIC = Path(start_page.__file__).parent / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
TITLES = {"find": "Find Label Studio", "database": "Prepare the database", "serve": "Start it"}
ERROR = {
    "what": "Label Studio ended with code 1.",
    "why": "The disk of the data directory is full.",
    "remedy": "Make room, for example:\n`rm -r ~/.local/share/Trash`\nthen try again.",
}
FAILED_LOADS = "Failed to load resource"  # what Chromium says about a server that does not answer


def steps(current: int, state: str = "current") -> list[dict[str, Any]]:
    states = ["done"] * current + [state] + ["next"] * len(TITLES)
    return [
        {
            "id": id,
            "title": title,
            "state": states[index],
            "seconds": 0.4 if states[index] == "done" else None,
            "detail": "Label Studio 1.23.2" if id == "find" else "",
        }
        for index, (id, title) in enumerate(TITLES.items())
    ]


class Gateway:
    """As much of the gateway as the page sees. `set` and `say` are for the thread of the test."""

    def __init__(self) -> None:
        self.snapshot: dict[str, Any] = {
            "state": "starting",
            "steps": steps(0),
            "progress": None,
            "versions": {"labelstudio-proxy": "0.1.0", "Label Studio": "1.23.2"},
            "backend": "process",
            "started_at": time.time() - 2,
            "ready_after": None,
            "restarts": 0,
            "error": None,
            "next_start": None,
            "stopped_because": "",
        }
        self.log: list[tuple[int, str]] = []
        # or "login", "not" (at all), "buffered" or "eventless" (no events), "proxied" (Host changed)
        self.answers = "well"
        self.stuck = False  # serves the start page even when Label Studio is ready
        self.notice: str | None = None  # a page to serve instead
        self.policy = POLICY
        self.requests: list[str] = []
        self._ended_streams = 0
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Condition()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.port: int = self._run(self._start())

    def set(self, answers: str | None = None, **changes: Any) -> None:
        def change() -> None:
            self.answers = answers or self.answers
            self.snapshot |= changes

        self._run(self._change(change))

    def say(self, *lines: str) -> None:
        def change() -> None:
            last = self.log[-1][0] if self.log else 0
            self.log += [(last + number, line) for number, line in enumerate(lines, 1)]

        self._run(self._change(change))

    def end_streams(self) -> None:
        self._run(self._change(lambda: None, end=True))

    def count(self, request: str) -> int:
        return self.requests.count(request)

    def close(self) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _start(self) -> int:
        app = web.Application(middlewares=[self._middleware])
        app.router.add_get(PREFIX + "_proxy/state", self._state)
        app.router.add_get(PREFIX + "_proxy/events", self._events)
        app.router.add_post(PREFIX + "_proxy/{verb:start|restart|take-over}", self._restart)
        app.router.add_get(PREFIX + "_proxy/diagnostics", self._diagnostics)
        app.router.add_static(PREFIX + "_proxy/static/", STATIC)
        app.router.add_get("/login", self._login)
        app.router.add_get("/lab", self._lab)
        app.router.add_get(PREFIX + "{path:.*}", self._page)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def _stop(self) -> None:
        await self._change(lambda: None, end=True)
        await self._runner.cleanup()

    async def _change(self, change: Callable[[], None], end: bool = False) -> None:
        async with self._changed:
            change()
            self._ended_streams += end
            self._changed.notify_all()

    @web.middleware
    async def _middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path.removeprefix(PREFIX)}")
        if self.answers == "not":
            assert request.transport is not None
            request.transport.abort()
        if self.answers == "login" and request.path != "/login":
            raise web.HTTPFound(f"http://hub.test:{self.port}/login")  # as with JupyterHub
        if self.answers == "proxied":
            headers = CIMultiDict({**request.headers, "Host": "127.0.0.1:8888"})
            kind = classify(request.method, request.path, headers)
            if problem := refusal(kind, headers, Origins()):
                return web.json_response({"detail": "", **problem.as_json()}, status=403)
        return await handler(request)

    def _now(self) -> dict[str, Any]:
        return self.snapshot | {"now": time.time()}

    async def _state(self, request: web.Request) -> web.Response:
        return web.json_response(self._now() | {"log": self.log})

    async def _restart(self, request: web.Request) -> web.Response:
        fresh = {"state": "starting", "steps": steps(0), "error": None, "started_at": time.time()}
        fresh["holder"] = None
        self.snapshot |= fresh
        return web.json_response(self._now(), status=202)

    async def _diagnostics(self, request: web.Request) -> web.Response:
        return web.Response(text="labelstudio-proxy 0.1.0\nall there is to know")

    async def _login(self, request: web.Request) -> web.Response:
        return web.Response(
            text='<link rel="icon" href="data:,"><title>Log in</title>', content_type="text/html"
        )

    async def _lab(self, request: web.Request) -> web.Response:
        html = f'<link rel="icon" href="data:,"><input><iframe src="{PREFIX}"></iframe>'
        return web.Response(text=html, content_type="text/html")

    async def _page(self, request: web.Request) -> web.Response:
        if self.notice:
            html = self.notice
        elif self.snapshot["state"] == "ready" and not self.stuck:
            icon = '<link rel="icon" href="data:,">'
            html = f"<!DOCTYPE html>{icon}<title>Label Studio</title><h1>Label Studio itself</h1>"
            return web.Response(text=html, content_type="text/html")
        else:
            html = render_start_page(self._now(), PREFIX)
        headers = {"Content-Security-Policy": self.policy}
        return web.Response(text=html, content_type="text/html", headers=headers)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self.answers == "eventless":
            raise web.HTTPBadGateway
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        ended, sent, state = self._ended_streams, 0, ""  # sends the whole log again each time
        while ended == self._ended_streams:
            if self.answers == "well":
                news = [line for line in self.log if line[0] > sent]
                if news:
                    sent = news[-1][0]
                    text = f"event: log\nid: {sent}\ndata: {json.dumps(news)}\n\n"
                    await response.write(text.encode())
                if state != (state := json.dumps(self.snapshot)):
                    data = json.dumps(self._now())
                    text = f"retry: 100\nevent: state\ndata: {data}\n\n"
                    await response.write(text.encode())
                if self.snapshot["state"] in ("ready", "failed"):
                    break
            async with self._changed:
                await self._changed.wait()
        return response


@dataclass
class Watch:
    """What a browser complained about, and where it went."""

    problems: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    def attach(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self.urls.append(request.url))
        page.on(
            "console",
            lambda said: self.problems.append(said.text) if said.type == "error" else None,
        )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    flags = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-sync",
        "--no-first-run",
        # a name that is not localhost: http to it is no secure context
        "--host-resolver-rules=MAP hub.test 127.0.0.1",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        yield browser
        browser.close()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(reduced_motion="no-preference")
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def page(context: BrowserContext, gateway: Gateway, watch: Watch) -> Iterator[Page]:
    """A page; afterwards nothing may have been loaded from elsewhere, or complained about."""
    expect.set_options(timeout=20_000)
    page = context.new_page()
    watch.attach(page)
    yield page
    hosts = (f"http://127.0.0.1:{gateway.port}/", f"http://hub.test:{gateway.port}/", "data:")
    assert [url for url in watch.urls if not url.startswith(hosts)] == []
    assert [text for text in watch.problems if not text.startswith(watch.expected or "\0")] == []


@pytest.fixture
def open_page(page: Page, gateway: Gateway) -> Callable[..., None]:
    def open_page(path: str = "", host: str = "127.0.0.1") -> None:
        page.goto(f"http://{host}:{gateway.port}{PREFIX}{path}")

    return open_page


Open = Callable[..., None]
NO_POLLS = "window.setTimeout = () => 0"  # as an init script: what then arrives came as an event


def test_steps_advance_as_the_start_does(page: Page, gateway: Gateway, open_page: Open) -> None:
    page.add_init_script(NO_POLLS)
    open_page()
    expect(page).to_have_title("Starting Label Studio…")
    items = page.get_by_role("listitem")
    expect(items).to_have_count(3)
    expect(page.locator("[aria-current=step]")).to_contain_text("Find Label Studio")
    expect(page.get_by_role("progressbar")).to_have_count(0)

    gateway.set(steps=steps(1), progress={"done": 57, "total": 261})
    expect(page.locator("[aria-current=step]")).to_contain_text("Prepare the database")
    expect(items.nth(0)).to_contain_text("done")
    expect(items.nth(0)).to_contain_text("0.4 s")
    sentence = page.get_by_text("Now: Prepare the database. Next: Start it.")
    expect(sentence).to_have_attribute("aria-live", "polite")
    bar = page.get_by_role("progressbar", name="Prepare the database")
    expect(bar).to_have_attribute("value", "57")
    expect(bar).to_have_attribute("max", "261")
    expect(items.nth(1)).to_contain_text("57 of 261")

    gateway.set(steps=steps(2), progress=None)
    expect(page.get_by_role("progressbar")).to_have_count(0)
    expect(page.get_by_text("It appears here in a moment.")).to_be_visible()


def test_times_count_up_by_the_servers_clock(page: Page, gateway: Gateway, open_page: Open) -> None:
    page.clock.install(time=time.time() - 3600)  # the server's is an hour ahead of the browser's
    page.add_init_script(NO_POLLS)
    gateway.set(started_at=time.time() - 65)
    open_page()
    expect(page.get_by_role("timer")).to_have_text(re.compile(r"1 min (0[89]|1\d) s"))
    expect(page.locator("[aria-current=step] .time")).to_have_text(re.compile(r"1 min \d\d s"))


def test_log_lines_appear_once_each_however_often_they_are_sent(
    page: Page, gateway: Gateway, open_page: Open
) -> None:
    gateway.say("before the page")
    open_page()
    log = page.get_by_role("log", include_hidden=True)
    expect(log).to_be_hidden()
    page.get_by_text("Log", exact=True).click()
    expect(log).to_be_visible()
    expect(log).to_have_text("before the page")
    expect(log).to_have_attribute("aria-live", "off")

    gateway.end_streams()
    gateway.say("\x1b[32mafter\x1b[0m it")
    expect(log.locator("div")).to_have_text(["before the page", "after it"])


def test_log_follows_its_end_until_the_person_scrolls_up_and_is_capped(
    page: Page, gateway: Gateway, open_page: Open
) -> None:
    gateway.say(*(f"line {number}" for number in range(900)))
    open_page()
    page.get_by_text("Log", exact=True).click()
    lines = page.locator("#log div")
    expect(lines).to_have_count(900)
    expect(lines.last).to_be_in_viewport()
    gateway.say(*(f"line {number}" for number in range(900, 950)))
    expect(lines).to_have_count(950)
    expect(lines.last).to_be_in_viewport()

    page.locator("#log").hover()
    page.mouse.wheel(0, -2000)
    expect(lines.last).not_to_be_in_viewport()
    gateway.say("news", *(f"line {number}" for number in range(1100)))
    expect(lines.last).to_have_text("line 1099")
    expect(lines).to_have_count(1000)
    expect(lines.last).not_to_be_in_viewport()


def test_hostile_log_line_is_text(page: Page, gateway: Gateway, open_page: Open) -> None:
    line = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">"
    open_page()
    gateway.say(line)
    gateway.set(state="failed", steps=steps(1, "failed"), error=ERROR | {"what": line})
    expect(page.locator("#log")).to_have_text(line)
    expect(page.locator("#what")).to_have_text(line)
    assert page.locator("#main script, #main img").count() == 0
    expect(page).to_have_title("Label Studio could not be started")


def test_failure_says_what_why_and_what_to_do_and_trying_again_goes_back_to_progress(
    page: Page, gateway: Gateway, open_page: Open
) -> None:
    open_page()
    gateway.say("the last line")
    gateway.set(state="failed", steps=steps(1, "failed"), error=ERROR)
    heading = page.get_by_role("heading", name="Label Studio could not be started")
    expect(heading).to_be_focused()
    assert heading.evaluate("heading => getComputedStyle(heading).outlineWidth") == "0px"
    expect(page.get_by_role("heading", name="What to do")).to_be_visible()
    expect(page.get_by_text(ERROR["what"])).to_be_visible()
    expect(page.get_by_text(ERROR["why"])).to_be_visible()
    expect(page.locator("#remedy code")).to_have_text("rm -r ~/.local/share/Trash")
    expect(page.get_by_role("listitem").nth(1)).to_contain_text("failed")
    expect(page.get_by_role("log")).to_have_text("the last line")

    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Starting Label Studio…")).to_be_visible()
    expect(page.locator("#error")).to_be_hidden()
    assert gateway.count("POST _proxy/start") == 1
    gateway.set(steps=steps(2))
    expect(page.locator("[aria-current=step]")).to_contain_text("Start it")


def test_page_that_opens_on_a_failure_leaves_the_focus_alone_and_fetches_the_log(
    page: Page, gateway: Gateway, open_page: Open
) -> None:
    gateway.say("why it failed")
    gateway.set(state="failed", steps=steps(1, "failed"), error=ERROR)
    open_page()
    expect(page.get_by_role("log")).to_have_text("why it failed")
    expect(page.locator("body")).to_be_focused()


def test_failure_in_a_frame_takes_no_focus_from_what_is_being_typed(
    page: Page, gateway: Gateway
) -> None:
    page.goto(f"http://127.0.0.1:{gateway.port}/lab")
    frame = page.frame_locator("iframe")
    expect(frame.locator("[aria-current=step]")).to_be_visible()
    page.get_by_role("textbox").click()
    gateway.set(state="failed", steps=steps(1, "failed"), error=ERROR)
    expect(frame.get_by_text(ERROR["what"])).to_be_visible()
    expect(page.get_by_role("textbox")).to_be_focused()
    page.keyboard.type("print()")
    expect(page.get_by_role("textbox")).to_have_value("print()")


def test_a_resting_page_sees_that_another_tab_started_label_studio(
    page: Page, gateway: Gateway, open_page: Open
) -> None:
    gateway.set(state="stopped", steps=[])
    open_page()
    expect(page.get_by_role("heading", name="Label Studio is not running")).to_be_visible()
    gateway.set(state="starting", steps=steps(1))
    expect(page.locator("[aria-current=step]")).to_contain_text("Prepare the database")


def test_stopped_label_studio_is_started_with_a_button(
    page: Page, gateway: Gateway, open_page: Open
) -> None:
    gateway.set(state="stopping")
    open_page()
    expect(page.get_by_role("heading", name="Stopping Label Studio…")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    gateway.set(state="stopped", steps=[])
    expect(page.get_by_role("heading", name="Label Studio is not running")).to_be_visible()
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("heading", name="Starting Label Studio…")).to_be_visible()


def colour(button: Locator) -> str:
    """Return the background of a button; that of the step that helps differs."""
    found: str = button.evaluate("button => getComputedStyle(button).backgroundColor")
    return found


HOLDER = {"address": "https://hub.test/user/ada/labelstudio/", "action": "Take over"}


def test_a_directory_that_another_server_uses_is_taken_over_with_a_button(
    page: Page, gateway: Gateway, open_page: Open
) -> None:
    open_page()
    gateway.set(state="failed", error=ERROR, holder=HOLDER)
    expect(
        page.get_by_role("heading", name="Label Studio is running on another server")
    ).to_be_visible()
    link = page.get_by_role("link", name="Open it there")
    retry = page.get_by_role("button", name="Try again")
    assert colour(link) != colour(retry) == colour(page.get_by_role("button", name="Take over"))
    expect(link).to_have_attribute("href", HOLDER["address"])
    page.get_by_role("button", name="Take over").click()
    expect(page.get_by_role("heading", name="Starting Label Studio…")).to_be_visible()
    expect(page.get_by_role("button", name="Take over")).to_be_hidden()
    assert gateway.count("POST _proxy/take-over") == 1
    assert gateway.count("POST _proxy/start") == 0

    # The other server takes it back, and its page cannot be found.
    gateway.set(state="failed", error=ERROR, holder={"address": "", "action": "Take it back"})
    take_back = page.get_by_role("button", name="Take it back")
    expect(take_back).to_be_visible()
    expect(link).to_be_hidden()
    assert colour(take_back) != colour(retry)
    retry.click()
    expect(page.get_by_role("heading", name="Starting Label Studio…")).to_be_visible()
    gateway.set(
        state="failed", error=ERROR, holder={"address": "javascript:alert(1)", "action": ""}
    )
    expect(page.get_by_role("heading", name="Label Studio could not be started")).to_be_visible()
    expect(link).to_be_hidden()
    expect(page.get_by_role("button", name="Take")).to_be_hidden()


def test_a_wrong_setting_shows_no_empty_log_and_highlights_no_button(
    page: Page, gateway: Gateway, open_page: Open
) -> None:
    remedy = {"remedy": "Correct the setting `image`, then restart Jupyter."}
    gateway.set(state="failed", steps=[], error=ERROR | remedy)
    open_page()
    retry = page.get_by_role("button", name="Try again")
    expect(retry).to_be_visible()
    assert colour(retry) == colour(page.get_by_role("button", name="Copy diagnostics"))
    expect(page.get_by_text("Log", exact=True)).to_be_hidden()
    expect(page.get_by_role("listitem")).to_have_count(0)

    # The next failure is one that can be tried again, after Label Studio has printed something.
    retry.click()
    expect(page.get_by_role("heading", name="Starting Label Studio…")).to_be_visible()
    gateway.say("a line")
    gateway.set(state="failed", error=ERROR)
    expect(page.get_by_role("log")).to_have_text("a line")
    assert colour(retry) != colour(page.get_by_role("button", name="Copy diagnostics"))


def test_page_behind_a_proxy_that_changes_host_says_which_header_is_missing(
    page: Page, gateway: Gateway, watch: Watch, open_page: Open
) -> None:
    watch.expected = (FAILED_LOADS,)
    gateway.set("proxied", state="stopped", steps=[], may_start=True)
    open_page(host="hub.test")  # not localhost, so that the browser sends no Sec-Fetch-Site
    expect(page.get_by_text("a proxy has changed its header Host")).to_be_visible()
    expect(page.get_by_text(f"hub.test:{gateway.port}")).to_be_visible()
    expect(page.locator("#remedy")).to_contain_text("proxy_set_header Host $http_host;")
    with page.expect_response("**/_proxy/start"):
        page.get_by_role("button", name="Try again").click()
    expect(page.locator("#remedy")).to_contain_text("X-Forwarded-Host")
    assert gateway.count("POST _proxy/start") == 2

    # The proxy is mended.
    gateway.set("well")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Starting Label Studio…")).to_be_visible()
    expect(page.locator("#error")).to_be_hidden()


def test_an_ordinary_failure_offers_no_taking_over(
    page: Page, gateway: Gateway, open_page: Open
) -> None:
    gateway.set(state="failed", error=ERROR, holder=None)
    open_page()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    expect(page.get_by_role("button", name="Take over")).to_be_hidden()
    expect(page.get_by_role("link")).to_have_count(0)


def test_diagnostics_go_to_the_clipboard(
    page: Page, context: BrowserContext, gateway: Gateway, open_page: Open
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    gateway.set(state="failed", error=ERROR)
    open_page()
    page.get_by_role("button", name="Copy diagnostics").click()
    expect(page.get_by_text("Diagnostics copied.")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "labelstudio-proxy 0.1.0\nall there is to know"
    expect(page.get_by_label("Diagnostics", exact=True)).to_be_hidden()


def test_diagnostics_are_shown_and_selected_where_there_is_no_clipboard(
    page: Page, gateway: Gateway, open_page: Open
) -> None:
    gateway.set(state="failed", error=ERROR)
    open_page(host="hub.test")
    assert page.evaluate("navigator.clipboard") is None
    page.get_by_role("button", name="Copy diagnostics").click()
    area = page.get_by_label("Diagnostics", exact=True)
    expect(area).to_have_value("labelstudio-proxy 0.1.0\nall there is to know")
    expect(area).to_be_focused()
    assert page.evaluate("getSelection().toString()").startswith("labelstudio-proxy 0.1.0")
    expect(page.get_by_text("to copy.")).to_be_visible()


def test_label_studio_opens_at_the_url_that_was_asked_for(
    page: Page, gateway: Gateway, open_page: Open
) -> None:
    path = "projects/7/data?tab=3&query=%7B%7D#label"
    open_page(path)
    expect(page.get_by_role("heading", name="Starting Label Studio…")).to_be_visible()
    gateway.set(state="ready", steps=steps(3))
    expect(page.get_by_role("heading", name="Label Studio itself")).to_be_visible()
    assert page.url == f"http://127.0.0.1:{gateway.port}{PREFIX}{path}"
    assert page.evaluate("history.length") <= 2  # about:blank, and this one


def test_reloading_ends_when_it_leads_nowhere(
    page: Page, gateway: Gateway, open_page: Open
) -> None:
    gateway.stuck = True
    gateway.set(state="ready", steps=steps(3))
    open_page("projects/7?a=1#b")
    link = page.get_by_role("link", name="Open Label Studio")
    expect(link).to_be_visible()
    assert gateway.count("GET projects/7") == 3
    gateway.stuck = False
    link.click()
    expect(page.get_by_role("heading", name="Label Studio itself")).to_be_visible()
    assert page.url.endswith(f"{PREFIX}projects/7?a=1")


@pytest.mark.parametrize("answers", ["buffered", "eventless"])
def test_polling_takes_over_where_events_do_not_come_through(
    answers: str, page: Page, gateway: Gateway, watch: Watch, open_page: Open
) -> None:
    watch.expected = (FAILED_LOADS,) if answers == "eventless" else ()
    gateway.set(answers)
    open_page()
    gateway.say("polled")
    gateway.set(steps=steps(1))
    expect(page.locator("[aria-current=step]")).to_contain_text("Prepare the database")
    gateway.set(steps=steps(2))
    expect(page.locator("[aria-current=step]")).to_contain_text("Start it")
    expect(page.locator("#log")).to_have_text("polled")
    assert gateway.count("GET _proxy/state") >= 2
    assert gateway.count("GET _proxy/events") == 1
    gateway.set(state="ready", steps=steps(3))
    expect(page.get_by_role("heading", name="Label Studio itself")).to_be_visible()


def test_a_stream_that_ends_now_and_then_is_taken_up_again(
    page: Page, gateway: Gateway, open_page: Open
) -> None:
    page.add_init_script(NO_POLLS)
    open_page()
    for number in range(4):
        gateway.end_streams()
        gateway.set(steps=steps(1), progress={"done": number, "total": 9})
        expect(page.get_by_text(f"{number} of 9")).to_be_visible()
    assert gateway.count("GET _proxy/events") >= 4


def test_lost_connection_is_said_and_mended(
    page: Page, gateway: Gateway, watch: Watch, open_page: Open
) -> None:
    watch.expected = (FAILED_LOADS,)
    gateway.say("an old line", "another")
    open_page()
    expect(page.locator("#log div")).to_have_count(2)
    gateway.set("not")
    gateway.end_streams()
    message = page.get_by_text("Connection to Jupyter lost, retrying…")
    expect(message).to_be_visible()

    gateway.log = [(1, "a line of a new gateway")]  # it counts from the beginning
    with page.expect_response("**/_proxy/events"):
        gateway.set("well", steps=steps(2))
    expect(page.locator("[aria-current=step]")).to_contain_text("Start it")
    expect(message).to_have_count(0)
    expect(page.locator("#log")).to_have_text("a line of a new gateway")


def test_ended_session_is_told_from_a_lost_connection(
    page: Page, gateway: Gateway, watch: Watch, open_page: Open
) -> None:
    # the stream is not let follow the redirect, which is right
    watch.expected = (f"Connecting to 'http://hub.test:{gateway.port}/login' violates",)
    open_page()
    expect(page.locator("[aria-current=step]")).to_be_visible()
    gateway.set("login")
    gateway.end_streams()
    expect(page.get_by_text("Your Jupyter session ended.")).to_be_visible()
    page.get_by_role("button", name="Log in again").click()
    expect(page).to_have_title("Log in")


def test_try_again_in_an_ended_session_says_so(
    page: Page, gateway: Gateway, open_page: Open
) -> None:
    page.add_init_script(NO_POLLS)  # one would say so before the click
    gateway.set(state="failed", error=ERROR)
    open_page()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    gateway.set("login")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Your Jupyter session ended.")).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()
    expect(page.get_by_role("button", name="Log in again")).to_be_visible()


def test_everything_can_be_reached_and_used_by_keyboard(
    page: Page, gateway: Gateway, open_page: Open
) -> None:
    open_page()
    expect(page.locator("[aria-current=step]")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("summary")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("log")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("log")).to_be_focused()  # to scroll it

    gateway.set(state="failed", steps=steps(1, "failed"), error=ERROR)
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Try again")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Copy diagnostics")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Starting Label Studio…")).to_be_visible()


GROUND = "getComputedStyle(document.body).backgroundColor"
LIGHT, DARK = "rgb(243, 244, 246)", "rgb(17, 20, 24)"


def store_theme(page: Page, theme: str, prefix: str = PREFIX) -> None:
    """Store a theme as JupyterLab's extension does."""
    page.evaluate(
        "([prefix, theme]) => localStorage.setItem(`labelstudio-proxy:theme:${prefix}`, theme)",
        [prefix, theme],
    )


def test_dark_mode_is_followed(page: Page, gateway: Gateway, open_page: Open) -> None:
    open_page()
    assert page.evaluate(GROUND) == LIGHT
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(GROUND) == DARK


@pytest.mark.parametrize("served", ["by the gateway", "by Jupyter"])
def test_the_theme_of_this_servers_jupyterlab_comes_first(
    served: str, page: Page, gateway: Gateway, open_page: Open
) -> None:
    if served == "by Jupyter":
        failed = GatewayUnavailable(Problem("It failed.", "A reason.", "Try again."))
        gateway.notice, gateway.policy = failed.page(PREFIX), page_policy()
    lab = page.context.new_page()
    lab.goto(f"http://127.0.0.1:{gateway.port}/login")
    page.emulate_media(color_scheme="light")
    store_theme(lab, "dark")
    # The ground in every frame that the browser draws
    page.add_init_script(
        f"""window.seen = new Set();
        const look = () => {{
            if (document.body) seen.add({GROUND});
            requestAnimationFrame(look);
        }};
        look();"""
    )
    open_page()
    page.wait_for_function("() => window.seen.size > 0")
    assert page.evaluate("[...window.seen]") == [DARK]
    store_theme(lab, "light", "/user/bob/labelstudio/")  # the same person's other server
    store_theme(lab, "light")
    expect(page.locator("body")).to_have_css("background-color", LIGHT)
    store_theme(lab, "dark")
    expect(page.locator("body")).to_have_css("background-color", DARK)
    store_theme(lab, "light", "/user/bob/labelstudio/")
    page.reload()
    assert page.evaluate(GROUND) == DARK


# Of everything that shows text: its colour on the nearest ground that is not transparent.
CONTRASTS = """() => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d");
    const parts = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (colour) => parts(colour).slice(0, 3)
        .map((part) => part / 255)
        .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    const groundOf = (element) => {
        const { backgroundColor } = getComputedStyle(element);
        return parts(backgroundColor)[3] ? backgroundColor : groundOf(element.parentElement);
    };
    const isText = ({ nodeType, textContent }) => nodeType === Node.TEXT_NODE && textContent.trim();
    return [...document.querySelectorAll("main, main *")]
        .filter((element) => [...element.childNodes].some(isText) && element.checkVisibility())
        .map((element) => {
            const [dark, light] = [getComputedStyle(element).color, groundOf(element)]
                .map(luminance).sort((a, b) => a - b);
            return [element.textContent.trim().slice(0, 40), (light + 0.05) / (dark + 0.05)];
        });
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_meets_wcag_aa(theme: str, page: Page, gateway: Gateway, open_page: Open) -> None:
    gateway.say("a line of the log")
    open_page()
    store_theme(page, theme)
    page.reload()
    page.get_by_text("Log", exact=True).click()
    moving = {"state": "starting", "steps": steps(1), "progress": {"done": 57, "total": 261}}
    failed = {"state": "failed", "steps": steps(1, "failed"), "error": ERROR}
    seen = 0
    for snapshot in (moving, failed):
        gateway.set(None, **snapshot)
        expect(page.locator(f"#main[data-state={snapshot['state']}]")).to_be_visible()
        contrasts = page.evaluate(CONTRASTS)
        assert [(text, ratio) for text, ratio in contrasts if ratio < 4.5] == []
        seen += len(contrasts)
    assert seen > 15


def test_nothing_turns_where_less_motion_is_asked_for(
    page: Page, gateway: Gateway, open_page: Open
) -> None:
    name = "getComputedStyle(document.querySelector('[aria-current] .mark')).animationName"
    open_page()
    assert page.evaluate(name) == "turn"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(name) == "none"


def test_narrow_frame_needs_no_sideways_scrolling(
    page: Page, gateway: Gateway, open_page: Open
) -> None:
    fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    page.set_viewport_size({"width": 300, "height": 600})
    gateway.set(steps=steps(1), progress={"done": 57, "total": 261})
    open_page()
    expect(page.get_by_text("57 of 261")).to_be_visible()
    assert page.evaluate(fits)
    gateway.say("/a/path" * 60)
    remedy = "Run:\n`" + "label-studio-with-a-long-name" * 5 + "`"
    gateway.set(state="failed", steps=steps(1, "failed"), error=ERROR | {"remedy": remedy})
    expect(page.get_by_role("log")).to_contain_text("/a/path")
    assert page.evaluate(fits)


def test_notice_posts_its_action_and_reloads(page: Page, gateway: Gateway, open_page: Open) -> None:
    actions = [Action("Restart", f"{PREFIX}_proxy/restart", "post"), Action("JupyterLab", "/lab")]
    problem = Problem("Label Studio refuses.", ERROR["why"], ERROR["remedy"])
    gateway.notice = render_notice_page(problem, PREFIX, actions)
    open_page("projects/")
    expect(page).to_have_title("Label Studio refuses")
    expect(page.get_by_text("Label Studio refuses")).to_have_count(1)
    expect(page.get_by_text(ERROR["why"])).to_be_visible()
    expect(page.get_by_role("button")).to_have_text(["Restart"])
    expect(page.get_by_role("link")).to_have_text(["JupyterLab"])
    gateway.notice = None
    page.get_by_role("button", name="Restart").click()
    expect(page).to_have_title("Starting Label Studio…")
    assert gateway.count("POST _proxy/restart") == 1


def test_page_without_script_follows_by_reloading(
    browser: Browser, gateway: Gateway, watch: Watch
) -> None:
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        watch.attach(page)
        page.goto(f"http://127.0.0.1:{gateway.port}{PREFIX}")
        expect(page.locator("noscript p")).to_contain_text("needs JavaScript")
        expect(page.locator("[aria-current=step]")).to_contain_text("Find Label Studio")
        gateway.set(steps=steps(2))
        expect(page.locator("[aria-current=step]")).to_contain_text("Start it", timeout=20_000)
        assert watch.problems == []
    finally:
        context.close()
