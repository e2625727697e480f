"""Data directories and archives of them, good and hostile."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from labelstudio_proxy.cli.archive import MANIFEST
from labelstudio_proxy.data_directory.directory import DATABASE
from labelstudio_proxy.problem import Problem

PICTURE = "media/upload/1/ä b\\c\n.png"


def quiet(done: int, total: int, label: str = "") -> None:
    assert 0 <= done <= total


def tree(folder: Path) -> dict[str, bytes | None]:
    """All that is below a folder, by name; None: a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def make_database(path: Path, label: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE htx_user (id); CREATE TABLE django_migrations (id);"
            f"CREATE TABLE label (text); INSERT INTO label VALUES ('{label}')"
        )


def label_in(directory: Path) -> str:
    with contextlib.closing(sqlite3.connect(directory / DATABASE)) as connection:
        return str(connection.execute("SELECT text FROM label").fetchone()[0])


def fill(folder: Path, label: str) -> Path:
    (folder / PICTURE).parent.mkdir(parents=True)
    make_database(folder / DATABASE, label)
    (folder / ".env").write_text(f"SECRET_KEY={label}")
    (folder / PICTURE).write_bytes(b"\x89PNG" * 1000)
    return folder


def refused(run: Callable[[], object], what: str) -> Problem:
    with pytest.raises(Problem) as told:
        run()
    problem = told.value
    assert what in f"{problem.what} {problem.why}", f"{problem.what} {problem.why}"
    assert problem.remedy
    return problem


def packed(
    path: Path,
    files: Mapping[str, bytes] | None = None,
    *,
    change: Callable[[dict[str, Any]], object] = lambda _: None,
) -> Path:
    """An archive as `backup` would make it, of a database and more; `change` the manifest."""
    database = path.with_suffix(".sqlite3")
    make_database(database, "foreign")
    contents = {DATABASE: database.read_bytes(), **(files or {})}
    database.unlink()
    manifest = {"format": 2, "made_by": "x", "made_at": "x", "database": True}
    change(manifest)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in contents.items():
            made.writestr(name, data)
        made.writestr(MANIFEST, json.dumps(manifest))
    return path


def rewritten(path: Path, change: Callable[[zipfile.ZipInfo], object], name: str) -> Path:
    """The same archive, with one entry's description changed."""
    with zipfile.ZipFile(path) as before:
        entries = [(info, before.read(info)) for info in before.infolist()]
    with zipfile.ZipFile(path, "w") as after:
        for info, data in entries:
            if info.filename == name:
                change(info)
            after.writestr(info, data)
    return path
