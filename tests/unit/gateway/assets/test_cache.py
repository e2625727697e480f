"""The folders of assets: what is read is whole, and what nobody uses goes."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_proxy.gateway.assets.cache import (
    ONCE_SECONDS,
    OTHER_BUILDS,
    UNUSED_SECONDS,
    Asset,
    AssetFolder,
    close_folder,
    name_of,
    open_folder,
)

ASSET = Asset("text/css", "0123abcd", b"a { b: c }\n" * 100)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "labelstudio-proxy" / "assets"


@given(st.binary(), st.text())
def test_what_is_saved_is_loaded(body: bytes, kind: str) -> None:
    folder = open_folder("1", "build")
    folder.save("name", replace(ASSET, body=body, kind=kind))
    assert folder.load("name", "identity") == replace(ASSET, body=body, kind=kind)


def test_half_a_file_is_none(cache: Path) -> None:
    folder = open_folder("1", "build")
    folder.save("name", ASSET)
    (file,) = folder.path.iterdir()
    whole = file.read_bytes()
    for end in range(len(whole)):
        file.write_bytes(whole[:end])
        assert folder.load("name", "identity") is None
        assert not file.exists()


def test_a_file_that_was_renamed_is_none() -> None:
    folder = open_folder("1", "build")
    folder.save("name", ASSET)
    (folder.path / "name.identity").rename(folder.path / "name.br")
    assert folder.load("name", "br") is None


def test_builds_have_folders_of_their_own() -> None:
    paths = [open_folder(*build).path for build in (("1", "a"), ("1", "b"), ("2", "a"), ("1", "a"))]
    assert paths[0] == paths[3]
    assert len(set(paths)) == 3


def test_style_sheets_differ_by_prefix_and_nothing_else_does() -> None:
    assert name_of("/static/a.css", "/a/") != name_of("/static/a.css", "/b/")
    assert name_of("/static/a.js", "/a/") == name_of("/static/a.js", "/b/")


def age(folder: AssetFolder, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(folder.path, (then, then))


def test_what_was_not_used_for_long_goes() -> None:
    old, recent = open_folder("1", "old"), open_folder("1", "recent")
    old.save("name", ASSET)
    age(old, UNUSED_SECONDS + 60)
    age(recent, UNUSED_SECONDS - 60)
    open_folder("1", "new")
    assert not old.path.exists()
    assert recent.path.exists()


def test_no_more_than_a_few_others_stay() -> None:
    folders = [open_folder("1", str(number)) for number in range(8)]
    for number, folder in enumerate(folders):
        if folder.path.exists():
            age(folder, 1000 - number)
    open_folder("2", "new")
    assert sum(folder.path.exists() for folder in folders) == OTHER_BUILDS
    assert folders[-1].path.exists()


def test_what_nothing_tells_from_others_is_gone_when_it_is_closed() -> None:
    first, second = open_folder("1", ""), open_folder("1", "")
    assert first.path != second.path
    first.save("name", ASSET)
    close_folder(first)
    assert not first.path.exists()
    with pytest.raises(OSError, match="No such file"):
        first.save("name", ASSET)
    kept = open_folder("1", "build")
    close_folder(kept)
    assert kept.path.exists()
    age(second, ONCE_SECONDS + 60)  # of a gateway that was killed
    open_folder("1", "build")
    assert not second.path.exists()


def test_a_folder_that_others_can_write_to_is_none(cache: Path) -> None:
    open_folder("1", "build")
    cache.chmod(0o777)
    with pytest.raises(PermissionError, match="alone"):
        open_folder("1", "build")


def test_a_folder_that_was_removed_comes_back() -> None:
    folder = open_folder("1", "build")
    folder.path.rmdir()
    assert folder.load("name", "identity") is None
    folder.save("name", ASSET)
    assert folder.load("name", "identity") == ASSET
