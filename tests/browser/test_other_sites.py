"""Pages of other sites can do nothing in the browser of a user who is logged in to Jupyter.

The pages and the browser are real: it sends Jupyter's cookie where browsers do. In Label Studio's place
runs a program that reports what reaches it. Each kind of attack has one test; the unit tests of the
guard have the combinations of headers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.browser import INSECURE_HOST, Tab
from support.gateway import add_account, stand_in
from support.jupyter import JupyterLab, LabelStudioClient

LOCALHOST = "127.0.0.1"
# Jupyter's host names; under the second one a browser sends no fetch metadata.
ORIGINS = {"fetch-metadata": LOCALHOST, "plain-http": INSECURE_HOST}

# Each sends one request to TARGET at once, and sets the title after the response or its refusal.
DONE = "document.title = 'done'"
ATTACKS = {
    "form": "<form method=post action='TARGET'></form><script>document.forms[0].submit()</script>",
    "form in a frame": (
        f'<iframe name=f onload="if (window.sent) {DONE}"></iframe>'
        "<form method=post target=f action='TARGET'></form>"
        "<script>window.sent = true; document.forms[0].submit()</script>"
    ),
    "form of text that is JSON": (
        "<form method=post enctype=text/plain action='TARGET'>"
        "<input name='{\"title\": \"evil' value='\"}'></form>"
        "<script>document.forms[0].submit()</script>"
    ),
    "fetch": (
        "<script>fetch('TARGET', {method: 'POST', mode: 'no-cors', credentials: 'include'})"
        f".finally(() => {{ {DONE} }})</script>"
    ),
    "fetch with a method that asks first": (
        "<script>fetch('TARGET', {method: 'DELETE', credentials: 'include'})"
        f".catch(() => {{ {DONE} }})</script>"
    ),
    "fetch in a frame without an origin": (
        "<iframe sandbox='allow-scripts' srcdoc=\"<script>fetch('TARGET', {method: 'POST',"
        " mode: 'no-cors', credentials: 'include'}).finally(() => parent.postMessage(1, '*'))"
        f'</script>"></iframe><script>onmessage = () => {{ {DONE} }}</script>'
    ),
    "beacon": (
        "<script>navigator.sendBeacon('TARGET', '{}');"
        f"fetch('TARGET?over', {{mode: 'no-cors', credentials: 'include'}}).finally(() => {{ {DONE} }})"
        "</script>"
    ),
    "image": f'<img src=\'TARGET\' onload="{DONE}" onerror="{DONE}">',
    "script": f'<script src=\'TARGET\' onload="{DONE}" onerror="{DONE}"></script>',
    "frame": f"<iframe src='TARGET' onload=\"{DONE}\"></iframe>",
    "prefetch": f'<link rel=prefetch href=\'TARGET\' onload="{DONE}" onerror="{DONE}">',
    "redirect": "<script>location.replace('TARGET')</script>",
}
# These load what the user may see: they only may not start Label Studio.
READING = {"image", "script", "frame", "prefetch", "redirect"}


@dataclass
class OtherSite:
    """A web server that serves one page."""

    port: int
    page: list[str] = field(default_factory=lambda: [""])


@pytest.fixture(scope="module")
def other_site() -> Iterator[OtherSite]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            icon = "<link rel=icon href=data:,><title>evil</title>"
            self.wfile.write(f"<!doctype html>{icon}{site.page[0]}".encode())

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer((LOCALHOST, 0), Handler) as server:
        site = OtherSite(server.server_port)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield site
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    data_dir = new_data_dir()
    add_account(data_dir, "ada@localhost")
    echo = stand_in(data_dir.parent / "echo")
    return module_jupyter_lab(
        config={"data_dir": str(data_dir), "label_studio": str(echo)},
        server_config={"ServerApp": {"local_hostnames": [INSECURE_HOST]}},
    )


@pytest.fixture
def studio(
    jupyter: JupyterLab, label_studio_client: Callable[[JupyterLab], LabelStudioClient]
) -> LabelStudioClient:
    return label_studio_client(jupyter)


@pytest.fixture
def stopped(studio: LabelStudioClient) -> LabelStudioClient:
    studio.post("_proxy/stop")
    studio.wait_for_state("stopped")
    return studio


@pytest.fixture(params=list(ORIGINS.values()), ids=list(ORIGINS))
def login(
    request: pytest.FixtureRequest, jupyter: JupyterLab, new_page: Callable[..., Tab]
) -> tuple[Page, str]:
    """Return a tab of a logged-in user, and Jupyter's origin in it."""
    origin = f"http://{request.param}:{jupyter.port}"
    page, _ = new_page()
    page.goto(f"{origin}/login?token={jupyter.token}&next=/api")
    return page, origin


def attack(page: Page, site: OtherSite, host: str, kind: str, target: str) -> None:
    """Open the other site's page, and return after the response to its request."""
    site.page[0] = ATTACKS[kind].replace("TARGET", target)
    page.goto(f"http://{host}:{site.port}/")
    over = "target => document.title === 'done' || location.href === target"
    page.wait_for_function(over, arg=target)


# The other site is another port of Jupyter's host, so that the browser sends Jupyter's cookie. Over
# plain http, one attack of each kind of request: a form, a fetch, a part of a page, a frame. Last, a
# site of another host.
CASES = [
    *(pytest.param(kind, LOCALHOST, LOCALHOST, id=kind) for kind in ATTACKS),
    *(
        pytest.param(kind, INSECURE_HOST, INSECURE_HOST, id=f"{kind}-plain-http")
        for kind in ("form", "fetch in a frame without an origin", "image", "frame")
    ),
    *(
        pytest.param(kind, LOCALHOST, INSECURE_HOST, id=f"{kind}-other-host")
        for kind in ("form", "frame")
    ),
]


@pytest.mark.parametrize(("kind", "login", "host"), CASES, indirect=["login"])
def test_page_of_another_site_starts_nothing(
    stopped: LabelStudioClient,
    other_site: OtherSite,
    login: tuple[Page, str],
    kind: str,
    host: str,
) -> None:
    page, origin = login
    for path in [""] if kind in READING else ["_proxy/start", "api/projects/"]:
        attack(page, other_site, host, kind, f"{origin}/labelstudio/{path}")
        assert stopped.state()["state"] == "stopped"


@pytest.mark.parametrize("login", [INSECURE_HOST], ids=["plain-http"], indirect=True)
def test_redirect_over_plain_http_only_starts_label_studio(
    stopped: LabelStudioClient, other_site: OtherSite, login: tuple[Page, str]
) -> None:
    """A browser over plain http does not distinguish a redirect from a user's click."""
    page, origin = login
    host = INSECURE_HOST
    for path in ("labelstudio/_proxy/start", "api/labelstudio/start"):
        attack(page, other_site, host, "redirect", f"{origin}/{path}")
        assert stopped.state()["state"] == "stopped"
    attack(page, other_site, host, "redirect", f"{origin}/labelstudio/")
    started = stopped.wait_for_state("ready")
    expect(page.locator("body")).to_contain_text('"target": "/"', timeout=60_000)
    for command in ("stop", "restart"):
        for path in (f"labelstudio/_proxy/{command}", f"api/labelstudio/{command}"):
            attack(page, other_site, host, "redirect", f"{origin}/{path}")
    found = stopped.state()
    assert (found["state"], found["started_at"]) == ("ready", started["started_at"])


@pytest.mark.parametrize(("kind", "login", "host"), CASES, indirect=["login"])
def test_page_of_another_site_changes_nothing(
    studio: LabelStudioClient,
    jupyter: JupyterLab,
    other_site: OtherSite,
    login: tuple[Page, str],
    kind: str,
    host: str,
) -> None:
    page, origin = login
    started = studio.wait_ready()["started_at"]
    before = studio.get("-/seen").json()
    # an export writes files, although its method is GET
    export, commands = "labelstudio/api/projects/1/export", ["_proxy/stop", "_proxy/restart"]
    for path in (
        export,
        "labelstudio/api/projects/",
        *(f"labelstudio/{each}" for each in commands),
    ):
        attack(page, other_site, host, kind, f"{origin}/{path}")
    attack(page, other_site, host, kind, f"{origin}/api/labelstudio/stop")
    found = studio.state()
    assert (found["state"], found["started_at"]) == ("ready", started)
    seen = studio.get("-/seen").json()[len(before) :]
    arrived = {target for target in seen if not target.endswith("?over")}
    # Over plain http nothing says which site reads, so the export is made.
    reads = kind in READING and INSECURE_HOST in origin
    assert arrived <= ({"/api/projects/1/export", "/api/projects/"} if reads else set())


def test_page_of_jupyter_may_start_and_change(
    stopped: LabelStudioClient, jupyter: JupyterLab, login: tuple[Page, str]
) -> None:
    page, origin = login
    page.goto(f"{origin}/custom/custom.css")  # of Jupyter's origin, without scripts
    post = "path => fetch(path, {method: 'POST'}).then(answer => answer.status)"
    assert page.evaluate(post, "/labelstudio/_proxy/start") == 202
    stopped.wait_for_state("ready")
    assert page.evaluate(post, "/labelstudio/api/projects/") == 200
    assert "/api/projects/" in stopped.get("-/seen").json()


def test_link_that_a_user_clicks_starts_label_studio(
    stopped: LabelStudioClient, other_site: OtherSite, login: tuple[Page, str]
) -> None:
    page, origin = login
    other_site.page[0] = f"<a href='{origin}/labelstudio/'>Label</a>"
    page.goto(f"http://{LOCALHOST}:{other_site.port}/")
    page.get_by_role("link", name="Label").click()
    expect(page.locator("body")).to_contain_text('"target": "/"', timeout=60_000)
    assert stopped.state()["state"] == "ready"


def test_address_that_a_user_types_starts_label_studio(
    stopped: LabelStudioClient, login: tuple[Page, str]
) -> None:
    page, origin = login
    page.goto(f"{origin}/labelstudio/")
    expect(page.locator("body")).to_contain_text('"target": "/"', timeout=60_000)
    assert stopped.state()["state"] == "ready"
