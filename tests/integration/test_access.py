"""Which requests get through Jupyter to Label Studio, and with what: also such as no library sends.

In Label Studio's place runs a program that reports what reaches it.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from support.gateway import Arrived, Headers, Response, add_account, head, read_response, stand_in
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import command_line, pids_that_mention

METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
UNSAFE = ["POST", "PUT", "PATCH", "DELETE"]
WEBSOCKET = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
]


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    data_dir = new_data_dir()
    add_account(data_dir, "ada@localhost")
    echo = stand_in(data_dir.parent / "echo")
    return module_jupyter_lab(
        base_url="/user/alice/",
        config={"data_dir": str(data_dir), "label_studio": str(echo)},
        # as behind a proxy that changes `Host`
        server_config={"ServerApp": {"local_hostnames": ["localhost", "inside.example"]}},
    )


@pytest.fixture
def studio(
    jupyter: JupyterLab, label_studio_client: Callable[[JupyterLab], LabelStudioClient]
) -> LabelStudioClient:
    return label_studio_client(jupyter)


@pytest.fixture
def ready(studio: LabelStudioClient) -> LabelStudioClient:
    studio.wait_ready()
    return studio


@pytest.fixture
def stopped(studio: LabelStudioClient) -> LabelStudioClient:
    studio.post("_proxy/stop")
    studio.wait_for_state("stopped")
    return studio


@pytest.fixture(scope="module")
def cookie(jupyter: JupyterLab) -> tuple[str, str]:
    """The header that a browser sends after a login."""
    return logged_in(jupyter, f"127.0.0.1:{jupyter.port}")


def logged_in(jupyter: JupyterLab, host: str) -> tuple[str, str]:
    """Return the cookie of a login through a proxy that names Jupyter `host`."""
    answer = jupyter.get(
        "login", anonymous=True, params={"token": jupyter.token}, headers={"Host": host}
    )
    return "Cookie", "; ".join(f"{each.name}={each.value}" for each in answer.cookies)


def ask(
    jupyter: JupyterLab, method: str, path: str, headers: Headers = (), body: bytes | None = None
) -> Response:
    """Send exactly this below the prefix; `Host` is Jupyter's own unless `headers` have one."""
    fields = list(headers)
    if not any(name == "Host" for name, _ in fields):
        fields.insert(0, ("Host", f"127.0.0.1:{jupyter.port}"))
    with contextlib.closing(socket.create_connection(("127.0.0.1", jupyter.port), 60)) as sock:
        sock.sendall(head(method, f"{jupyter.prefix}{path}", fields, body) + (body or b""))
        return read_response(sock, method)


def gateways(jupyter: JupyterLab) -> list[int]:
    pids = pids_that_mention(jupyter.home)
    return [pid for pid in pids if " serve --unix-socket" in command_line(pid)]


# ---- without Jupyter's credentials


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("upgrade", [[], WEBSOCKET], ids=["http", "websocket"])
def test_without_credentials_not_even_the_gateway_starts(
    jupyter: JupyterLab, method: str, upgrade: list[tuple[str, str]]
) -> None:
    assert not gateways(jupyter)  # simpervisor would restart it
    for path in ("", "api/projects", "_proxy/start", "?token=wrong"):
        for credential in ([], [("Authorization", "token wrong")], [("Cookie", "username-x=y")]):
            back = ask(jupyter, method, path, [*upgrade, *credential], b"")
            assert back.status in {302, 403}
            if back.status == 302:
                assert back["Location"].startswith("/user/alice/login?")
    assert not gateways(jupyter)


WRONG = ("Authorization", "token wrong")
OWN_TOKEN = ("Authorization", f"Token {'1a' * 20}")  # as Label Studio gives its users


def test_a_program_that_jupyter_refuses_gets_json_and_keeps_its_connection(
    jupyter: JupyterLab,
) -> None:
    connection = HTTPConnection("127.0.0.1", jupyter.port, timeout=60)
    with contextlib.closing(connection):
        for body in (None, b"{}", bytes(20 << 20)):
            for headers, says in (
                ({}, "has no token"),
                (dict([WRONG]), "was not accepted"),
                (dict([OWN_TOKEN]), "one of Label Studio's own tokens"),
            ):
                method, path = "POST" if body else "GET", f"{jupyter.prefix}api/projects/"
                connection.request(method, path, body, headers)
                refused = connection.getresponse()
                message = json.loads(refused.read())["message"]
                assert refused.status == 403
                assert says in message
                assert "Send Jupyter's token" in message


def test_refusal_does_not_wait_for_a_body_that_does_not_come(jupyter: JupyterLab) -> None:
    headers = [("Expect", "100-continue"), ("Content-Length", "1000000")]
    refused = ask(jupyter, "POST", "api/projects/1/import", headers)
    assert (refused.status, refused["Connection"]) == (403, "close")


def test_browser_without_a_login_learns_that_the_connection_closes(jupyter: JupyterLab) -> None:
    redirect = ask(jupyter, "GET", "projects/", [("Accept", "text/html")])
    assert (redirect.status, redirect["Connection"]) == (302, "close")


# ---- from other sites


def origin(value: str, *more: tuple[str, str]) -> list[tuple[str, str]]:
    return [("Origin", value), *more]


STRANGERS = [
    pytest.param(origin("null"), id="null"),
    pytest.param([], id="no Origin"),
    pytest.param(origin("http://127.0.0.1:1"), id="sibling port"),
    pytest.param(origin("http://127.0.0.1"), id="no port"),
    pytest.param(origin("http://127.0.0.1:PORT.evil.example"), id="look-alike"),
    pytest.param(origin("http://evil.example/127.0.0.1:PORT"), id="look-alike path"),
    pytest.param(origin("http://127.0.0.1:PORT@evil.example"), id="look-alike user"),
    pytest.param(origin("http://evil127.0.0.1:PORT"), id="look-alike begin"),
    pytest.param(origin("http://evil.example"), id="other host"),
    pytest.param(
        origin("http://evil.example", ("X-Forwarded-For", "127.0.0.1:PORT")), id="forwarded for"
    ),
    pytest.param(
        origin("http://127.0.0.1:PORT", ("Sec-Fetch-Site", "cross-site")), id="Sec-Fetch-Site"
    ),
]


UNLIKE = {"no Origin", "Sec-Fetch-Site"}


def filled(headers: list[tuple[str, str]], jupyter: JupyterLab) -> list[tuple[str, str]]:
    return [(name, value.replace("PORT", str(jupyter.port))) for name, value in headers]


@pytest.fixture
def nothing_arrives(ready: LabelStudioClient) -> Iterator[None]:
    """Label Studio runs, and nothing of the test reaches it."""
    before = ready.get("-/seen").json()
    yield
    assert ready.get("-/seen").json() == before


@pytest.mark.usefixtures("nothing_arrives")
@pytest.mark.parametrize("headers", STRANGERS)
def test_a_cookie_from_another_site_changes_nothing(
    jupyter: JupyterLab, cookie: tuple[str, str], headers: list[tuple[str, str]]
) -> None:
    for method in UNSAFE:
        for path in ("api/projects", "_proxy/stop"):
            sent = [cookie, *filled(headers, jupyter)]
            assert ask(jupyter, method, path, sent, b"{}").status in {403, 404}


@pytest.mark.parametrize("headers", STRANGERS)
def test_a_cookie_from_another_site_starts_nothing(
    jupyter: JupyterLab,
    stopped: LabelStudioClient,
    cookie: tuple[str, str],
    headers: list[tuple[str, str]],
) -> None:
    for method in ("GET", "POST"):
        for upgrade in ([], WEBSOCKET if method == "GET" else []):
            ask(jupyter, method, "_proxy/start", [cookie, *filled(headers, jupyter), *upgrade], b"")
            ask(jupyter, method, "api/projects", [cookie, *filled(headers, jupyter), *upgrade], b"")
    assert stopped.state()["state"] == "stopped"


# A browser sends an Origin with every WebSocket, and Jupyter looks at it first.
@pytest.mark.usefixtures("nothing_arrives")
@pytest.mark.parametrize("headers", [each for each in STRANGERS if each.id not in UNLIKE])
def test_a_websocket_from_another_site_reaches_nothing(
    jupyter: JupyterLab, cookie: tuple[str, str], headers: list[tuple[str, str]]
) -> None:
    sent = [cookie, *filled(headers, jupyter), *WEBSOCKET]
    assert ask(jupyter, "GET", "api/projects", sent).status == 403


# Jupyter accepts these: a program sends no Origin, and Jupyter ignores Sec-Fetch-Site.
@pytest.mark.usefixtures("nothing_arrives")
@pytest.mark.parametrize("headers", [each for each in STRANGERS if each.id in UNLIKE])
def test_a_websocket_that_jupyter_accepts_reaches_nothing_either(
    jupyter: JupyterLab, cookie: tuple[str, str], headers: list[tuple[str, str]]
) -> None:
    sent = [("Host", f"127.0.0.1:{jupyter.port}"), cookie, *filled(headers, jupyter), *WEBSOCKET]
    with socket.create_connection(("127.0.0.1", jupyter.port), 60) as sock:
        sock.sendall(head("GET", f"{jupyter.prefix}api/projects", sent))
        while sock.recv(4096):  # until Jupyter closes what the gateway refused
            pass


def test_a_program_and_a_page_from_here_get_through_behind_a_proxy_that_changes_host(
    jupyter: JupyterLab, ready: LabelStudioClient, cookie: tuple[str, str]
) -> None:
    inside = ("Host", "inside.example")
    outside = logged_in(jupyter, inside[1])
    for headers in (
        [("Authorization", f"token {jupyter.token}")],
        [("Authorization", f"token {jupyter.token}"), inside],
        [cookie, ("Origin", jupyter.origin)],
        [outside, ("Origin", "https://hub.example"), ("Sec-Fetch-Site", "same-origin"), inside],
        [outside, ("Origin", "https://hub.example"), ("X-Forwarded-Host", "hub.example"), inside],
    ):
        for method in UNSAFE:
            assert ask(jupyter, method, "api/projects", headers, b"{}").status == 200, headers
    assert ready.state()["state"] == "ready"


def test_the_header_that_a_proxy_must_forward_is_named(
    jupyter: JupyterLab, stopped: LabelStudioClient
) -> None:
    page = [logged_in(jupyter, "inside.example"), ("Host", "inside.example")]
    refused = ask(jupyter, "POST", "_proxy/start", [*page, ("Origin", "http://hub.example")], b"")
    assert refused.status == 403
    for part in ("hub.example", "inside.example", "the header `Host`", "`X-Forwarded-Host`"):
        assert part in refused.json()["detail"]
    assert stopped.state()["state"] == "stopped"


def test_a_users_navigation_starts_it_behind_a_proxy_that_changes_host(
    jupyter: JupyterLab, stopped: LabelStudioClient
) -> None:
    navigation = [
        logged_in(jupyter, "inside.example"),
        ("Host", "inside.example"),
        ("Accept", "text/html"),
        ("Sec-Fetch-Site", "none"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "document"),
    ]
    assert ask(jupyter, "GET", "", navigation).status == 200
    stopped.wait_for_state("ready")


# ---- what reaches Label Studio


@pytest.mark.parametrize(
    "query", ["?token=S", "?a=1&token=S&b=2", "?%74oken=S", "?token=S&token=S&TOKEN=S", "?+token=S"]
)
@pytest.mark.parametrize("names", [str, str.lower, str.upper, str.swapcase])
def test_label_studio_sees_no_credential_of_jupyter(
    jupyter: JupyterLab,
    ready: LabelStudioClient,
    cookie: tuple[str, str],
    query: str,
    names: Callable[[str], str],
) -> None:
    sent = [
        cookie,
        ("Authorization", f"token {jupyter.token}"),
        ("Referer", f"{jupyter.url}lab?token={jupyter.token}"),
        ("X-XSRFToken", jupyter.token),
        ("X-Forwarded-Host", jupyter.token),
        ("X-Kept", "b\xe9\xffte"),
    ]
    sent = [(names(name), value) for name, value in sent]
    target = "api/projects" + query.replace("S", jupyter.token)
    arrived = Arrived.of(ask(jupyter, "POST", target, sent, b"\0\xff body"))
    told = arrived.head.decode("latin-1")
    assert jupyter.token not in told
    for value in re.findall(r"=([^;]+)", cookie[1]):
        assert value.strip('"') not in told
    assert not arrived.all("Cookie")
    assert not arrived.all("Referer")
    assert arrived.all("Authorization")[0].startswith("Bearer ")
    assert arrived.body == b"\0\xff body"
    assert arrived.all("X-Kept")[0].encode("latin-1") in {b"b\xe9\xffte", "bé\xffte".encode()}
