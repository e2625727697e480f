"""Pages and style sheets of Label Studio: every URL gets the prefix, and nothing else changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.mapped_pages import BASE, CAPTURED, PAGES, PREFIX, PREFIXES, STYLE_SHEETS, TAG, Scan

from labelstudio_proxy.gateway.proxy.prefix_map import map_css, map_page


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
def test_mapping_a_captured_page_twice_is_the_same_as_once(page: Path, prefix: str) -> None:
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
def test_captured_style_sheet_is_otherwise_unchanged(sheet: Path) -> None:
    original = sheet.read_bytes()
    result = map_css(original, PREFIX)
    assert result.replace(BASE, b"") == original
    assert not re.search(rb"""url\(["']?/(?!user/alice/)""", result)
    assert map_css(result, PREFIX) == result
    assert result.count(BASE) == len(re.findall(rb"""url\(["']?/""", original))
