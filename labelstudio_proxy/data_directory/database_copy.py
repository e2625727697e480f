"""Copies of Label Studio's database, whole and checked, while it is in use or not."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from .. import private_file
from ..problem import Problem
from .directory import DataDirectory, sqlite_uri

logger = logging.getLogger(__name__)

REPLACED = "replaced-"  # what a backup was put in the place of, in `DataDirectory.proxy_folder`
BACKUPS = "backups"  # in `DataDirectory.proxy_folder`
KEPT = 3
PAGES = 2048  # of a step, mostly 8 MB
SPARE_BYTES = 20 * 1024 * 1024  # to be left on the disk

Progress = Callable[[int, int], None]  # bytes done, bytes in all


def copy_database(
    source: Path, target: Path, progress: Progress = lambda done, total: None
) -> None:
    """Copy by SQLite's backup API into `target`, which must not exist; checked, mode 0600.

    Label Studio may go on; what it writes waits in the meantime. Raises OSError, sqlite3.Error.
    """
    private_file.create(target).close()
    try:
        uri = sqlite_uri(source, "rw")
        with (
            closing(sqlite3.connect(uri, uri=True, timeout=60, isolation_level=None)) as origin,
            closing(sqlite3.connect(target, isolation_level=None)) as copy,
        ):
            (page_bytes,) = origin.execute("PRAGMA page_size").fetchone()
            # Held to the end: the copy would begin anew with each change else.
            origin.execute("BEGIN")
            origin.execute("SELECT count(*) FROM sqlite_master").fetchone()
            origin.backup(
                copy,
                pages=PAGES,
                progress=lambda _, left, pages: progress(
                    (pages - left) * page_bytes, pages * page_bytes
                ),
            )
            origin.execute("ROLLBACK")
        check_database(target)
        with target.open("rb") as file:
            os.fsync(file.fileno())
    except BaseException:
        target.unlink(missing_ok=True)
        Path(f"{target}-journal").unlink(missing_ok=True)
        raise


def check_database(database: Path) -> None:
    """Raise sqlite3.Error if a database that no program uses is damaged, or not Label Studio's."""
    uri = sqlite_uri(database, "rw")
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        # A single file, without the write-ahead log that the original may have.
        connection.execute("PRAGMA journal_mode = DELETE")
        (result,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if result != "ok":
            raise sqlite3.DatabaseError(result)
        connection.execute("SELECT 1 FROM htx_user, django_migrations LIMIT 1")


def back_up(
    directory: DataDirectory, version: str, progress: Progress = lambda done, total: None
) -> Path:
    """Keep a backup of the database, made by Label Studio `version`; the oldest of four goes.

    Raises Problem, and leaves no half of it then.
    """
    folder = directory.proxy_folder / BACKUPS
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    plain = re.sub(r"[^A-Za-z0-9.]+", "-", version).strip("-") or "unknown"
    now = time.time_ns()
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now // 10**9))
    target = folder / f"{moment}-{now // 1000 % 10**6:06}-{plain}.sqlite3"
    size, free = directory.database.stat().st_size, shutil.disk_usage(folder).free
    try:
        if size + SPARE_BYTES > free:
            raise OSError(f"it needs {size >> 20} MB, and {free >> 20} MB are free")
        copy_database(directory.database, target, progress)
    except (OSError, sqlite3.Error) as error:
        raise Problem(
            f"Label Studio's database {directory.database} could not be backed up.",
            f"That is done before another version of Label Studio changes it: {error}.",
            "Free some space, or put a database back that is whole, then try again. Nothing was "
            "changed.",
        ) from error
    for old in backups(directory)[:-KEPT]:
        old.unlink(missing_ok=True)
    logger.info("Backed up %s as %s", directory.database, target)
    return target


def backups(directory: DataDirectory) -> list[Path]:
    """The backups that are kept, oldest first."""
    return sorted((directory.proxy_folder / BACKUPS).glob("*.sqlite3"))


def put_back(directory: DataDirectory, backup: Path) -> Path | None:
    """Put a backup in the database's place; gives where the present one is now, if there was one.

    Nothing may use the database. A crash in between leaves either, or neither and both files of
    them. Raises OSError, sqlite3.Error.
    """
    check_database(backup)
    fresh = directory.proxy_folder / "putting-back.sqlite3"
    fresh.unlink(missing_ok=True)
    shutil.copyfile(backup, fresh)
    fresh.chmod(0o600)
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    aside = None
    if directory.database.exists():
        aside = directory.proxy_folder / f"{REPLACED}{time.time_ns()}.sqlite3"
        # The journal first: beside the backup, it would be applied to that.
        for suffix in ("-journal", "-wal", "-shm", ""):
            present = Path(f"{directory.database}{suffix}")
            if present.exists():
                present.rename(f"{aside}{suffix}")
    fresh.rename(directory.database)
    return aside
