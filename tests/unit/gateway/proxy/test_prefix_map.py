"""Mapping a page puts the prefix before its URLs, and changes nothing else."""

from __future__ import annotations

import html as html_module
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from labelstudio_proxy.gateway.proxy.prefix_map import map_css, map_page
from labelstudio_proxy.gateway.static_files import versioned

PREFIX = "/user/alice/labelstudio/"
BASE = PREFIX[:-1].encode()
SCRIPT = versioned("prefix.js")
TAG = f'<script src="{PREFIX}_proxy/static/{SCRIPT}" data-prefix="{PREFIX}"></script>'.encode()
CAPTURED = Path(__file__).parent / "captured"
PAGES = sorted(CAPTURED.glob("*.html"))
STYLE_SHEETS = sorted(CAPTURED.glob("*.css"))
# What JupyterHub makes of user names, and what would end a string, a value or a tag.
PREFIXES = [
    PREFIX,
    "/user/a%40b.c/labelstudio/",
    "/user/o'brien/labelstudio/",
    "/user/<img src=x onerror=alert(1)>/",
    "/user/\"onload=\"alert(1)\"/",
    "/user/</script><script>alert(1)</script>/",
    "/user/`${alert(1)}`/",
    "/user/\\) ; url(/x/",
    "/user/é 日本 😀/labelstudio/",
    "/user/a&amp;b&lt/",
]  # fmt: skip


# How long an example takes says how busy the machine is, and nothing else.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def mapped(html: str, prefix: str = PREFIX) -> str:
    """The mapped page without the script, which is tested on its own."""
    result = map_page(html.encode(), prefix)
    assert result.count(TAG) == 1 or prefix != PREFIX
    return result.replace(TAG, b"").decode()


class Scan(HTMLParser):
    """What the standard library's parser makes of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]


# ---- Real pages ----


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_captured_page_leaves_no_url_outside_the_prefix(page: Path) -> None:
    result = map_page(page.read_bytes(), PREFIX).decode()
    for tag, name, value in Scan(result).attributes:
        if name in ("href", "src", "action") and value and re.match(r"/(?!/)", value):
            assert value.startswith(PREFIX), (tag, name, value)
    for call in re.findall(r"""(?:fetch\(|location\.href=)["'`](/[^"'`]*)""", result):
        assert call.startswith(PREFIX)
    assert 'hostname: ""' not in result


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_captured_page_is_otherwise_unchanged(page: Path) -> None:
    original = page.read_bytes()
    result = map_page(original, PREFIX)
    assert result != original
    hostname = b'hostname: location.origin + "' + BASE + b'"'
    assert (
        result.replace(TAG, b"").replace(hostname, b'hostname: ""').replace(BASE, b"") == original
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_captured_page_gets_the_script_first_in_its_head(page: Path) -> None:
    result = map_page(page.read_bytes(), PREFIX)
    assert re.search(rb"<head>" + re.escape(TAG), result)
    assert result.count(TAG) == 1


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_mapping_a_captured_page_twice_is_mapping_it_once(page: Path, prefix: str) -> None:
    once = map_page(page.read_bytes(), prefix)
    assert map_page(once, prefix) == once


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_script_of_a_captured_page_has_the_nonce_and_no_other(page: Path) -> None:
    result = map_page(page.read_bytes(), PREFIX, nonce="n-1_")
    scan = Scan(result.decode())
    assert scan.tags.count("script") == result.count(b' nonce="n-1_"') > 0
    assert {value for _, name, value in scan.attributes if name == "nonce"} == {"n-1_"}
    assert map_page(result, PREFIX, nonce="n-1_") == result


def test_account_page_calls_its_api_under_the_prefix() -> None:
    result = map_page((CAPTURED / "account.html").read_bytes(), PREFIX)
    assert (
        b'fetch("/user/alice/labelstudio/api/current-user/reset-token/", { method: "POST" })'
        in result
    )
    assert b'hostname: location.origin + "/user/alice/labelstudio",' in result


def test_button_of_the_error_page_leads_home() -> None:
    result = map_page((CAPTURED / "404.html").read_bytes(), PREFIX)
    assert b"""onClick="window.location.href='/user/alice/labelstudio/'\"""" in result


@pytest.mark.parametrize("sheet", STYLE_SHEETS, ids=lambda sheet: sheet.name)
def test_captured_style_sheet(sheet: Path) -> None:
    original = sheet.read_bytes()
    result = map_css(original, PREFIX)
    assert result.replace(BASE, b"") == original
    assert not re.search(rb"""url\(["']?/(?!user/alice/)""", result)
    assert map_css(result, PREFIX) == result
    assert result.count(BASE) == len(re.findall(rb"""url\(["']?/""", original))


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
def test_anything_else_is_unchanged(html: str) -> None:
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
def test_inline_script_asks_under_the_prefix(before: str, after: str) -> None:
    for start in (
        "<script>",
        '<script nonce="x" type="module">',
        "<SCRIPT type='text/javascript'>",
    ):
        assert (
            mapped(f"{start}{before}</script>") == f"{start}{after.replace('P/', PREFIX)}</script>"
        )


@pytest.mark.parametrize("empty", ['""', "''"])
def test_hostname_becomes_a_whole_url(empty: str) -> None:
    page = f"<script>window.APP_SETTINGS = {{ hostname: {empty}, x: {empty} }}</script>"
    assert mapped(page) == page.replace(
        f"hostname: {empty}", 'hostname: location.origin + "/user/alice/labelstudio"'
    )


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
def test_what_is_no_script_gets_no_nonce(html: str) -> None:
    assert b"nonce" not in map_page(html.encode(), "/", nonce="n")


def test_a_script_gets_no_nonce_for_what_it_says() -> None:
    page = '<script>var data = {"html": "<script>x<\\/script>"}</script>'
    assert map_page(page.encode(), "/", nonce="n").count(b"nonce") == 1


def test_scripts_of_ours_have_the_nonce() -> None:
    once = map_page(b"<head></head>", PREFIX, ["watch.js"], nonce="n")
    assert once.count(b'<script nonce="n" src=') == 2
    assert map_page(once, PREFIX, ["watch.js"], nonce="n") == once


# ---- Prefixes ----


def test_root_as_prefix_changes_no_url() -> None:
    page = b'<head></head><a href="/x"><script>fetch("/x"); window.APP_SETTINGS = {hostname: ""}</script>'
    once = map_page(page, "/")
    assert once == page.replace(b'""', b"location.origin")
    assert map_page(once, "/") == once
    assert map_css(b"a{b:url(/x)}", "/") == b"a{b:url(/x)}"


@pytest.mark.parametrize(
    "prefix", ["", "x", "/x", "x/", "//host/", "/\\host/", "https://host/", "/a\nb/"]
)
def test_prefix_that_is_no_path_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        map_page(b"", prefix)
    with pytest.raises(ValueError, match="prefix"):
        map_css(b"", prefix)


def unescaped_js(text: str) -> str:
    return re.sub(r"\\u\{([0-9a-f]+)\}", lambda match: chr(int(match[1], 16)), text)


def unescaped_css(text: str) -> str:
    return re.sub(r"\\([0-9a-f]{6})", lambda match: chr(int(match[1], 16)), text)


@pytest.mark.parametrize("prefix", [PREFIX, "/"])
def test_more_scripts_come_after_ours_under_any_prefix(prefix: str) -> None:
    once = map_page(b"<html><head><title>a</title>", prefix, ["watch.js"])
    names = re.findall(rb"_proxy/static/(\w+)\.js", once)
    assert names == ([b"prefix"] if prefix != "/" else []) + [b"watch"]
    assert b'data-prefix="%s"' % prefix.encode() in once
    assert map_page(once, prefix, ["watch.js"]) == once


@pytest.mark.parametrize("prefix", PREFIXES)
def test_prefix_cannot_leave_its_place(prefix: str) -> None:
    page = (
        "<head></head><a href=\"/a\"></a><a href='/b'></a><a href=/c></a><p onclick=\"location.href='/d'\" "
        "style=\"e:url('/e')\"></p><style>f{g:url(/f)}</style>"
        '<script>fetch("/g");fetch(`/h`);var APP_SETTINGS={hostname:""}</script>'
    )
    result = map_page(page.encode(), prefix).decode("ascii")
    base = prefix[:-1]
    scan = Scan(result)
    assert scan.tags == ["head", "script", "a", "a", "a", "p", "style", "script"]
    assert scan.attributes[:5] == [
        ("script", "src", f"{base}/_proxy/static/{SCRIPT}"),
        ("script", "data-prefix", prefix),
        ("a", "href", f"{base}/a"),
        ("a", "href", f"{base}/b"),
        ("a", "href", f"{base}/c"),
    ]
    (_, _, onclick), (_, _, style) = scan.attributes[5:]
    assert unescaped_js(onclick or "") == f"location.href='{base}/d'"
    assert re.fullmatch(r"location\.href='[\w/.~%@:+\\{}-]*'", onclick or "")
    assert unescaped_css(style or "") == f"e:url('{base}/e')"
    assert (
        unescaped_css(result.partition("<style>")[2].partition("</style>")[0])
        == f"f{{g:url({base}/f)}}"
    )
    code = result.rpartition("<script>")[2].partition("</script>")[0]
    assert unescaped_js(code) == (
        f'fetch("{base}/g");fetch(`{base}/h`);var APP_SETTINGS={{hostname:location.origin + "{base}"}}'
    )
    # Nothing in it but what is harmless in any string.
    assert re.fullmatch(r"[\w/.~%@:+\\{}\-()\"`;= ]*", code)
    assert map_page(result.encode(), prefix).decode() == result


# ---- Any bytes ----

PIECES = st.sampled_from(
    [
        "<", ">", "/", "=", '"', "'", "`", " ", "\n", "\\", "<!--", "-->", "--!>", "<!doctype html>", "<html>", "<head>",
        "<a href=", '<img src="/x"', "</a>", "<script>", "</script>", "<style>", "</style>", "<textarea>", "</textarea>",
        "<title>", "href", "src=", "srcset=", "style=", "onclick=", "/x", "//x", ",", "url(", ")", "@import ", "/*", "*/", "//",
        'fetch("/x")', "fetch(", "location.href=", "location = ", 'hostname: ""', "APP_SETTINGS", "content=", "http-equiv=refresh",
        "<meta ", "0;url=", "&quot;", "é", PREFIX, PREFIX[:-1], "<svg>", "<![CDATA[", "]]>", "[", "]", "(", "{", ";", "?",
    ]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=40).map("".join)


@unhurried
@given(TEXTS)
@example("<a href=/ href='/x' / >")
def test_mapping_twice_is_mapping_once(html: str) -> None:
    for nonce in ("", "n"):
        once = map_page(html.encode(), PREFIX, nonce=nonce)
        assert map_page(once, PREFIX, nonce=nonce) == once


@unhurried
@given(TEXTS, st.sampled_from(PREFIXES))
def test_mapping_twice_is_mapping_once_under_any_prefix(html: str, prefix: str) -> None:
    once = map_page(html.encode(), prefix)
    assert map_page(once, prefix) == once


@unhurried
@given(TEXTS.filter(lambda text: "/user/" not in text))
def test_taking_the_prefix_out_again_gives_the_original(html: str) -> None:
    result = map_page(html.encode(), PREFIX)
    result = re.sub(rb'location\.origin \+ "' + BASE + rb'"', b'""', result.replace(TAG, b""))
    assert result.replace(BASE, b"") == html.encode()


@unhurried
@given(TEXTS)
def test_css_twice_is_css_once(css: str) -> None:
    once = map_css(css.encode(), PREFIX)
    assert map_css(once, PREFIX) == once


@unhurried
@given(st.binary(max_size=200))
def test_bytes_in_any_encoding_pass(noise: bytes) -> None:
    page = b"<head></head><p>" + noise.replace(b"<", b"").replace(b"/", b"") + b'</p><a href="/x">'
    result = map_page(page, PREFIX)
    assert result == page.replace(b"<head>", b"<head>" + TAG).replace(b'"/x"', b'"' + BASE + b'/x"')


def test_pages_in_utf_16_pass_as_they_are() -> None:
    page = '<a href="/x">'.encode("utf-16")
    assert map_page(page, PREFIX) == page


@unhurried
@given(
    st.text(
        st.characters(exclude_characters="/\\", exclude_categories=["Cs", "Cc", "Cn"]), min_size=1
    )
)
def test_any_user_name_makes_a_safe_prefix(name: str) -> None:
    prefix = f"/user/{name}/labelstudio/"
    result = map_page(b'<head></head><a href="/x">', prefix).decode("ascii")
    href = re.search(r'<a href="([^"<>]*)">$', result)
    assert href
    assert html_module.unescape(href[1]) == f"{prefix}x"
    assert Scan(result).tags == ["head", "script", "a"]


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


# ---- Time ----

MEGABYTE = 1_000_000
HOSTILE = [
    "<", "<a ", '<a href="', "<a href='", "<a href=", '<a href="/', "<!--", "<!-", "--!", "</", "<?", "<script>", "</script",
    "<script", "<style>", "<textarea>", "<title></titl", "<a / ", "<a =", "= ", '"', "'", "/", " ", "\n", "\\", "<head",
]  # fmt: skip
WITHIN = [
    ("<script>", ['"', "'", "`", '"\\"', "`\\`", "/*", "//", "=/[", "= /", "=/", "=[/", "fetch(", "fetch  ", "location ", "window . ",
                  "location.href=", "hostname: ", "( ", "(/\\", '(/[\\]"']),
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
def test_hostile_page_ends(start: str, piece: str, end: str) -> None:
    page = (start + piece * (MEGABYTE // len(piece)) + end).encode()
    assert len(map_page(page, PREFIX)) >= len(page)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece", [piece for start, pieces in WITHIN if start == "<style>" for piece in pieces]
)
def test_hostile_style_sheet_ends(piece: str) -> None:
    css = (piece * (MEGABYTE // len(piece))).encode()
    assert len(map_css(css, PREFIX)) >= len(css)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<script>a</script>", '<script nonce="N">a</script>'),
        ("<SCRIPT src=b.js defer></SCRIPT>", '<SCRIPT nonce="N" src=b.js defer></SCRIPT>'),
        # A script with two is none.
        ('<script nonce="old">a</script>', '<script nonce="N">a</script>'),
        ("<script nonce='' id=b>a</script>", "<script nonce='N' id=b>a</script>"),
        ("<script id=b nonce=old>a</script>", "<script id=b nonce=N>a</script>"),
        ("<script>'<script>'</script>", "<script nonce=\"N\">'<script>'</script>"),
        # Not what is text, an attribute or a comment.
        ("<iframe srcdoc='<script>a</script>'></iframe>",) * 2,
        ("<textarea><script>a</script></textarea>",) * 2,
        ("<!-- <script>a</script> -->",) * 2,
        ("&lt;script&gt;a",) * 2,
        ("<scripts>a</scripts>",) * 2,
    ],
)
def test_scripts_that_the_page_names_are_marked(before: str, after: str) -> None:
    assert map_page(before.encode(), "/", nonce="N").decode() == after


def test_scripts_of_ours_are_marked() -> None:
    page = map_page(b"<head></head>", PREFIX, ["watch.js"], "N").decode()
    assert page.count("<script") == page.count('<script nonce="N" src="') == 2


def test_every_script_of_label_studios_pages_is_marked_once() -> None:
    for page in CAPTURED.glob("*.html"):
        html = map_page(page.read_bytes(), PREFIX, nonce="N").decode()
        scripts = re.findall(r"<script\b[^>]*>", html)
        assert all(len(re.findall(r"\bnonce=", script)) == 1 for script in scripts), page
        assert all('nonce="N"' in script for script in scripts), page
