"""Data directories to back up and to replace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.archives import fill, quiet, tree

from labelstudio_proxy.cli.backup import backup
from labelstudio_proxy.data_directory.directory import PROXY_FOLDER, DataDirectory
from labelstudio_proxy.data_directory.lock import LOCK


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return fill(tmp_path / "source" / "data", "mine")


@pytest.fixture
def backup_file(source: Path, tmp_path: Path) -> Path:
    """An archive of `source`."""
    (tmp_path / "archives").mkdir()
    made = tmp_path / "archives" / "backup_file.zip"
    backup(DataDirectory(source), made, quiet)
    return made


@pytest.fixture
def existing(tmp_path: Path) -> Path:
    """Another data directory, that a restore would replace."""
    path = fill(tmp_path / "existing" / "data", "theirs")
    (path / PROXY_FOLDER).mkdir()
    (path / PROXY_FOLDER / LOCK).touch()  # which stays
    return path


@pytest.fixture
def unchanged(existing: Path) -> Iterator[None]:
    before, inode = tree(existing.parent), existing.stat().st_ino
    yield
    assert tree(existing.parent) == before
    assert existing.stat().st_ino == inode
