"""Assets through Jupyter have Label Studio's own content in every coding."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from support.jupyter import JupyterLab, LabelStudioClient
from support.label_studio_socket import LabelStudioSocket

BASE_URL = "/user/alice/"
PREFIX = f"{BASE_URL}labelstudio/"
# Scripts load these; no page names them.
CHUNKS = "167.js 167.css 288.js 358.js 358.css 594.js 710.js 855.js 855.css decode-audio.wasm"
FONTS = "Figtree-Regular.ttf Figtree-SemiBold.ttf roboto/roboto.css"
CODINGS = ("br", "gzip", "identity")


@pytest.fixture(scope="module")
def data_directory(new_data_dir: Callable[[], Path]) -> Path:
    return new_data_dir()


@pytest.fixture(scope="module")
def jupyter(module_jupyter_lab: Callable[..., JupyterLab], data_directory: Path) -> JupyterLab:
    return module_jupyter_lab(
        base_url=BASE_URL, config={"data_dir": str(data_directory)}, new_cache=True
    )


def get(
    studio: LabelStudioClient, path: str, coding: str = "br", **headers: str
) -> requests.Response:
    return studio.get(path, headers={"Accept-Encoding": coding, **headers})


def test_every_asset_of_a_page_has_label_studios_content(
    jupyter: JupyterLab, studio: LabelStudioClient, data_directory: Path
) -> None:
    page = studio.get("projects/").text
    named = set(re.findall(rf'(?:src|href)="{PREFIX}((?:static|react-app)/[^"]+)"', page))
    assert len(named) > 6
    paths = [*sorted(named), *(f"react-app/{name}" for name in CHUNKS.split())]
    paths += [f"static/fonts/{name}" for name in FONTS.split()]
    directly = LabelStudioSocket(jupyter, data_directory)
    for path in paths:
        original = directly.get(path)
        assert original.status_code == 200, path
        for _ in range(2):  # as fetched, and as kept
            for coding in CODINGS:
                answer = get(studio, path, coding)
                assert answer.status_code == 200, path
                content = answer.content
                if ".css" in path:
                    content = content.replace(PREFIX.encode(), b"/")
                assert content == original.content, path
                assert answer.headers["Content-Type"] == original.headers["Content-Type"]
                assert answer.headers.get("Content-Encoding", "identity") in {coding, "identity"}
        if path in named:
            hashed = re.search(r"[0-9a-f]{12}\.|v=[0-9a-f]{6}", path)
            assert ("immutable" in answer.headers["Cache-Control"]) is bool(hashed), path


def test_a_kept_asset_has_the_headers_of_the_first_response(studio: LabelStudioClient) -> None:
    path = "react-app/288.js"
    first = get(studio, path)
    again = get(studio, path)
    names = ["Content-Type", "Content-Encoding", "Cache-Control", "Vary", "X-Content-Type-Options"]
    assert [again.headers[name] for name in names] == [first.headers[name] for name in names]
    etag = again.headers["ETag"]
    unchanged = get(studio, path, **{"If-None-Match": etag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["ETag"] == etag
    head = studio.request("HEAD", path, headers={"Accept-Encoding": "br"})
    assert head.headers["Content-Length"] == again.headers["Content-Length"]
    part = get(studio, path, Range="bytes=0-9")
    assert (part.status_code, len(part.content)) == (206, 10)


def test_a_kept_asset_needs_jupyters_login(studio: LabelStudioClient) -> None:
    path = "react-app/288.js"
    assert get(studio, path).status_code == 200
    stranger = studio.get(path, anonymous=True)
    assert stranger.status_code in {302, 403}
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert get(studio, path, **foreign).status_code == 403


def test_a_stopped_label_studio_has_no_assets(studio: LabelStudioClient) -> None:
    path = "react-app/288.js"
    assert get(studio, path).status_code == 200
    assert studio.post("_proxy/stop").status_code == 202
    studio.wait_for_state("stopped")
    assert get(studio, path).status_code == 503
    studio.wait_ready()
    assert get(studio, path).status_code == 200
