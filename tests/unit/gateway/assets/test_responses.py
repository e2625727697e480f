"""Which requests are for an asset, and the responses to them."""

from __future__ import annotations

import pytest

from labelstudio_proxy.gateway.assets.cache import Asset
from labelstudio_proxy.gateway.assets.responses import asset_path, is_immutable, response_for

ASSET = Asset("text/css", "0123abcd", b"compressed", coding="br", level=5, compressible=True)


@pytest.mark.parametrize(
    "target",
    ["/static/a.js", "/react-app/main.js?v=1", "/static/b/c-d_e.1.css", "/static/a.png?x=/../"],
)
def test_files_below_the_two_folders_are_assets(target: str) -> None:
    assert asset_path("GET", target, {}) == target.partition("?")[0]
    assert asset_path("HEAD", target, {}) == target.partition("?")[0]
    assert asset_path("POST", target, {}) is None


@pytest.mark.parametrize(
    "target",
    [
        *("/", "/static", "/static/", "/static//a.js", "/static/../api/x", "/static/a/../b.js"),
        *("/static/./a.js", "/static/%2e%2e/x", "/static/a b.js", "/static/a/", "/Static/a.js"),
        *("/api/static/a.js", "/data/static/a.js", "//static/a.js", "/react-app/a\n.js"),
        "/static/" + "a" * 2000,
    ],
)
def test_other_paths_are_not_assets(target: str) -> None:
    assert asset_path("GET", target, {}) is None


def test_a_part_comes_from_label_studio_unless_it_continues_a_response_of_the_gateway() -> None:
    assert asset_path("GET", "/static/a.js", {"Range": "bytes=0-1"}) is None
    dated = {"Range": "bytes=0-1", "If-Range": "Wed, 25 Nov 2026 09:38:07 GMT"}
    assert asset_path("GET", "/static/a.js", dated) is None
    tagged = {"Range": "bytes=0-1", "If-Range": '"x-br5"'}
    assert asset_path("GET", "/static/a.js", tagged) == "/static/a.js"


@pytest.mark.parametrize(
    ("target", "immutable"),
    [
        ("/static/js/jquery.min.e6c2415c0ace.js", True),
        ("/static/js/478.chunk.js.193c1b6eaa54.map", True),
        ("/react-app/arrow.26e9f590a3acaa1b0bd9a531f9688a92.svg", True),
        ("/react-app/main.js?v=df96d7", True),
        ("/react-app/main.js?a=b&v=df96d79183156e556d91825d15fa7721f1145e1a", True),
        ("/react-app/main.js?v=", False),
        ("/react-app/vendor.js?v=1", False),
        ("/react-app/main.js?w=df96d7", False),
        ("/react-app/main.js?av=df96d7", False),
        ("/react-app/288.js", False),
        ("/static/deadbeefdead", False),
        ("/static/e6c2415c0ace.js", False),
    ],
)
def test_only_urls_that_change_with_the_file_are_immutable(target: str, *, immutable: bool) -> None:
    assert is_immutable(target) is immutable


@pytest.mark.parametrize(
    "known",
    [
        ASSET.etag,
        f"W/{ASSET.etag}",
        f'"x", {ASSET.etag}',
        '"0123abcd-br11"',
        '"a,b", "0123abcd-br11"',
    ],
)
def test_a_browser_with_the_same_content_gets_304(known: str) -> None:
    status, headers, body = response_for("GET", "/static/a.css", {"If-None-Match": known}, ASSET)
    assert (status, body) == (304, b"")
    assert headers["ETag"] in known
    assert headers["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in headers


@pytest.mark.parametrize(
    "known", ["", '"x"', '"0123abcd-gzip6"', '"0123abcd-br"', '"0123abcd-br5x"', "0123abcd-br5"]
)
def test_a_browser_with_other_content_gets_the_asset(known: str) -> None:
    status, headers, body = response_for("GET", "/static/a.css", {"If-None-Match": known}, ASSET)
    assert (status, body, headers["ETag"]) == (200, b"compressed", ASSET.etag)
    assert headers["Content-Encoding"] == "br"


def test_a_browser_that_accepts_any_copy_gets_304() -> None:
    status, headers, _ = response_for("GET", "/static/a.css", {"If-None-Match": "*"}, ASSET)
    assert (status, headers["ETag"]) == (304, ASSET.etag)
