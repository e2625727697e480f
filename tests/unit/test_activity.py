"""Which requests are a person's."""

from __future__ import annotations

import pytest

from labelstudio_proxy.activity import is_persons

PAGE = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
NAVIGATION = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
PROGRAM = {"Authorization": "token 123"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("GET", "/projects", NAVIGATION, True),
        ("GET", "/projects", {"Accept": "text/html,*/*"}, True),  # a browser over plain http
        ("GET", "/projects", NAVIGATION | {"Sec-Purpose": "prefetch"}, False),
        ("GET", "/projects", NAVIGATION | {"Sec-Purpose": "prefetch;prerender"}, False),
        ("GET", "/api/projects", PROGRAM, True),
        ("HEAD", "/api/projects", PROGRAM, True),
        ("GET", "/api/projects", PROGRAM | {"Sec-Fetch-Mode": "cors"}, True),  # Node.js
        ("GET", "/api/projects", {"Sec-Fetch-Mode": "cors"}, False),
        ("GET", "/api/dm/project?interaction=timer", PAGE, False),
        ("GET", "/api/dm/project?interaction=timer", {}, False),
        ("GET", "/api/projects", PAGE | PROGRAM, False),
        ("GET", "/data/upload/1/a.mp4", PAGE | {"Sec-Fetch-Mode": "no-cors"}, False),
        ("POST", "/api/tasks/1/annotations/", PAGE, True),
        ("POST", "/api/tasks/1/annotations/", PAGE | {"Sec-Fetch-Site": "cross-site"}, False),
        ("PATCH", "/api/annotations/1/", PAGE, True),
        ("DELETE", "/api/annotations/1/", {}, True),
        ("GET", "/_proxy/state", PROGRAM, False),
        ("GET", "/user/alice/labelstudio/_proxy/events", PAGE, False),
        ("GET", "/_proxy/activity", PAGE, False),
        ("POST", "/_proxy/activity", PAGE, True),
        ("POST", "/_proxy/start", PAGE, True),
    ],
)
def test_whose_a_request_is(
    method: str, path: str, headers: dict[str, str], expected: bool
) -> None:
    assert is_persons(method, path, headers) is expected
