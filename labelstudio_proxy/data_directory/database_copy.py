"""Checked copies of Label Studio's database, made while Label Studio uses it or not."""

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

# Names in `DataDirectory.proxy_folder`: backups, and databases that a backup has replaced.
BACKUPS = "backups"
REPLACED = "replaced-"
KEPT_BACKUPS = 3
STEP_PAGES = 2048  # copied at a time, mostly 8 MB
SPARE_BYTES = 20 * 1024 * 1024  # that a backup leaves free on the disk

Progress = Callable[[int, int], None]  # bytes done, bytes in all


def copy_database(
    source: Path, target: Path, progress: Progress = lambda done, total: None
) -> None:
    """Copy a database into the new file `target`, with mode 0600, and check the copy.

    Label Studio may use the database; its writes wait until the copy is done. Raises OSError and
    sqlite3.Error.
    """
    private_file.create(target).close()
    try:
        uri = sqlite_uri(source, "rw")
        with (
            closing(sqlite3.connect(uri, uri=True, timeout=60, isolation_level=None)) as origin,
            closing(sqlite3.connect(target, isolation_level=None)) as copy,
        ):
            (page_bytes,) = origin.execute("PRAGMA page_size").fetchone()
            # Without a transaction, the copy would start over at each change.
            origin.execute("BEGIN")
            origin.execute("SELECT count(*) FROM sqlite_master").fetchone()
            origin.backup(
                copy,
                pages=STEP_PAGES,
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
    """Make a backup of the database that Label Studio `version` has used; return its path.

    Removes the oldest backup if there are more than three. Raises Problem, and leaves no file then.
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
            raise OSError(f"it needs {size >> 20} MB, and only {free >> 20} MB are free")
        copy_database(directory.database, target, progress)
    except (OSError, sqlite3.Error) as error:
        raise Problem(
            f"Label Studio's database {directory.database} could not be backed up.",
            f"A backup is needed before another version of Label Studio changes it: {error}.",
            "Free some space if the disk is full, or replace the database with a copy that works. "
            "Then try again.",
        ) from error
    for old in backups(directory)[:-KEPT_BACKUPS]:
        old.unlink(missing_ok=True)
    logger.info("Backed up %s as %s", directory.database, target)
    return target


def backups(directory: DataDirectory) -> list[Path]:
    """Return the backups from before upgrades, oldest first."""
    return sorted((directory.proxy_folder / BACKUPS).glob("*.sqlite3"))


def replace_database(directory: DataDirectory, backup: Path) -> Path | None:
    """Replace the database by a backup; return where the previous one is now, if there was one.

    No program may use the database meanwhile. After a crash in between, the previous database and
    the backup are both complete. Raises OSError and sqlite3.Error.
    """
    check_database(backup)
    copy = directory.proxy_folder / f"{private_file.UNFINISHED}database"
    copy.unlink(missing_ok=True)
    with backup.open("rb") as source, private_file.create(copy) as file:
        shutil.copyfileobj(source, file)
        file.flush()
        os.fsync(file.fileno())
    previous = None
    if directory.database.exists():
        previous = directory.proxy_folder / f"{REPLACED}{time.time_ns()}.sqlite3"
        # The journal first: SQLite would apply one that stays beside the backup.
        for suffix in ("-journal", "-wal", "-shm", ""):
            present = Path(f"{directory.database}{suffix}")
            if present.exists():
                present.rename(f"{previous}{suffix}")
    copy.rename(directory.database)
    return previous
