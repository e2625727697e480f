"""The places in a page and a style sheet that get the prefix, the gateway's scripts and the nonce."""

from __future__ import annotations

import pytest
from support.mapped_pages import PREFIX, TAG, mapped

from labelstudio_proxy.gateway.proxy.prefix_map import is_document, map_css, map_page

# ---- Documents ----


@pytest.mark.parametrize(
    "body",
    [
        b"<!doctype html>",
        b"\n\n  <!DOCTYPE html><html>",
        b"\xef\xbb\xbf \r\n<!-- a --> <!-- b --><HTML lang=en>",
        b"<?xml version='1.0'?>\n<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0//EN'>",
        b"<!--><head>",
        b"<html>",
        b"<head/>",
        b"<title>x</title>",
        b"<meta charset=utf-8>",
        b"<script>x</script>",
        b"<body\n>",
    ],
)
def test_documents(body: bytes) -> None:
    assert is_document(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b'{"status": "UP"}',
        b'"<html>"',
        b"[]",
        b"null",
        b"OK <html>",
        b'<pre>{\n "a": "<html>"}</pre>',
        b"<div><html></div>",
        b"<headers>",
        b"<html5>",
        b"</html>",
        b"<!-- not closed <html>",
        b"<?not closed",
        b"<",
        b"\xff\xfe<\0h\0t\0m\0l\0>\0",
        b"<!--a-->" * 50_000 + b"x",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_no_documents(body: bytes) -> None:
    assert not is_document(body)


# ---- Attributes ----


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<a href="/x">', '<a href="P/x">'),
        ("<a href='/x'>", "<a href='P/x'>"),
        ("<a href=/x>", "<a href=P/x>"),
        ("<A\nHREF = /x/>", "<A\nHREF = P/x/>"),
        ('<a href=" /x">', '<a href=" P/x">'),
        ('<a href="/">', '<a href="P/">'),
        ('<img/src="/x"/>', '<img/src="P/x"/>'),
        ('<form action="/x?a=/b&amp;c" method=post>', '<form action="P/x?a=/b&amp;c" method=post>'),
        ("<video poster=/x src=/y>", "<video poster=P/x src=P/y>"),
        ('<object data="/x">', '<object data="P/x">'),
        ('<button formaction="/x">', '<button formaction="P/x">'),
        (
            '<svg><image xlink:href="/x"/><use href="/y"/></svg>',
            '<svg><image xlink:href="P/x"/><use href="P/y"/></svg>',
        ),
        ('<img srcset="/a.png, /b.png 2x,c.png">', '<img srcset="P/a.png, P/b.png 2x,c.png">'),
        (
            '<img srcset="data:x;base64,/9j/ 1x, /b 2x">',
            '<img srcset="data:x;base64,/9j/ 1x, P/b 2x">',
        ),
        ('<link imagesrcset="/a 1x">', '<link imagesrcset="P/a 1x">'),
        ('<base href="/">', '<base href="P/">'),
        ('<template><a href="/x"></template>', '<template><a href="P/x"></template>'),
        (
            "<p style=\"background:url(/x) , url('/y')\">",
            "<p style=\"background:url(P/x) , url('P/y')\">",
        ),
        (
            '<p style="background:url(&quot;/x&quot;)">',
            '<p style="background:url(&quot;P/x&quot;)">',
        ),
        ("<style>a{b:url(/x)}@import '/y';</style>", "<style>a{b:url(P/x)}@import 'P/y';</style>"),
        (
            "<meta content='0;url=/x' http-equiv=refresh>",
            "<meta content='0;url=P/x' http-equiv=refresh>",
        ),
        (
            "<meta http-equiv=Refresh content=\"5; URL='/x'\">",
            "<meta http-equiv=Refresh content=\"5; URL='P/x'\">",
        ),
        ('<a title=">" href="/x">', '<a title=">" href="P/x">'),
        ('<a b\'c href="/x">', '<a b\'c href="P/x">'),
        ('<p><!-- > --><a href="/x">', '<p><!-- > --><a href="P/x">'),
        ('<!--><a href="/x">', '<!--><a href="P/x">'),
        ('<title></title ><a href="/x">', '<title></title ><a href="P/x">'),
        ("<a onclick=\"location.href='/x'\">", "<a onclick=\"location.href='P/x'\">"),
    ],
)
def test_url_gets_the_prefix(before: str, after: str) -> None:
    assert mapped(before) == after.replace("P/", PREFIX)


@pytest.mark.parametrize(
    "html",
    [
        '<a href="//host/x">', "<a href='/\\host/x'>", '<a href="/\t/host/x">', '<a href="https://host/x">',
        '<a href="x">', '<a href="">', "<a href>", '<a href="#/x">', '<a href="?next=/x">', '<a href="data:,/x">',
        '<a href="mailto:/x">', '<a href="/user/alice/labelstudio">', '<a href="/user/alice/labelstudio/x">',
        '<a href="/user/alice/labelstudio?x">', '<a title="/x" data-href="/x" value="/x" hrefs="/x" x:src="/x">',
        '<input data="/x" action="/x" value="/x">', '<meta name="description" content="0;url=/x">',
        '<!-- <a href="/x"> -->', '<!--a--!<a href="/x">-->', '<!doctype html SYSTEM "/x">', '<?php <a href="/x" ?>',
        '</a href="/x">', '<textarea><a href="/x"></textarea>', '<title><a href="/x"></title>',
        '<TEXTAREA></texta><a href="/x"></TEXTAREA>', '<noscript><img src="/x"></noscript>', '<iframe><a href="/x"></iframe>',
        "<style>/* url(/x) */ a{content:'url(/x)'} b{c:url(//host)}</style>", '<style><a href="/x"></style>',
        '<script>x = \'<a href="/x">\'; y = "fetch(\'/x\')"</script>', "<script>// fetch('/x')\n/* fetch('/x') */</script>",
        '<script type="application/json">{"a": "fetch(\'/x\')", "b": fetch("/x")}</script>', '<script>"</x>"; `fetch("/x")`</script>',
        '<script>hostname: ""</script>', '<script>x = {"hostname": ""}; /*APP_SETTINGS*/</script>',
        '<script>prefetch("/x"); my.fetch("/x"); location == "/x"; location.href === "/x"; location.pathname = x</script>',
        '<script>location.href = x + "/y"; fetch(x + "/y"); fetch("//host"); location.search = "/x"</script>',
        "1 < 2 href=\"/x\" & </ a href='/x'> < a href='/x'>", '<a href="/x', "<a href='/x\"><a href=\"/y\">", "<a href=/x",
        "", "plain /text",
    ],
)  # fmt: skip
def test_other_text_is_unchanged(html: str) -> None:
    assert mapped(html) == html


# ---- Scripts ----


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('fetch("/x")', 'fetch("P/x")'),
        ("await window.fetch( '/x', {a: '/b'})", "await window.fetch( 'P/x', {a: '/b'})"),
        ("fetch(`/x/${y}/`)", "fetch(`P/x/${y}/`)"),
        ("location.href='/'", "location.href='P/'"),
        ('location = "/x"', 'location = "P/x"'),
        ('window.location.href = "/x" + y', 'window.location.href = "P/x" + y'),
        (
            'location.assign("/x"); location.replace("/y")',
            'location.assign("P/x"); location.replace("P/y")',
        ),
        ('document.location.replace("/x")', 'document.location.replace("P/x")'),
        ("""x.replace(/["']/g, ""); fetch("/x")""", """x.replace(/["']/g, ""); fetch("P/x")"""),
        ("""a = "it's"; fetch('/x')""", """a = "it's"; fetch('P/x')"""),
        ("""a = '\\''; fetch('/x')""", """a = '\\''; fetch('P/x')"""),
    ],
)
def test_inline_script_requests_urls_under_the_prefix(before: str, after: str) -> None:
    for start in (
        "<script>",
        '<script nonce="x" type="module">',
        "<SCRIPT type='text/javascript'>",
    ):
        assert (
            mapped(f"{start}{before}</script>") == f"{start}{after.replace('P/', PREFIX)}</script>"
        )


@pytest.mark.parametrize("empty", ['""', "''"])
def test_hostname_becomes_a_complete_url(empty: str) -> None:
    page = f"<script>window.APP_SETTINGS = {{ hostname: {empty}, x: {empty} }}</script>"
    assert mapped(page) == page.replace(
        f"hostname: {empty}", 'hostname: location.origin + "/user/alice/labelstudio"'
    )


def test_names_of_the_user_are_not_escaped_for_html() -> None:
    names = "O&#x27;Brien &amp;lt; &lt;b&gt;&quot;"
    page = f'<script>APP_SETTINGS = {{ firstName: "{names}", page_title: "{names}" }}</script>'
    shown = r"O\u0027Brien \u0026lt; \u003cb\u003e\u0022"
    assert mapped(page) == page.replace(names, shown, 1)
    assert mapped(mapped(page)) == mapped(page)


# ---- The script tag ----


@pytest.mark.parametrize(
    "before",
    [
        "\n<!doctype html>\n<html><HEAD lang=en>|<title>x</title></head>",
        "<!doctype html><html>|<body>x</body></html>",
        "<!-- <head> --><!DOCTYPE html PUBLIC '>|\n<p>x",
        "|<p>x",
        "\N{BYTE ORDER MARK}|<p>x",
        "|<header>x</header>",
        "|",
    ],
)
def test_script_comes_first_and_after_the_doctype(before: str) -> None:
    expected = before.replace("|", TAG.decode())
    assert map_page(before.replace("|", "").encode(), PREFIX).decode() == expected


# ---- The nonce ----


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<script>x</script>", '<script nonce="n">x</script>'),
        ("<SCRIPT\nsrc=x></SCRIPT>", '<SCRIPT nonce="n"\nsrc=x></SCRIPT>'),
        ("<script/src=x></script>", '<script nonce="n"/src=x></script>'),
        ("<script NONCE=old>x</script>", "<script NONCE=n>x</script>"),
        ("<script id=a nonce=''>x</script>", "<script id=a nonce='n'>x</script>"),
        ("<template><script>x</script></template>", None),
        ("<script>'<script>'</script>", "<script nonce=\"n\">'<script>'</script>"),
    ],
)
def test_a_script_gets_the_nonce(before: str, after: str | None) -> None:
    expected = before.replace("<script>", '<script nonce="n">') if after is None else after
    result = map_page(f"<head></head>{before}".encode(), "/", nonce="n").decode()
    assert result == f"<head></head>{expected}"
    assert map_page(result.encode(), "/", nonce="n").decode() == result


@pytest.mark.parametrize(
    "html",
    [
        '<iframe srcdoc="<script>x</script>"></iframe>',
        "<p title='<script>x'></p>",
        "<textarea><script>x</script></textarea>",
        "<title><script>x</script></title>",
        "<!-- <script>x</script> -->",
        "<style><script>x</script></style>",
        "<noscript><script>x</script></noscript>",
        "<scripts>x</scripts>",
        "&lt;script>x",
        "<img onerror=x>",
        "<script x='",
    ],
)
def test_text_that_looks_like_a_script_gets_no_nonce(html: str) -> None:
    assert b"nonce" not in map_page(html.encode(), "/", nonce="n")


def test_a_script_in_a_string_gets_no_nonce() -> None:
    page = '<script>var data = {"html": "<script>x<\\/script>"}</script>'
    assert map_page(page.encode(), "/", nonce="n").count(b"nonce") == 1


def test_the_gateways_scripts_have_the_nonce() -> None:
    once = map_page(b"<head></head>", PREFIX, ["page.js"], nonce="n")
    assert once.count(b'<script nonce="n" src=') == 2
    assert map_page(once, PREFIX, ["page.js"], nonce="n") == once


# ---- Style sheets ----


@pytest.mark.parametrize(
    ("css", "expected"),
    [
        ("a{b:url(/x)}", "a{b:url(P/x)}"),
        ("a{b:url( '/x' )}", "a{b:url( 'P/x' )}"),
        ('a{b:URL("/x") format("woff"),url("/y")}', 'a{b:URL("P/x") format("woff"),url("P/y")}'),
        ('@import "/x"; @import url(/y);', '@import "P/x"; @import url(P/y);'),
        ("@import'/x';", "@import'P/x';"),
        ("a{b:url(x) url(//host) url(https://host/x) url(data:,url(/x)) url(#x)}", None),
        ('/* url(/x) */ a{content:"url(/x)"; b:\'@import "/x"\'} c{d:my-url(/x)}', None),
        ("a{b:url(\"data:image/svg+xml,<svg fill='url(/x)'>\")}", None),
    ],
)
def test_style_sheet(css: str, expected: str | None) -> None:
    assert map_css(css.encode(), PREFIX).decode() == (
        css if expected is None else expected.replace("P/", PREFIX)
    )
