"""What a request's headers say: who sent it, what it starts, and what counts as activity."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from labelstudio_proxy.request_kind import RequestKind, Sender, classify

HOST = "hub.example"
PROGRAM = {"Authorization": "token 123"}
COOKIE = {"Cookie": "username-hub-example=x"}
SAME = {"Sec-Fetch-Site": "same-origin"}
CROSS = {"Sec-Fetch-Site": "cross-site"}
CLICKED = {"Sec-Fetch-User": "?1"}
PAGE = SAME | {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
IMAGE = {"Accept": "image/*", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
NAVIGATION = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
TYPED = NAVIGATION | {"Sec-Fetch-Site": "none"}
FRAME = NAVIGATION | {"Sec-Fetch-Dest": "iframe"}


def kind(headers: dict[str, str], method: str = "GET", path: str = "/projects/") -> RequestKind:
    return classify(method, path, CIMultiDict({"Host": HOST} | headers))


@pytest.mark.parametrize(
    ("method", "headers", "sender"),
    [
        ("GET", TYPED, Sender.USER),
        ("GET", FRAME | SAME, Sender.USER),
        ("GET", PAGE, Sender.PAGE),
        ("POST", PAGE, Sender.PAGE),
        ("GET", {"Sec-Fetch-Site": "none"}, Sender.PAGE),
        ("POST", SAME | {"Origin": "https://changed.by.a.proxy"}, Sender.PAGE),
        ("POST", {"Origin": f"https://{HOST}"}, Sender.PAGE),
        ("POST", {"Origin": f"http://{HOST.upper()}"}, Sender.PAGE),
        (
            "POST",
            {"Origin": "https://front.example", "X-Forwarded-Host": f"front.example, {HOST}"},
            Sender.PAGE,
        ),
        ("GET", PAGE | CROSS, Sender.OTHER_SITE),
        ("GET", NAVIGATION | CROSS | CLICKED, Sender.OTHER_SITE),
        ("POST", CROSS | PROGRAM, Sender.OTHER_SITE),
        ("POST", CROSS | {"Origin": f"https://{HOST}"}, Sender.OTHER_SITE),
        ("POST", {"Sec-Fetch-Site": "Same-Origin ish"}, Sender.OTHER_SITE),
        ("POST", {"Sec-Fetch-Site": ""}, Sender.OTHER_SITE),
        *(
            ("POST", {"Origin": origin} | more, Sender.OTHER_SITE)
            for more in ({}, PROGRAM)
            for origin in (
                *("null", "", "https://", "https://evil.example", f"https://evil{HOST}"),
                *(f"https://{HOST}.evil.example", f"https://{HOST}:8443"),
                f"https://{HOST}@evil.example",
            )
        ),
        ("GET", PROGRAM, Sender.PROGRAM),
        ("POST", PROGRAM | COOKIE, Sender.PROGRAM),
        ("POST", {"authorization": "Bearer x"}, Sender.PROGRAM),
        ("GET", PROGRAM | {"Sec-Fetch-Mode": "cors"}, Sender.PROGRAM),  # Node.js
        ("GET", {}, Sender.UNKNOWN),
        ("POST", COOKIE, Sender.UNKNOWN),
        ("POST", COOKIE | {"Referer": f"https://{HOST}/lab"}, Sender.UNKNOWN),
        ("GET", {"Accept": "text/html"}, Sender.UNKNOWN),
        ("GET", PROGRAM | {"Sec-Fetch-Dest": "empty"}, Sender.UNKNOWN),
        *(
            ("POST", {"Authorization": value}, Sender.UNKNOWN)
            for value in ("token ", "Basic dXNlcjpwYXNz", "x")
        ),
    ],
)
def test_sender(method: str, headers: dict[str, str], sender: Sender) -> None:
    """Fetch metadata come first, then the Origin of a change, then Jupyter's token."""
    assert kind(headers, method).sender is sender


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        pytest.param("GET", TYPED, id="address that was typed"),
        pytest.param("GET", TYPED | CLICKED, id="bookmark"),
        pytest.param("GET", NAVIGATION | SAME, id="window.open by the launcher"),
        pytest.param("GET", NAVIGATION | SAME | CLICKED, id="link in JupyterLab"),
        pytest.param("GET", FRAME | SAME, id="frame in JupyterLab"),
        pytest.param("GET", NAVIGATION | CROSS | CLICKED, id="clicked link of another site"),
        pytest.param(
            "GET",
            NAVIGATION | CLICKED | {"Sec-Fetch-Site": "same-site"},
            id="clicked link of the hub's site",
        ),
        pytest.param("GET", PROGRAM, id="program that reads"),
        pytest.param("POST", PROGRAM, id="program that writes"),
        pytest.param("GET", PROGRAM | {"Sec-Fetch-Mode": "cors"}, id="fetch of Node.js"),
        pytest.param("GET", {"Authorization": "Bearer x"} | COOKIE, id="program with a cookie"),
    ],
)
def test_user_or_program_starts_label_studio(method: str, headers: dict[str, str]) -> None:
    assert kind(headers, method).may_start


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        pytest.param("GET", NAVIGATION | CROSS, id="redirect of another site"),
        pytest.param(
            "GET",
            NAVIGATION | {"Sec-Fetch-Site": "same-site"},
            id="redirect of another host of the site",
        ),
        pytest.param("GET", FRAME | CROSS, id="frame of another site"),
        pytest.param("GET", FRAME | CROSS | CLICKED, id="clicked frame of another site"),
        pytest.param("GET", TYPED | {"Sec-Purpose": "prefetch"}, id="prefetch"),
        pytest.param("GET", TYPED | {"Sec-Purpose": "prefetch;prerender"}, id="prerender"),
        pytest.param("GET", TYPED | {"Purpose": "prefetch"}, id="prefetch of an older browser"),
        pytest.param("GET", IMAGE | SAME, id="image"),
        pytest.param("GET", IMAGE | CROSS, id="image in another site"),
        pytest.param("GET", PAGE, id="fetch of an open tab"),
        pytest.param("POST", PAGE, id="fetch that writes"),
        pytest.param("GET", PAGE | PROGRAM, id="fetch with a token"),
        pytest.param("GET", PROGRAM | {"Sec-Fetch-Dest": "empty"}, id="fetch without a site"),
        pytest.param("GET", PAGE | CROSS, id="fetch of another site"),
        pytest.param("GET", COOKIE | {"Accept": "*/*"}, id="curl with a cookie"),
        pytest.param("GET", COOKIE | {"Accept": "text/html"}, id="browser over plain http"),
        pytest.param("POST", COOKIE, id="curl with a cookie that writes"),
        pytest.param("GET", {}, id="nothing known"),
        pytest.param("HEAD", COOKIE, id="look at the headers"),
    ],
)
def test_nothing_else_starts_label_studio(method: str, headers: dict[str, str]) -> None:
    assert not kind(headers, method).may_start


def test_without_fetch_metadata_the_start_page_may_start_label_studio() -> None:
    """A browser over plain http sends none, and no other site can frame the start page."""
    plain = kind({"Accept": "text/html,*/*;q=0.8"})
    assert plain.is_navigation
    assert plain.page_may_start
    assert not kind(TYPED).page_may_start
    assert not kind(NAVIGATION | CROSS).page_may_start
    assert not kind({"Accept": "*/*"}).page_may_start


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        ("GET", TYPED, True),
        ("HEAD", TYPED, True),
        ("POST", TYPED, False),
        ("GET", {"Accept": "text/html"}, True),
        ("POST", {"Accept": "text/html"}, False),
        ("GET", PAGE | {"Accept": "text/html"}, False),
        ("GET", SAME | {"Accept": "text/html"}, False),
        ("GET", {"Accept": "*/*"}, False),
    ],
)
def test_navigation(method: str, headers: dict[str, str], expected: bool) -> None:
    """A browser with fetch metadata says it by the mode; any other one asks for HTML."""
    assert kind(headers, method).is_navigation is expected


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("GET", "/projects", TYPED, True),
        ("GET", "/projects", {"Accept": "text/html,*/*"}, True),  # a browser over plain http
        ("GET", "/projects", TYPED | {"Sec-Purpose": "prefetch"}, False),
        ("GET", "/projects", TYPED | {"Sec-Purpose": "prefetch;prerender"}, False),
        ("GET", "/api/projects", PROGRAM, True),
        ("HEAD", "/api/projects", PROGRAM, True),
        ("GET", "/api/projects", PROGRAM | {"Sec-Fetch-Mode": "cors"}, True),  # Node.js
        ("GET", "/api/projects", {"Sec-Fetch-Mode": "cors"}, False),
        ("GET", "/api/dm/project?interaction=timer", PAGE, False),
        ("GET", "/api/dm/project?interaction=timer", {}, False),
        ("GET", "/api/projects", PAGE | PROGRAM, False),
        ("GET", "/data/upload/1/a.mp4", PAGE | {"Sec-Fetch-Mode": "no-cors"}, False),
        ("POST", "/api/tasks/1/annotations/", PAGE, True),
        ("POST", "/api/tasks/1/annotations/", PAGE | CROSS, False),
        ("PATCH", "/api/annotations/1/", PAGE, True),
        ("DELETE", "/api/annotations/1/", {}, True),
        ("GET", "/_proxy/state", PROGRAM, False),
        ("GET", "/user/alice/labelstudio/_proxy/events", PAGE, False),
        ("GET", "/_proxy/activity", PAGE, False),
        ("POST", "/_proxy/activity", PAGE, True),
        ("POST", "/_proxy/start", PAGE, True),
    ],
)
def test_activity(method: str, path: str, headers: dict[str, str], expected: bool) -> None:
    """Users and programs count; what an open page polls does not."""
    assert kind(headers, method, path).counts_as_activity is expected
