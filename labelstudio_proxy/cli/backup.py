"""Backing up a data directory into an archive, also while Label Studio writes to it."""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ..data_directory.database_copy import BACKUPS, REPLACED, copy_database
from ..data_directory.directory import DATABASE, OURS, DataDirectory
from ..data_directory.lock import LOCK
from ..data_directory.lock_record import RECORD, REQUEST
from ..problem import Problem
from . import archive
from .archive import JOURNALS, Progress

# Copies of other days, which are as large as the database; and who has the directory just now.
LEFT_OUT = tuple(f"{OURS}/{name}" for name in (f"{BACKUPS}/", REPLACED, LOCK, RECORD, REQUEST))


def backup(
    directory: DataDirectory, target: Path, progress: Progress, *, database: bool = True
) -> list[str]:
    """Put database, media, secret key and all else of a directory into `target`, with mode 0600.

    Says what is in it and what is not, a sentence each. `database`: False where it is not in the
    directory. Raises Problem, and leaves no half of an archive then.
    """
    path, target = directory.path.resolve(), target.resolve()
    directory = DataDirectory(path)
    _check(directory, target, database)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".labelstudio-proxy-") as folder:
            sources = []
            if database:
                # The database first: the files that it names are there by then.
                copy = Path(folder, DATABASE)
                copy_database(directory.database, copy, progress)
                check_database(copy)
                sources.append((DATABASE, copy))
            links: list[str] = []
            sources += _files(path, links)
            archive.write(temporary, sources, progress)
        temporary.replace(target)
        _sync(target.parent)
    except (OSError, sqlite3.Error, ValueError) as error:
        raise Problem(
            f"{path} could not be backed up to {target}.",
            f"{error}.",
            "Free some space, or write to a folder on another disk with `--output`; a database "
            "that is damaged must be mended first. Then try again.",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    said = [f"{path} is backed up in {target}. It holds the secret key: keep it private."]
    if links:
        said.append(f"Not in it, since they are no plain files: {', '.join(links)}.")
    if not database:
        said.append("The database is NOT in it: back it up with its own tools.")
    return said


def _check(directory: DataDirectory, target: Path, database: bool) -> None:
    if not directory.path.is_dir() or (database and not directory.database.is_file()):
        raise Problem(
            f"There is nothing to back up in {directory.path}.",
            "It has no database: Label Studio was never started there.",
            "Name another directory with `--data-dir`.",
        )
    if target.exists():
        raise Problem(
            f"{target} exists already.",
            "A backup never overwrites anything.",
            "Choose another name with `--output`, or move it away.",
        )
    if target.is_relative_to(directory.path):
        raise Problem(
            f"{target} is in the data directory itself.",
            "The next backup would hold this one.",
            "Choose a place outside of it with `--output`.",
        )


def check_database(database: Path) -> None:
    """Raises sqlite3.Error where a database that nobody uses is damaged, or not Label Studio's."""
    with closing(sqlite3.connect(database)) as connection:
        # One file: without the write-ahead log that the original may have.
        connection.execute("PRAGMA journal_mode = DELETE")
        if (found := connection.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(found)
        connection.execute("SELECT 1 FROM htx_user, django_migrations LIMIT 1")


def _files(root: Path, links: list[str]) -> Iterator[tuple[str, Path]]:
    """All files beside the database; `links` gets the names of what is no plain file or folder."""

    def unreadable(error: OSError) -> None:
        raise error

    for folder, folders, names in os.walk(root, onerror=unreadable):
        folders.sort()
        for name in sorted([*folders, *names]):
            path = Path(folder, name)
            inside = path.relative_to(root).as_posix()
            try:
                mode = path.lstat().st_mode
            except FileNotFoundError:
                continue
            if stat.S_ISREG(mode):
                # what `DataDirectory` and `template` make for a moment
                passing = inside.startswith((".write-test-", ".template-", *LEFT_OUT))
                if inside != DATABASE and inside not in JOURNALS and not passing:
                    yield inside, path
            elif not stat.S_ISDIR(mode):
                links.append(inside)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
