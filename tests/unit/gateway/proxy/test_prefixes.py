"""Any path is a safe prefix: it stays where it is inserted, in every language of a page."""

from __future__ import annotations

import html as html_module
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.mapped_pages import PREFIX, PREFIXES, SCRIPT, Scan, unhurried

from labelstudio_proxy.gateway.proxy.prefix_map import map_css, map_page


def test_root_as_prefix_changes_no_url() -> None:
    page = b'<head></head><a href="/x"><script>fetch("/x"); window.APP_SETTINGS = {hostname: ""}</script>'
    once = map_page(page, "/")
    assert once == page.replace(b'""', b"location.origin")
    assert map_page(once, "/") == once
    assert map_css(b"a{b:url(/x)}", "/") == b"a{b:url(/x)}"


@pytest.mark.parametrize(
    "prefix", ["", "x", "/x", "x/", "//host/", "/\\host/", "https://host/", "/a\nb/"]
)
def test_a_prefix_that_is_not_a_path_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        map_page(b"", prefix)
    with pytest.raises(ValueError, match="prefix"):
        map_css(b"", prefix)


def unescaped_js(text: str) -> str:
    return re.sub(r"\\u\{([0-9a-f]+)\}", lambda match: chr(int(match[1], 16)), text)


def unescaped_css(text: str) -> str:
    return re.sub(r"\\([0-9a-f]{6})", lambda match: chr(int(match[1], 16)), text)


@pytest.mark.parametrize("prefix", [PREFIX, "/"])
def test_more_scripts_follow_prefix_js_under_any_prefix(prefix: str) -> None:
    once = map_page(b"<html><head><title>a</title>", prefix, ["page.js"])
    names = re.findall(rb"_proxy/static/(\w+)\.js", once)
    assert names == ([b"prefix"] if prefix != "/" else []) + [b"page"]
    assert b'data-prefix="%s"' % prefix.encode() in once
    assert map_page(once, prefix, ["page.js"]) == once


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
    # All characters are harmless in any string.
    assert re.fullmatch(r"[\w/.~%@:+\\{}\-()\"`;= ]*", code)
    assert map_page(result.encode(), prefix).decode() == result


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
