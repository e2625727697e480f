"""Which requests the gateway refuses."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from labelstudio_proxy.gateway.request_guard import Origins, public_address, refusal
from labelstudio_proxy.request_kind import classify

NONE = Origins()
HOST = "hub.example:8000"
TOKEN = {"Authorization": "token abc"}
COOKIE = {"Cookie": "username-hub-example=x"}
CROSS = {"Sec-Fetch-Site": "cross-site"}
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
CHANGES = ["POST", "PUT", "PATCH", "DELETE"]


def refused(
    method: str, headers: dict[str, str], *, path: str = "/projects", origins: Origins = NONE
) -> bool:
    sent = CIMultiDict({"Host": HOST} | headers)
    return refusal(classify(method, path, sent), sent, origins) is not None


@pytest.mark.parametrize("method", CHANGES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://changed.by.a.proxy"},
        {"Origin": f"https://{HOST}"},
        {"Origin": f"http://{HOST.upper()}"},
        {"Origin": "https://front.example", "X-Forwarded-Host": f"front.example, {HOST}"},
        TOKEN,
        {"authorization": "Bearer abc"},
        TOKEN | COOKIE,
        TOKEN | {"Sec-Fetch-Dest": "empty"},
    ],
)
def test_change_from_here_or_from_a_program_passes(method: str, headers: dict[str, str]) -> None:
    assert not refused(method, headers)


@pytest.mark.parametrize("method", [*CHANGES, "PROPFIND"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        COOKIE,
        COOKIE | {"Referer": f"https://{HOST}/user/alice/lab"},
        COOKIE | {"Sec-Fetch-Dest": "empty"},
        CROSS,
        CROSS | TOKEN,
        CROSS | {"Origin": "https://evil.example"},
        CROSS | {"Origin": f"https://{HOST}"},
        CROSS | NAVIGATION | {"Sec-Fetch-User": "?1"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://other.hub.example"},
        {"Sec-Fetch-Site": "Same-Origin ish"},
        {"Sec-Fetch-Site": ""},
        {"Origin": "null"},
        {"Origin": "null"} | TOKEN,
        {"Origin": ""},
        {"Origin": "https://"},
        {"Origin": "https://evil.example"},
        {"Origin": "https://evil.example"} | TOKEN,
        {"Origin": "https://hub.example"},
        {"Origin": "https://hub.example:8001"},
        {"Origin": f"https://evil{HOST}"},
        {"Origin": f"https://{HOST}.evil.example"},
        {"Authorization": "token "},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "x"},
    ],
)
def test_change_that_another_site_could_have_sent_is_refused(
    method: str, headers: dict[str, str]
) -> None:
    assert refused(method, headers)


@pytest.mark.parametrize("path", ["/api/projects", "/_proxy/state", "/projects"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("mode", ["no-cors", "cors", "same-origin", "websocket"])
def test_other_sites_cannot_read_or_embed(path: str, site: str, mode: str) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        assert refused(method, {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode}, path=path)


def why_refused(headers: dict[str, str]) -> str:
    sent = CIMultiDict({"Host": "127.0.0.1:8888"} | COOKIE | headers)
    problem = refusal(classify("POST", "/_proxy/start", sent), sent, NONE)
    assert problem is not None
    return problem.as_sentence()


def test_the_header_that_a_proxy_must_forward_is_named() -> None:
    why = why_refused({"Origin": "http://hub.example"})
    for part in ("hub.example", "127.0.0.1:8888", "forward the header `Host`", "X-Forwarded-Host"):
        assert part in why
    assert "header `Origin`" in why_refused({})


@pytest.mark.parametrize(
    "headers", [CROSS | {"Origin": "http://evil.example"}, {"Origin": "null"}, CROSS]
)
def test_a_proxy_is_not_blamed_for_another_site(headers: dict[str, str]) -> None:
    why = why_refused(headers)
    assert "comes from another site" in why
    assert "proxy" not in why


def test_reading_passes() -> None:
    assert not refused("GET", {})
    assert not refused("GET", COOKIE)
    assert not refused("GET", {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors"})


def test_websocket_must_show_who_opens_it() -> None:
    websocket = {"Upgrade": "WebSocket"} | COOKIE
    for more in ({}, {"Origin": "https://evil.example"}, CROSS):
        assert refused("GET", websocket | more)
    for more in (TOKEN, {"Origin": f"https://{HOST}"}):
        assert not refused("GET", websocket | more)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("more", [{}, {"Sec-Fetch-User": "?1"}, {"Sec-Fetch-Dest": "iframe"}])
def test_link_from_another_site_leads_to_pages_but_not_into_the_api(
    site: str, more: dict[str, str]
) -> None:
    """The API acts even with GET."""
    link = NAVIGATION | {"Sec-Fetch-Site": site} | more
    for path in ("/", "/projects/1/data", "/data/upload/1/a.png", "/apis", "/user/api/"):
        assert not refused("GET", link, path=path)
    for path in ("/api/projects/1/export", "/api/", "/api", "//api/projects"):
        assert refused("GET", link, path=path)
        for here in ("same-origin", "none"):
            assert not refused("GET", link | {"Sec-Fetch-Site": here}, path=path)


@pytest.mark.parametrize(
    ("origin", "origins", "expected"),
    [
        ("https://portal.example", Origins("https://portal.example"), False),
        ("https://portal.example", Origins("", r"https://[a-z]+\.example$"), False),
        ("https://portal.example", Origins("https://other.example", r"https://x"), True),
        ("https://portal.example.evil.example", Origins("", r"https://[a-z]+\.example$"), True),
        ("https://any.example", Origins("*"), True),
        ("null", Origins("*"), True),
    ],
)
def test_origin_that_jupyter_admits_passes(origin: str, origins: Origins, expected: bool) -> None:
    assert refused("POST", CROSS | {"Origin": origin}, origins=origins) is expected


def test_any_origin_that_jupyter_admits_needs_its_token() -> None:
    """With `allow_origin = "*"`, Jupyter still checks what a cookie alone may change."""
    anyone = CROSS | {"Origin": "https://any.example"}
    assert refused("POST", anyone | COOKIE, origins=Origins("*"))
    assert not refused("POST", anyone | TOKEN, origins=Origins("*"))
    assert not refused("GET", anyone, origins=Origins("*"))
    # a proxy that changes Host, over plain http
    assert not refused("POST", {"Origin": "http://any.example"}, origins=Origins("*"))


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"Origin": "https://hub.example"}, "https://hub.example"),
        ({"Referer": "http://hub.example/user/ada/lab?x=1"}, "http://hub.example"),
        ({"Origin": "null", "Referer": "https://hub.example/lab"}, "https://hub.example"),
        ({"Origin": "https://evil.example"}, ""),
        ({"Origin": "https://hub.example@evil.example"}, ""),
        ({"Referer": "ftp://hub.example/"}, ""),
        ({"Origin": "http://["}, ""),
        ({}, ""),
    ],
)
def test_public_address_is_known_from_the_browsers_own_requests(
    headers: dict[str, str], address: str
) -> None:
    assert public_address({"Host": "hub.example"} | headers) == address
