from __future__ import annotations

import contextlib
import lzma
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from labelstudio_proxy.data_directory import template
from labelstudio_proxy.data_directory.directory import DataDirectory


@pytest.fixture
def placed(tmp_path: Path) -> Path:
    """The template, as a database."""
    directory = DataDirectory(tmp_path / "data")
    directory.prepare()
    assert template.place(directory, template.VERSION)
    return directory.database


def rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"


def test_template_has_no_account_and_no_secret(placed: Path) -> None:
    counts = {
        name: rows(placed, f'SELECT count(*) FROM "{name}"')[0][0]
        for (name,) in rows(placed, TABLES)
    }
    assert {name for name, count in counts.items() if count} == {
        "auth_permission",
        "core_asyncmigrationstatus",
        "django_content_type",
        "django_migrations",
        "sqlite_sequence",
    }
    assert rows(placed, "PRAGMA integrity_check") == [("ok",)]
    assert stat.S_IMODE(placed.stat().st_mode) == 0o600
    assert [path.name for path in placed.parent.glob(".template*")] == []


def test_existing_database_is_not_replaced(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.database.write_bytes(b"mine")
    assert not template.place(directory, template.VERSION)
    assert directory.database.read_bytes() == b"mine"


@pytest.mark.parametrize("version", ["1.0", "1.23.1", "1.23.2rc1", "(version unknown)", ""])
def test_older_label_studio_does_not_get_the_template(tmp_path: Path, version: str) -> None:
    assert not template.place(DataDirectory(tmp_path), version)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", ["1.23.2", "1.23.2.post1", "1.24.0", "2.0"])
def test_same_or_newer_label_studio_gets_the_template(tmp_path: Path, version: str) -> None:
    assert template.place(DataDirectory(tmp_path), version)


def test_template_is_small() -> None:
    assert template.TEMPLATE.stat().st_size < 100_000
    assert lzma.decompress(template.TEMPLATE.read_bytes()).startswith(b"SQLite format 3\0")
