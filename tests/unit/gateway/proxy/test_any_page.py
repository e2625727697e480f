"""Any bytes: mapping is repeatable and reversible, and takes time in proportion to the length."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.mapped_pages import BASE, PREFIX, PREFIXES, TAG, unhurried

from labelstudio_proxy.gateway.proxy.prefix_map import map_css, map_page

PIECES = st.sampled_from(
    [
        "<", ">", "/", "=", '"', "'", "`", " ", "\n", "\\", "<!--", "-->", "--!>", "<!doctype html>", "<html>", "<head>",
        "<a href=", '<img src="/x"', "</a>", "<script>", "</script>", "<style>", "</style>", "<textarea>", "</textarea>",
        "<title>", "href", "src=", "srcset=", "style=", "onclick=", "/x", "//x", ",", "url(", ")", "@import ", "/*", "*/", "//",
        'fetch("/x")', "fetch(", "location.href=", "location = ", 'hostname: ""', "APP_SETTINGS", 'email: "', "&amp;", "&#x27;", "content=", "http-equiv=refresh",
        "<meta ", "0;url=", "&quot;", "é", PREFIX, PREFIX[:-1], "<svg>", "<![CDATA[", "]]>", "[", "]", "(", "{", ";", "?",
    ]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=40).map("".join)


@unhurried
@given(TEXTS)
@example("<a href=/ href='/x' / >")
def test_mapping_twice_is_the_same_as_once(html: str) -> None:
    for nonce in ("", "n"):
        once = map_page(html.encode(), PREFIX, nonce=nonce)
        assert map_page(once, PREFIX, nonce=nonce) == once


@unhurried
@given(TEXTS, st.sampled_from(PREFIXES))
def test_mapping_twice_is_the_same_as_once_under_any_prefix(html: str, prefix: str) -> None:
    once = map_page(html.encode(), prefix)
    assert map_page(once, prefix) == once


@unhurried
@given(TEXTS.filter(lambda text: "/user/" not in text))
def test_removing_the_prefix_gives_the_original(html: str) -> None:
    result = map_page(html.encode(), PREFIX)
    result = re.sub(rb'location\.origin \+ "' + BASE + rb'"', b'""', result.replace(TAG, b""))
    result = result.replace(b"\\u0026", b"&amp;").replace(b"\\u0027", b"&#x27;")
    assert result.replace(BASE, b"") == html.encode()


@unhurried
@given(TEXTS)
def test_mapping_a_style_sheet_twice_is_the_same_as_once(css: str) -> None:
    once = map_css(css.encode(), PREFIX)
    assert map_css(once, PREFIX) == once


@unhurried
@given(st.binary(max_size=200))
def test_bytes_in_any_encoding_pass(noise: bytes) -> None:
    page = b"<head></head><p>" + noise.replace(b"<", b"").replace(b"/", b"") + b'</p><a href="/x">'
    result = map_page(page, PREFIX)
    assert result == page.replace(b"<head>", b"<head>" + TAG).replace(b'"/x"', b'"' + BASE + b'/x"')


def test_pages_in_utf_16_stay_unmapped() -> None:
    page = '<a href="/x">'.encode("utf-16")
    assert map_page(page, PREFIX) == page


# ---- Time

MEGABYTE = 1_000_000
HOSTILE = [
    "<", "<a ", '<a href="', "<a href='", "<a href=", '<a href="/', "<!--", "<!-", "--!", "</", "<?", "<script>", "</script",
    "<script", "<style>", "<textarea>", "<title></titl", "<a / ", "<a =", "= ", '"', "'", "/", " ", "\n", "\\", "<head",
]  # fmt: skip
WITHIN = [
    ("<script>", ['"', "'", "`", '"\\"', "`\\`", "/*", "//", "=/[", "= /", "=/", "=[/", "fetch(", "fetch  ", "location ", "window . ",
                  "location.href=", "hostname: ", "email: ", "( ", "(/\\", '(/[\\]"']),
    ("<style>", ["url(", "url( ", 'url("', "url('/", "@import ", "@import", "/*", '"\\', "'\\'", "\\"]),
    ('<img srcset="', [",", "a,", "a ( ", ", ", " ", "/", "/,"]),
    ('<meta http-equiv=refresh content="', [" ", "0", "; ", "url", "url =", "0 "]),
    ('<p style="', ["url(", "/*", "&quot;", "url(&quot;", "url( "]),
    ("<a ", ["a = ", "a ", "=", "a='", "a=\"'\" ", "href=/ ", "/ "]),
]  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("end", ["", ">", '">'])
@pytest.mark.parametrize(
    ("start", "piece"),
    [("", piece) for piece in HOSTILE]
    + [(start, piece) for start, pieces in WITHIN for piece in pieces],
)
def test_a_hostile_page_is_mapped_in_time(start: str, piece: str, end: str) -> None:
    page = (start + piece * (MEGABYTE // len(piece)) + end).encode()
    assert len(map_page(page, PREFIX)) >= len(page)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece", [piece for start, pieces in WITHIN if start == "<style>" for piece in pieces]
)
def test_a_hostile_style_sheet_is_mapped_in_time(piece: str) -> None:
    css = (piece * (MEGABYTE // len(piece))).encode()
    assert len(map_css(css, PREFIX)) >= len(css)
