"""Files that only this user may read."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from labelstudio_proxy import private_file


def test_new_file_and_its_folder_are_this_users_alone(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "record.json"
    private_file.write(path, b"{}")
    assert path.read_bytes() == b"{}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_file_that_others_could_read_becomes_private(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text("long old text")
    path.chmod(0o644)
    private_file.write(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_for_others_gets_its_mode_and_makes_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    private_file.replace(path, b"new", 0o664)
    assert stat.S_IMODE(path.stat().st_mode) == 0o664
    with pytest.raises(FileNotFoundError):
        private_file.replace(tmp_path / "folder" / "labels.jsonl", b"new", 0o664)
    assert list(tmp_path.iterdir()) == [path]


def test_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        private_file.write(path, b"new")
    assert list(tmp_path.iterdir()) == [path]


def test_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "record.json"
    target.write_text("mine")
    path.symlink_to(target)
    private_file.write(path, b"new")
    assert target.read_text() == "mine"
    assert not path.is_symlink()


def test_create_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(FileExistsError):
        private_file.create(path)
    assert path.read_text() == "old"
