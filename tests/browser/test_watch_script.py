"""What the script says over a page, and what becomes of the page's requests, against a small server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from support.small_server import small_server

PREFIX = "/user/alice/labelstudio/"
SCRIPT = (files("labelstudio_proxy.gateway") / "static" / "watch.js").read_bytes()
PAGE = (
    '<!doctype html><html><head><title>Label Studio</title><link rel="icon" href="data:,">'
    f'<script src="{PREFIX}_proxy/static/watch.js" data-prefix="{PREFIX}"></script></head>'
    "<body><h2>Texts</h2></body></html>"
)
HTML, JSON = {"Content-Type": "text/html"}, {"Content-Type": "application/json"}
READY: dict[str, Any] = {
    "state": "ready",
    "backend": "process",
    "ready_after": None,
    "stopped_because": "",
    "error": None,
    "holder": None,
    "next_start": None,
    "timeout": 0,
    "stop_in": None,
}
ERROR = {
    "what": "The disk is full.",
    "why": "0 bytes are free.",
    "remedy": "Run `rm x`, then try again.",
}
LOGIN = "/hub/login"
HURRY = """() => {
    window[Symbol.for("labelstudio-proxy.watch")].beat = 50;
    dispatchEvent(new Event("focus"));
}"""
POST = """path => fetch(path, {method: "POST", body: "{}"})
    .then(async answer => [answer.status, await answer.text()], error => [error.name])"""


@dataclass(frozen=True)
class Answer:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    body: str = "{}"
    is_lost: bool = False  # the connection ends before the body does


LOST = Answer(is_lost=True)


def state(**changes: Any) -> Answer:
    return Answer(body=json.dumps(READY | changes))


@dataclass
class Site:
    """Answers as a test says; `answers` are lists, whose last one repeats, by path or method and path."""

    port: int = 0
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str) -> Answer:
        name = path.removeprefix(PREFIX)
        self.asked.append(f"{method} {name}")
        if name == "_proxy/static/watch.js":
            return Answer(200, {"Content-Type": "text/javascript; charset=utf-8"}, SCRIPT.decode())
        if path == LOGIN or name == "page":
            return Answer(200, HTML, PAGE if name == "page" else "<form>Log in</form>")
        said = self.answers.get(f"{method} {name}") or self.answers.get(name, [state()])
        return said.pop(0) if len(said) > 1 else said[0]


class Handler(BaseHTTPRequestHandler):
    site: Site
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.site.answer(self.command, self.path.partition("?")[0])
        self.close_connection = answer.is_lost
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        body = answer.body.encode()
        self.send_header("Content-Length", str(len(body) + 1000 * answer.is_lost))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PATCH = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    with small_server(type("SiteHandler", (Handler,), {"site": site})) as site.port:
        yield site


@pytest.fixture(scope="module")
def shared_page(chromium: Browser) -> Iterator[Page]:
    with chromium.new_page() as page:
        yield page


@pytest.fixture
def page(shared_page: Page, site: Site) -> Iterator[Page]:
    """An open page of a Label Studio that is ready."""
    shared_page.goto(f"http://127.0.0.1:{site.port}{PREFIX}page")
    yield shared_page
    shared_page.goto("about:blank")


def card(page: Page) -> list[str]:
    """The title, the text and the button of the card, once it is there."""
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    return dialog.locator("> :visible").all_inner_texts()


CARDS = {
    "idle": (
        state(state="stopped", stopped_because="Nobody has used it for 30 minutes."),
        ("Label Studio was stopped", "Nobody was using it.", "Continue"),
    ),
    "stopped": (
        state(state="stopped"),
        ("Label Studio was stopped", "A user or a program stopped it.", "Start"),
    ),
    "restarted": (
        state(state="stopped", backend=""),
        ("Label Studio is not running", "The server restarted.", "Start"),
    ),
    "crashed": (
        state(state="failed", error=ERROR, next_start=1.0),
        ("Label Studio crashed", "It restarts automatically", "Restart now"),
    ),
    "taken over": (
        state(state="failed", error=ERROR, holder={"action": "Take it back", "address": ""}),
        ("Label Studio runs elsewhere", "The disk is full.", "Take it back"),
    ),
    "failed": (
        state(state="failed", error=ERROR),
        (
            "Label Studio could not be started",
            "0 bytes are free.\nRun rm x, then try again.",
            "Try again",
        ),
    ),
    "failed after it was ready": (
        state(state="failed", error=ERROR, ready_after=1.0),
        (
            "Label Studio stopped working",
            "0 bytes are free.\nRun rm x, then try again.",
            "Try again",
        ),
    ),
    "a setting is wrong": (
        state(state="failed", error=ERROR | {"remedy": "Correct it, then restart Jupyter."}),
        ("Label Studio could not be started", "then restart Jupyter."),
    ),
    "a start in the background failed": (
        state(state="stopped", error=ERROR),
        (
            "Label Studio could not be started",
            "0 bytes are free.\nRun rm x, then try again.",
            "Try again",
        ),
    ),
    "starting": (state(state="preparing"), ("Starting Label Studio…", "")),
    "stopping": (state(state="stopping"), ("Stopping Label Studio…", "")),
    "hub server stopped": (
        Answer(424, HTML, "Not running"),
        ("Your Jupyter server is not running", "Start it in a new tab", "Start the server"),
    ),
    "older hub's server stopped": (
        Answer(503, HTML | {"X-JupyterHub-Version": "2.0"}, "Not running"),
        ("Your Jupyter server is not running", "Start it in a new tab", "Start the server"),
    ),
    "login page": (
        Answer(200, HTML, "<form>Log in</form>"),
        ("You are logged out", "Log in again in a new tab", "Log in again"),
    ),
    "redirect to a login page": (
        Answer(302, {"Location": LOGIN}),
        ("You are logged out", "Log in again in a new tab", "Log in again"),
    ),
    "redirect to another host's login": (
        Answer(302, {"Location": "http://hub.invalid/login"}),
        ("You are logged out", "Log in again in a new tab", "Log in again"),
    ),
    "forbidden": (
        Answer(403, JSON, '{"message": "Forbidden", "reason": null}'),
        ("You are logged out", "Log in again in a new tab", "Log in again"),
    ),
    "refused": (
        Answer(403, JSON, '{"detail": "It comes from another site."}'),
        ("The server refused the request", "It comes from another site.", "Try again"),
    ),
    "bad gateway": (
        Answer(502, HTML, "Bad gateway"),
        ("Label Studio cannot be reached", "responded with the error 502", "Try now"),
    ),
    "no connection": (
        LOST,
        ("Label Studio cannot be reached", "There is no connection", "Try now"),
    ),
}


@pytest.mark.parametrize("name", CARDS)
def test_card_of_each_state(page: Page, site: Site, name: str) -> None:
    answer, (title, text, *button) = CARDS[name]
    page.evaluate(HURRY)
    site.answers["_proxy/activity"] = [answer]
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    found = card(page)
    assert found[0] == title
    assert text in found[1]
    assert "This page stays as you left it." in found[1]
    assert found[2:] == button
    site.answers.clear()
    expect(page.get_by_role("dialog")).not_to_be_visible()


def test_a_page_whose_user_is_away_sends_changes_and_no_polls(page: Page, site: Site) -> None:
    page.mouse.move(1, 1)
    page.evaluate('window[Symbol.for("labelstudio-proxy.watch")].rest = 0')
    page.evaluate(f"void (window.poll = fetch('{PREFIX}api/dm/project'))")
    assert page.evaluate(POST, f"{PREFIX}api/drafts/1/")[0] == 200
    assert "GET api/dm/project" not in site.asked
    page.mouse.move(2, 2)
    assert page.evaluate("window.poll.then(response => response.status)") == 200
    assert "GET api/dm/project" in site.asked


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (LOST, 503),
        (Answer(200, HTML, "<form>Log in</form>"), 503),
        (Answer(302, {"Location": LOGIN}), 503),
        (Answer(502), 502),
        (Answer(403, JSON, '{"detail": "No permission."}'), 403),
        (Answer(404, HTML, "There is no such page."), 404),
        (Answer(201, JSON, '{"id": 1}'), 201),
    ],
)
def test_request_gets_a_response_that_label_studio_survives(
    page: Page, site: Site, answer: Answer, status: int
) -> None:
    site.answers["api/tasks/1/annotations/"] = [answer]
    found = page.evaluate(POST, f"{PREFIX}api/tasks/1/annotations/")
    assert found[0] == status, found
    if status == 503:
        assert json.loads(found[1])["detail"]
    else:
        assert found[1] == answer.body


def test_cancelled_request_is_no_response(page: Page) -> None:
    cancel = """path => {
        const controller = new AbortController();
        const answer = fetch(path, {signal: controller.signal});
        controller.abort();
        return answer.catch(error => error.name);
    }"""
    assert page.evaluate(cancel, f"{PREFIX}api/projects") == "AbortError"
    expect(page.get_by_role("dialog")).not_to_be_visible()


@pytest.mark.parametrize(
    ("path", "first", "times"),
    [
        ("api/tasks/1/drafts", LOST, 2),
        ("api/projects/1/import", LOST, 1),  # Label Studio may have it
        ("api/tasks/1/annotations/", LOST, 1),  # it cannot be recognised
        ("api/tasks/1/annotations/?was_cancelled=1", LOST, 1),
        ("api/projects/1/import", Answer(502), 1),
    ],
)
def test_only_what_may_arrive_twice_is_repeated(
    page: Page, site: Site, path: str, first: Answer, times: int
) -> None:
    name = path.partition("?")[0]
    site.answers[f"POST {name}"] = [first, Answer(201)]
    page.evaluate("window[Symbol.for('labelstudio-proxy.watch')].grace = 0")
    (status, *_) = page.evaluate(POST, PREFIX + path)
    assert (status == 201) is (times == 2)
    assert site.asked.count(f"POST {name}") == times


@pytest.mark.parametrize("first", [Answer(503), Answer(424), Answer(302, {"Location": LOGIN})])
def test_request_that_did_not_arrive_is_sent_when_label_studio_works_again(
    page: Page, site: Site, first: Answer
) -> None:
    path = "api/tasks/1/annotations/"
    site.answers |= {"_proxy/activity": [state(state="stopped")], path: [first, Answer(201)]}
    saved = page.evaluate_handle(f"path => [({POST})(path)]", PREFIX + path)
    expect(page.get_by_role("button", name="Start")).to_be_visible()
    # a request of the meantime
    later = page.evaluate_handle(f"path => [({POST})(path)]", f"{PREFIX}api/tasks/1/drafts")
    assert "POST api/tasks/1/drafts" not in site.asked
    site.answers["_proxy/activity"] = [state(state="starting"), state()]
    page.get_by_role("button", name="Start").click()
    assert saved.evaluate("([answer]) => answer")[0] == 201
    assert later.evaluate("([answer]) => answer")[0] == 200
    assert "POST _proxy/start" in site.asked


@pytest.mark.parametrize("status", [401, 403])
def test_refused_request_is_sent_again_once(page: Page, site: Site, status: int) -> None:
    """The question in between may have renewed the login at the hub."""
    path = "api/tasks/1/annotations/"
    site.answers[path] = [Answer(status), Answer(201)]
    assert page.evaluate(POST, PREFIX + path)[0] == 201
    assert site.asked.count(f"POST {path}") == 2


@pytest.mark.parametrize(
    ("known", "status", "times"),
    [
        (Answer(body='[{"id": 7, "lead_time": 1.25, "result": [{"id": "a"}]}]'), 201, 1),
        (Answer(body='[{"id": 7, "lead_time": 1.5, "result": [{"id": "a"}]}]'), 202, 2),
        (Answer(body="[]"), 202, 2),
        (LOST, 503, 1),
        (Answer(500), 503, 1),
    ],
    ids=["saved", "another", "not saved", "lost", "error"],
)
@pytest.mark.parametrize("first", [LOST, Answer(502)], ids=["no answer", "bad gateway"])
def test_annotation_whose_response_was_lost_is_saved_once(
    page: Page, site: Site, first: Answer, known: Answer, status: int, times: int
) -> None:
    path = "api/tasks/1/annotations/"
    site.answers |= {f"GET {path}": [known], f"POST {path}": [first, Answer(202)]}
    page.evaluate("window[Symbol.for('labelstudio-proxy.watch')].grace = 0")
    found = page.evaluate(
        """path => fetch(path, {method: "POST", body: '{"lead_time": 1.25, "result": [{"id": "a"}]}'})
            .then(async answer => [answer.status, await answer.json()])""",
        PREFIX + path,
    )
    assert found[0] == (502 if status == 503 and first is not LOST else status)
    assert (found[1].get("id") == 7) is (status == 201)
    assert site.asked.count(f"POST {path}") == times


# As Label Studio's editor loads pictures and sound
LOAD = """([path, how]) => window.loaded = new Promise((resolve) => {
    if (how === "img") {
        const img = new Image();
        img.onload = () => resolve("loaded");
        img.onerror = () => resolve("error");
        document.body.append(img);
        img.src = path;
        return;
    }
    const request = new XMLHttpRequest();
    request.responseType = "blob";
    const status = () => resolve(request.status === 200 ? "loaded" : "error");
    request.addEventListener("load", status);
    request.addEventListener("error", status);
    request.open("GET", path);
    request.send();
}).then((how) => (window.how = how)) && null"""
PICTURE = Answer(
    200, {"Content-Type": "image/svg+xml"}, '<svg xmlns="http://www.w3.org/2000/svg"/>'
)
FAILURES = {
    "lost": LOST,
    "stopped": Answer(503),
    "broken": Answer(502),
    "hub": Answer(424, HTML, "Not running"),
    "login": Answer(302, {"Location": LOGIN}),
}


@pytest.mark.parametrize("first", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("how", ["img", "xhr"])
@pytest.mark.parametrize("shown", [False, True], ids=["for-a-moment", "with-the-card"])
def test_file_that_could_not_be_loaded_is_loaded_again(
    page: Page, site: Site, first: Answer, how: str, shown: bool
) -> None:
    path = "data/upload/1/a.svg"
    site.answers[path] = [first, PICTURE]
    if shown:
        site.answers["_proxy/activity"] = [state(state="stopped")]
    page.evaluate(LOAD, [PREFIX + path, how])
    if shown:
        expect(page.get_by_role("dialog")).to_be_visible()
        assert page.evaluate("window.how") is None
        del site.answers["_proxy/activity"]
        page.get_by_role("button", name="Start").click()
    page.wait_for_function("window.how")
    assert page.evaluate("window.how") == "loaded"
    assert site.asked.count(f"GET {path}") == 2


@pytest.mark.parametrize("how", ["img", "xhr"])
@pytest.mark.parametrize("answer", [Answer(404), Answer(403), LOST], ids=["404", "403", "lost"])
def test_file_that_cannot_be_loaded_is_an_error_for_the_page(
    page: Page, site: Site, answer: Answer, how: str
) -> None:
    path = "data/upload/1/a.svg"
    site.answers[path] = [answer]
    page.evaluate(LOAD, [PREFIX + path, how])
    page.wait_for_function("window.how")
    assert page.evaluate("window.how") == "error"
    assert site.asked.count(f"GET {path}") <= 2


# Records the time of each request, in milliseconds by the page's clock, which the test moves.
RECORD_REQUESTS = """
window.asked = [0];
const [began, send] = [Date.now(), window.fetch];
window.fetch = (...request) => {
  window.asked.push(Date.now() - began);
  return send(...request);
};
"""


def test_page_in_a_hidden_frame_stops_asking_until_its_user_returns(
    chromium: Browser, site: Site
) -> None:
    with chromium.new_page() as page:
        page.clock.install()
        page.add_init_script(RECORD_REQUESTS)
        page.goto(f"http://127.0.0.1:{site.port}{LOGIN}")
        page.evaluate(
            "path => { document.body.innerHTML = `<iframe src=${path}>`; }", PREFIX + "page"
        )
        frame = page.locator("iframe").element_handle().content_frame()
        assert frame is not None
        frame.wait_for_selector("labelstudio-proxy-idle", state="attached")

        def last_after(steps: int) -> float:
            for _ in range(steps):
                page.clock.fast_forward(10_000)
            found: float = frame.evaluate("Math.max(...asked) / 1000")
            return found

        before = last_after(12)
        assert before > 60
        page.evaluate("document.querySelector('iframe').style.display = 'none'")
        assert last_after(30) - before < 60
        site.answers["_proxy/activity"] = [state(state="stopped")]
        page.evaluate("document.querySelector('iframe').style.display = ''")
        page.mouse.move(20, 20)
        page.mouse.move(30, 30)
        expect(frame.get_by_role("heading", name="Label Studio was stopped")).to_be_visible()


def test_page_that_is_left_alone_stops_asking_until_its_user_returns(
    chromium: Browser, site: Site
) -> None:
    with chromium.new_page() as page:
        page.clock.install()
        page.add_init_script(RECORD_REQUESTS)
        page.goto(f"http://127.0.0.1:{site.port}{PREFIX}page")
        page.mouse.move(10, 10)
        for _ in range(180):
            page.clock.fast_forward(10_000)
        assert 13 < page.evaluate("Math.max(...asked) / 60_000") < 17
        site.answers["_proxy/activity"] = [state(state="stopped")]
        page.mouse.move(20, 20)
        expect(page.get_by_role("heading", name="Label Studio was stopped")).to_be_visible()
