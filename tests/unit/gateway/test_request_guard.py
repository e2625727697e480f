from __future__ import annotations

import pytest
from multidict import CIMultiDict

from labelstudio_proxy.gateway.request_guard import (
    Origins,
    may_ask_to_start,
    may_start,
    origin,
    refusal,
)
from labelstudio_proxy.request_kind import is_navigation

NONE = Origins()
HOST = {"Host": "hub.example:8000"}
TOKEN = {"Authorization": "token abc"}
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


def headers(*parts: dict[str, str]) -> CIMultiDict[str]:
    return CIMultiDict({name: value for part in (HOST, *parts) for name, value in part.items()})


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "sent",
    [
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://changed.by.a.proxy"},
        {"Origin": "https://hub.example:8000"},
        {"Origin": "http://HUB.example:8000"},
        {"Origin": "https://front.example", "X-Forwarded-Host": "front.example, hub.example:8000"},
        TOKEN,
        {"Authorization": "Bearer abc"},
        TOKEN | {"Cookie": "a=b"},
    ],
)
def test_a_change_that_its_owner_wants_passes(method: str, sent: dict[str, str]) -> None:
    assert refusal(method, "/projects", headers(sent), NONE) is None


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"Cookie": "a=b"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"} | TOKEN,
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://hub.example:8000"},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "https://hub.example"},
        {"Origin": "https://hub.example:8001"},
        {"Origin": "https://hub.example:8000.evil.example"},
        {"Origin": "https://evil.example"} | TOKEN,
        {"Authorization": "token "},
        {"Authorization": "Basic YTpi"},
    ],
)
def test_a_change_that_another_site_could_have_sent_is_refused(
    method: str, sent: dict[str, str]
) -> None:
    assert refusal(method, "/projects", headers(sent), NONE)


def test_reading_passes_but_not_as_a_part_of_another_site() -> None:
    assert refusal("GET", "/projects", headers(), NONE) is None
    assert (
        refusal("GET", "/projects", headers(NAVIGATION, {"Sec-Fetch-Site": "cross-site"}), NONE)
        is None
    )
    image = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert refusal("GET", "/projects", headers(image), NONE)


def test_a_websocket_tells_who_opens_it() -> None:
    websocket = {"Upgrade": "WebSocket", "Cookie": "a=b"}
    for sent in ({}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert refusal("GET", "/projects", headers(websocket, sent), NONE)
    for sent in (TOKEN, {"Origin": "https://hub.example:8000"}):
        assert refusal("GET", "/projects", headers(websocket, sent), NONE) is None


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("more", [{}, {"Sec-Fetch-User": "?1"}, {"Sec-Fetch-Dest": "iframe"}])
def test_another_site_leads_to_pages_but_not_into_the_api(site: str, more: dict[str, str]) -> None:
    sent = headers(NAVIGATION, {"Sec-Fetch-Site": site}, more)
    for path in ("/", "/projects/1/data", "/data/upload/1/a.png", "/apis", "/user/api/"):
        assert refusal("GET", path, sent, NONE) is None
    for path in ("/api/projects/1/export", "/api/", "/api", "//api/projects"):
        assert refusal("GET", path, sent, NONE)
    for own in ("same-origin", "none"):
        typed = headers(NAVIGATION, {"Sec-Fetch-Site": own}, more)
        assert refusal("GET", "/api/projects/1/export", typed, NONE) is None


def test_origins_that_jupyter_admits_pass() -> None:
    sent = headers({"Sec-Fetch-Site": "cross-site", "Origin": "https://portal.example"})
    assert refusal("POST", "/projects", sent, Origins("https://portal.example")) is None
    assert (
        refusal("POST", "/projects", sent, Origins(allow_origin_pat=r"https://[a-z]+\.example$"))
        is None
    )
    assert (
        refusal("POST", "/projects", sent, Origins("https://other.example", r"https://x"))
        is not None
    )
    cookie = headers({"Sec-Fetch-Site": "cross-site", "Origin": "https://any.example"})
    assert refusal("POST", "/projects", cookie, Origins("*")) is not None
    token = headers({"Sec-Fetch-Site": "cross-site", "Origin": "https://any.example"}, TOKEN)
    assert refusal("POST", "/projects", token, Origins("*")) is None
    null = headers({"Sec-Fetch-Site": "cross-site", "Origin": "null"})
    assert refusal("POST", "/projects", null, Origins("*")) is not None


@pytest.mark.parametrize(
    "sent",
    [
        NAVIGATION | {"Sec-Fetch-Site": "same-origin"},
        NAVIGATION | {"Sec-Fetch-Site": "none"},
        NAVIGATION | {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-User": "?1"},
        NAVIGATION | {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "iframe"},
        TOKEN,
        TOKEN | {"Sec-Fetch-Mode": "cors"},  # Node.js
    ],
)
def test_a_person_or_a_program_with_a_token_starts_it(sent: dict[str, str]) -> None:
    assert may_start("GET", headers(sent))


FRAME = NAVIGATION | {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"}


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"Cookie": "a=b"},
        {"Accept": "text/html"},
        NAVIGATION | {"Sec-Fetch-Site": "cross-site"},
        FRAME | {"Sec-Fetch-User": "?1"},
        NAVIGATION | {"Sec-Fetch-Site": "none", "Sec-Purpose": "prefetch;prerender"},
        NAVIGATION | {"Sec-Fetch-Site": "same-origin", "Purpose": "prefetch"},
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"} | TOKEN,
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"} | TOKEN,
    ],
)
def test_nothing_else_starts_it(sent: dict[str, str]) -> None:
    assert not may_start("GET", headers(sent))


def test_without_fetch_metadata_the_page_asks_to_start() -> None:
    sent = headers({"Accept": "text/html,*/*;q=0.8"})
    assert is_navigation("GET", sent)
    assert may_ask_to_start("GET", sent)
    assert not may_ask_to_start("GET", headers(NAVIGATION))
    assert not is_navigation("POST", sent)
    assert not is_navigation("GET", headers({"Accept": "*/*"}))


@pytest.mark.parametrize(
    ("sent", "found"),
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
def test_where_the_browser_finds_the_server_is_known_from_its_own_requests(
    sent: dict[str, str], found: str
) -> None:
    assert origin({"Host": "hub.example"} | sent) == found
