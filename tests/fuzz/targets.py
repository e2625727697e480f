"""The functions that a coverage-guided fuzzer (atheris) tests: `targets.py NAME [libFuzzer's options]`."""

from __future__ import annotations

import sys
from urllib.parse import unquote_plus, urljoin, urlsplit

import atheris

with atheris.instrument_imports(include=["labelstudio_proxy.gateway"]):
    from labelstudio_proxy.gateway.proxy.headers import (
        NOT_FORWARDED,
        NOT_RETURNED,
        decoded,
        request_headers,
        response_headers,
        without_token,
    )
    from labelstudio_proxy.gateway.proxy.prefix_map import map_css, map_page
    from labelstudio_proxy.gateway.proxy.redirects import map_location

PREFIX = "/user/alice/labelstudio/"


def page(data: bytes) -> None:
    """Mapping a page twice is the same as mapping it once, and loses no bytes."""
    once = map_page(data, PREFIX)
    assert map_page(once, PREFIX) == once
    assert len(once) >= len(data)


def css(data: bytes) -> None:
    """Mapping a style sheet twice is the same as mapping it once."""
    once = map_css(data, PREFIX)
    assert map_css(once, PREFIX) == once


def headers(data: bytes) -> None:
    """No credential and no hop-by-hop header passes, in either direction."""
    lines = [line.partition(b":") for line in data.split(b"\n")]
    given = decoded([(name, value) for name, _, value in lines])
    sent = {name.lower().replace("_", "-") for name in request_headers(given, "ours", "host")}
    assert not sent & (set(NOT_FORWARDED) - {"authorization", "host"})
    assert not {name.lower() for name in response_headers(given)} & set(NOT_RETURNED)
    assert request_headers(given, "ours", "host").getall("Authorization") == ["ours"]


def target(data: bytes) -> None:
    """A token is removed from a target, and a redirect stays on the origin."""
    text = data.decode("latin-1")
    query = without_token(text).partition("?")[2]
    assert "token" not in {unquote_plus(part.partition("=")[0]) for part in query.split("&")}
    location = map_location("/projects/1", text)
    if location is not None:
        there = urlsplit(urljoin("https://hub.example/user/alice/labelstudio/projects/1", location))
        assert (there.scheme, there.netloc) == ("https", "hub.example")


def main() -> None:
    name, *options = sys.argv[1:]
    atheris.Setup([sys.argv[0], *options], globals()[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
