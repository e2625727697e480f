"""Which request gets what, once Label Studio (here: its echo) is ready."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from support.gateway import PROGRAM, Arrived, Gateway, add_account, respond_with

from labelstudio_proxy.request_kind import VISITOR

NAVIGATION = [
    ("Accept", "text/html"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Dest", "document"),
]
SECRET = "s3cr3t-of-the-database"


@pytest.fixture(scope="module")
def ready(new_data_dir: Callable[[], Path]) -> Iterator[Gateway]:
    made = new_data_dir()
    data_dir = made.rename(made.with_name(os.fsdecode(b"d\xe4ta")))  # no valid UTF-8
    add_account(data_dir, "ada@localhost")
    gateway = Gateway(data_dir, settings={"environment": {"MY_SETTING": SECRET}})
    gateway.start()
    yield gateway
    gateway.stop()


def lands(gateway: Gateway, path: str, method: str = "GET") -> str:
    """Return the URL after the redirect from `path`."""
    redirect = gateway.ask(method, path, NAVIGATION)
    assert redirect.status == 302
    return urljoin(gateway.prefix.rstrip("/") + path, redirect["Location"])


@pytest.mark.parametrize("path", ["/user/login", "/user/login/?next=/a"])
def test_login_leads_home(ready: Gateway, path: str) -> None:
    assert lands(ready, path) == lands(ready, path, "POST") == ready.prefix


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/invite"), ("GET", "/api/invite/"), ("POST", "/api/invite/reset-token")],
)
def test_an_invitation_leads_to_a_page_about_access(ready: Gateway, method: str, path: str) -> None:
    link = ready.ask(method, path, [PROGRAM]).json()["invite_url"]
    assert link.startswith(ready.prefix)
    page = ready.ask("GET", "/" + link.removeprefix(ready.prefix), NAVIGATION)
    assert page.status == 200
    assert b"share the Jupyter server" in page.body
    # No account is made here.
    assert lands(ready, "/user/signup/", "POST") == ready.prefix


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/?token=s", "./"),
        ("/data?tab=2&token=s&task=%2F+%C3%BC", "./data?tab=2&task=%2F+%C3%BC"),
        ("/user/login?next=/&%74oken=s", "../user/login?next=/"),
        ("/_proxy/state?token=s&token=t", "../_proxy/state"),
        ("/data/upload/1/a%20b.png?token=s", "../../../data/upload/1/a%20b.png"),
        ("//evil.example/?token=s", "../../evil.example/"),
    ],
)
def test_the_token_leaves_the_address(ready: Gateway, target: str, location: str) -> None:
    redirect = ready.ask("GET", target, NAVIGATION)
    assert redirect.status == 302
    assert redirect["Location"] == location
    assert redirect["Cache-Control"] == "no-store"


def test_a_program_may_send_its_token_in_the_address(ready: Gateway) -> None:
    assert ready.arrived("GET", "/api/projects?token=s&a=1").target == "/api/projects?a=1"


@pytest.mark.parametrize(("method", "status"), [("GET", 503), ("POST", 502), ("PATCH", 502)])
def test_status_says_whether_a_lost_request_may_be_repeated(
    ready: Gateway, method: str, status: int
) -> None:
    lost = ready.ask(method, "/api/projects", [PROGRAM, respond_with(status=0)])
    assert lost.status == status
    assert ("Retry-After" in lost) is (status == 503)


@pytest.mark.parametrize("path", ["/logout", "/logout/", "/logout?next=//evil.example"])
def test_logout_leads_to_jupyter(ready: Gateway, path: str) -> None:
    assert lands(ready, path) == "/user/alice/"


def test_a_hub_can_run_the_gateway_alone(data_dir: Path) -> None:
    """`jupyter standaloneproxy` gives this prefix, and strips it from requests."""
    add_account(data_dir, "ada@localhost")
    made = Gateway(data_dir, prefix="/user/alice/")
    try:
        made.start()
        asked = respond_with(
            headers=[("Content-Type", "text/html")], body='<html><a href="/projects/">'
        )
        page = made.ask("GET", "/", [*NAVIGATION, asked])
        assert b'<a href="/user/alice/projects/">' in page.body
        assert lands(made, "/logout") == "/user/alice/"
    finally:
        made.stop()


@pytest.mark.parametrize("page", ["redoc", "swagger-ui"])
def test_api_browsers_lead_to_the_schema(ready: Gateway, page: str) -> None:
    assert lands(ready, f"/docs/api/schema/{page}/") == f"{ready.prefix}docs/api/schema/json/"


def test_no_tips_are_requested_from_the_internet(ready: Gateway) -> None:
    assert ready.ask("GET", "/heidi-tips", [PROGRAM]).json() == {}
    assert "/heidi-tips" not in ready.ask("GET", "/-/seen", [PROGRAM]).json()


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
@pytest.mark.parametrize(
    "path",
    [
        "/api/storages/export/localfiles",
        "/api/storages/export/localfiles/3/sync",
        "/api/storages/%65xport/localfiles/",
    ],
)
def test_nothing_is_written_into_the_notebooks_files(
    ready: Gateway, method: str, path: str
) -> None:
    refused = ready.ask(method, path, [PROGRAM], b"{}")
    assert refused.status == 403
    assert "files_writable" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", ""), ("POST", "/validate"), ("PATCH", "/3"), ("PUT", "/3/")]
)
def test_the_dialog_for_a_storage_gets_the_refusal_in_its_own_form(
    ready: Gateway, method: str, path: str
) -> None:
    page = [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "cors")]
    refused = ready.ask(method, f"/api/storages/export/localfiles{path}", page, b"{}")
    assert refused.status == 400
    shown = refused.json()
    assert shown["validation_errors"] == {"non_field_errors": [shown["detail"]]}
    assert "files_writable" in shown["detail"]


def test_storages_are_read_and_imports_are_made(ready: Gateway) -> None:
    assert ready.arrived("GET", "/api/storages/export/localfiles", [PROGRAM]).method == "GET"
    assert ready.arrived("POST", "/api/storages/localfiles", [PROGRAM], b"{}").body == b"{}"


def test_files_are_written_with_files_writable(new_data_dir: Callable[[], Path]) -> None:
    data_dir = new_data_dir()
    add_account(data_dir, "ada@localhost")
    gateway = Gateway(data_dir, settings={"files_writable": True})
    try:
        gateway.start()
        arrived = gateway.arrived("POST", "/api/storages/export/localfiles", [PROGRAM], b"{}")
        assert arrived.body == b"{}"
    finally:
        gateway.stop()


def test_pages_run_no_script_of_another_host(ready: Gateway) -> None:
    asked = respond_with(
        headers=[
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy-Report-Only", "script-src https://*.googletagmanager.com"),
        ],
        body="<html><head></head><body><a href='/projects'>x</a><script>x</script></body></html>",
    )
    page = ready.ask("GET", "/projects", [*NAVIGATION, asked])
    policy = page["Content-Security-Policy"]
    programs = re.search(r"script-src 'nonce-([\w-]{24})' 'strict-dynamic' 'unsafe-eval';", policy)
    assert programs
    # prefix.js, page.js and the page's own
    assert page.body.count(b'<script nonce="%s"' % programs[1].encode()) == 3
    assert "frame-ancestors 'self'" in policy
    assert "Content-Security-Policy-Report-Only" not in page
    assert f"<a href='{ready.prefix}projects'>".encode() in page.body
    assert b"prefix.js" in page.body
    assert int(page["Content-Length"]) == len(page.body)


def test_only_pages_of_visitors_say_as_whom_they_label(ready: Gateway) -> None:
    asked = respond_with(headers=[("Content-Type", "text/html")], body="<script>x</script>")
    own = ready.ask("GET", "/projects", [*NAVIGATION, asked])
    others = ready.ask("GET", "/projects", [*NAVIGATION, asked, (VISITOR, "1")])
    assert b"visitor.js" not in own.body
    assert others.body.count(b"visitor.js") == 1


def test_each_page_has_its_own_nonce(ready: Gateway) -> None:
    asked = respond_with(headers=[("Content-Type", "text/html")], body="<script>x</script>")
    pages = [ready.ask("GET", "/projects", [*NAVIGATION, asked]) for _ in range(2)]
    assert len({page["Content-Security-Policy"] for page in pages}) == 2


def test_a_cached_page_keeps_its_policy(ready: Gateway) -> None:
    asked = respond_with(status=304, headers=[("Content-Type", "text/html")], body="")
    page = ready.ask("GET", "/projects", [*NAVIGATION, asked])
    assert page.status == 304
    assert "Content-Security-Policy" not in page


@pytest.mark.parametrize(
    "path",
    [
        *("/data/upload/1/x.html", "/data/local-files/?d=x.html", "/tasks/1/resolve/?fileuri=x"),
        *("/%64ata/upload/1/x.html", "/storage-data/uploaded/?filepath=x"),
        *("/any/data/local-files/?d=x.html", "/anydata/local-files/x.html?d=x.html"),
    ],
)
def test_files_pass_unchanged_and_run_nothing(ready: Gateway, path: str) -> None:
    html = "<html><head></head><script>alert(1)</script><a href='/x'>x</a></html>"
    asked = respond_with(headers=[("Content-Type", "text/html")], body=html)
    got = ready.ask("GET", path, [*NAVIGATION, asked])
    assert got.body == html.encode()
    assert got["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert got["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, '{"status": "UP"}'),
        (200, "<pre>" + '{"a": "<a href=/x>"}' * 100 + "</pre>"),
        (200, ""),
        (206, "<html><a href=/x>"),
        (404, "Export is not completed"),
        (503, '{"error": "<html>"}'),
    ],
    ids=["JSON", "fragment", "nothing", "part of a page", "text", "error"],
)
def test_what_says_that_it_is_html_and_is_no_page_passes_byte_for_byte(
    ready: Gateway, status: int, body: str
) -> None:
    headers = [("Content-Type", "text/html; charset=utf-8")]
    asked = respond_with(status=status, headers=headers, body=body)
    got = ready.ask("GET", "/health", [PROGRAM, asked])
    assert (got.status, got.body) == (status, body.encode())
    assert got["Content-Length"] == str(len(body))
    assert got["Content-Security-Policy"].startswith("sandbox; default-src 'none'")


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "text/csv", "image/svg+xml"])
def test_data_pass_byte_for_byte(ready: Gateway, kind: str) -> None:
    text = '{"text": "<a href=\\"/x\\">", "hostname: \\"\\"": "/data/upload/1/a.png"}'
    asked = respond_with(headers=[("Content-Type", kind)], body=text)
    assert ready.ask("GET", "/api/tasks/1", [PROGRAM, asked]).body == text.encode()


def test_style_sheets_are_mapped(ready: Gateway) -> None:
    asked = respond_with(headers=[("Content-Type", "text/css")], body="a{b:url(/static/x.ttf)}")
    got = ready.ask("GET", "/react-app/main.css", [PROGRAM, asked])
    assert got.body == f"a{{b:url({ready.prefix}static/x.ttf)}}".encode()


def test_diagnostics_hold_what_helps_and_no_secret(ready: Gateway) -> None:
    text = ready.ask("GET", "/_proxy/diagnostics", [PROGRAM]).body.decode()
    assert str(ready.data_dir).encode(errors="backslashreplace").decode() in text
    assert "MY_SETTING" in text
    assert '"state": "ready"' in text
    key = (ready.data_dir / ".env").read_text().partition("SECRET_KEY=")[2].split()[0]
    assert len(key) > 20
    assert SECRET not in text
    assert key not in text


def test_nothing_secret_is_in_a_command_line(ready: Gateway) -> None:
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert any(b"labelstudio_proxy" in line for line in lines)
    assert not any(SECRET.encode() in line for line in lines)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "nothing"), ("POST", "state"), ("GET", "start"), ("GET", "static/../app.py")],
)
def test_the_gateways_own_paths_never_reach_label_studio(
    ready: Gateway, method: str, path: str
) -> None:
    assert ready.ask(method, f"/_proxy/{path}", [PROGRAM]).status == 404


@pytest.mark.parametrize("name", ["prefix.js", "start.js", "start.css"])
def test_the_gateways_files_are_served(ready: Gateway, name: str) -> None:
    got = ready.ask("GET", f"/_proxy/static/{name}", [PROGRAM])
    assert got.status == 200
    assert len(got.body) > 1000
    assert got["Content-Type"].startswith("text/")


def test_other_requests_arrive(ready: Gateway) -> None:
    assert isinstance(ready.arrived("GET", "/projects/?page=1", NAVIGATION), Arrived)
