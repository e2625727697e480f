"""The folders of assets: what is read is complete, and unused folders are removed."""

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

ASSET = Asset("text/css", "0123abcd", b"a { b: c }\n" * 100, compressible=True)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "labelstudio-proxy" / "assets"


@given(st.binary(), st.text())
def test_a_saved_asset_is_loaded(body: bytes, media_type: str) -> None:
    folder = open_folder("1", "build")
    asset = replace(ASSET, body=body, media_type=media_type)
    folder.save("name", asset)
    assert folder.load("name", "identity") == asset


@pytest.mark.parametrize("damaged", ["name", "0123abcd-identity0"])
def test_a_damaged_file_is_removed(damaged: str) -> None:
    folder = open_folder("1", "build")
    folder.save("name", ASSET)
    file = folder.path / damaged
    whole = file.read_bytes()
    changed = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole))]
    for damage in (*(whole[:end] for end in range(len(whole))), *changed):
        file.write_bytes(damage)
        assert folder.load("name", "identity") is None
        assert not file.exists()


def test_a_renamed_file_is_not_loaded() -> None:
    folder = open_folder("1", "build")
    folder.save("name", ASSET)
    (folder.path / "0123abcd-identity0").rename(folder.path / "0123abcd-br11")
    assert folder.load("name", "br") is None


def test_the_best_level_is_loaded() -> None:
    folder = open_folder("1", "build")
    folder.save("name", ASSET)
    assert folder.load("name", "br") is None
    for level in (9, 11):
        assert not folder.has_content("0123abcd", "br", level)
        folder.save_content("0123abcd", "br", level, b"level %d" % level)
        assert folder.has_content("0123abcd", "br", level)
        loaded = replace(ASSET, body=b"level %d" % level, coding="br", level=level)
        assert folder.load("name", "br") == loaded
    assert loaded.etag == '"0123abcd-br11"'


def test_what_is_not_compressible_is_loaded_uncompressed() -> None:
    folder = open_folder("1", "build")
    picture = replace(ASSET, compressible=False)
    folder.save("name", picture)
    assert folder.load("name", "br") == folder.load("name", "gzip") == picture


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


def test_a_folder_that_is_unused_for_long_is_removed() -> None:
    old, recent = open_folder("1", "old"), open_folder("1", "recent")
    old.save("name", ASSET)
    age(old, UNUSED_SECONDS + 60)
    age(recent, UNUSED_SECONDS - 60)
    open_folder("1", "new")
    assert not old.path.exists()
    assert recent.path.exists()


def test_folders_of_a_few_other_builds_stay() -> None:
    folders = [open_folder("1", str(number)) for number in range(8)]
    for number, folder in enumerate(folders):
        if folder.path.exists():
            age(folder, 1000 - number)
    open_folder("2", "new")
    assert sum(folder.path.exists() for folder in folders) == OTHER_BUILDS
    assert folders[-1].path.exists()


def test_a_folder_without_a_fingerprint_is_removed_when_it_is_closed() -> None:
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


def test_a_folder_that_other_users_can_write_to_is_refused(cache: Path) -> None:
    open_folder("1", "build")
    cache.chmod(0o777)
    with pytest.raises(PermissionError, match="other users can write"):
        open_folder("1", "build")


def test_a_folder_that_was_removed_is_made_again() -> None:
    folder = open_folder("1", "build")
    folder.path.rmdir()
    assert folder.load("name", "identity") is None
    folder.save("name", ASSET)
    assert folder.load("name", "identity") == ASSET
