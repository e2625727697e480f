"""Putting a backup in the place of a data directory, all or nothing; what was there is kept."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import secrets
import shutil
import sqlite3
import sys
import time
from pathlib import Path

from ..backends.docker.leftover import remove_recorded
from ..data_directory import foreign_processes
from ..data_directory.directory import DATABASE, DataDirectory
from ..data_directory.lock import DirectoryLock, remove_unused
from ..problem import Problem
from . import archive
from .archive import Progress, RefusedArchive
from .backup import check_database

AT_FDCWD = -100
RENAME_EXCHANGE = 2


def restore(source: Path, directory: DataDirectory, progress: Progress) -> list[str]:
    """Restore an archive as a data directory; says where it is now, and where what was there is.

    The new is unpacked beside the old, checked, and put in its place by rename. Raises Problem, and
    has changed nothing then. The directory is locked meanwhile.
    """
    path = directory.path.resolve()
    _check(source, path)
    made = _make(path)
    lock = DirectoryLock(path)
    fresh = path.with_name(f"{path.name}.restoring-{secrets.token_hex(4)}")
    try:
        container = asyncio.run(_have_alone(lock, path))
        fresh.mkdir(mode=0o700)
        unpacked = fresh.stat()
        try:
            database = _unpack(source, fresh, progress)
            aside = _swap(fresh, path)
        except BaseException:
            # After an exchange of names it would be what people made.
            if fresh.exists() and os.path.samestat(fresh.stat(), unpacked):
                shutil.rmtree(fresh, ignore_errors=True)
            raise
        made = []
    except OSError as error:
        raise Problem(
            f"Nothing could be restored at {path}.",
            f"{error}. The folder above it must be writable and have room, and {path} must not be "
            "a mount itself: the new is made beside the old, and put in its place by rename.",
            "Mend that; or restore into another folder with `--data-dir`, and set `data_dir` to it.",
        ) from error
    finally:
        if made and remove_unused(path):
            with contextlib.suppress(OSError):  # another program uses it by now
                for folder in reversed(made[:-1]):
                    folder.rmdir()
        lock.release()
    said = [f"{source} is restored in {path}."]
    if aside is not None:
        said.append(f"What was there before is kept in {aside}; delete it when nobody needs it.")
    if container:
        said.append(container)
    if not database:
        said.append("The database is NOT in this backup: restore it with its own tools.")
    return said


def _check(source: Path, path: Path) -> None:
    if not source.is_file():
        raise Problem(
            f"There is no file {source}.", "Its name may be wrong.", "Name a backup's file."
        )
    if path.exists() and not path.is_dir():
        raise Problem(
            f"{path} is not a folder.",
            "A file is in its place.",
            "Name another folder with `--data-dir`.",
        )
    # A home folder, say, given by mistake, must not be moved away.
    plain = (path / DATABASE, path / ".env")
    if path.is_dir() and any(path.iterdir()) and not any(map(Path.exists, plain)):
        raise Problem(
            f"The folder {path} is no data directory of Label Studio's, and not empty.",
            "It has neither a database of Label Studio's nor its secret key.",
            "Name an empty or new folder with `--data-dir`.",
        )


async def _have_alone(lock: DirectoryLock, path: Path) -> str:
    """Gives a sentence where there was a container, or may be one; raises Problem, and OSError."""
    await lock.take(lambda _: None)
    await foreign_processes.ensure_none(path)
    return await remove_recorded(DataDirectory(path))


def _make(path: Path) -> list[Path]:
    """Make the folder where there is none, so that it can be locked; gives what was made."""
    missing = [each for each in (path, *path.parents) if not each.exists()][::-1]
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Problem(
            f"The folder {path} cannot be made.",
            f"{error}.",
            "Name another folder with `--data-dir`.",
        ) from error
    return missing


def _unpack(source: Path, fresh: Path, progress: Progress) -> bool:
    """Unpack and check; gives whether the database is in it."""
    has_database = archive.unpack(source, fresh, progress)
    if has_database:
        try:
            check_database(fresh / DATABASE)
        except sqlite3.Error as error:
            raise RefusedArchive(source, f"The database in it is damaged, or foreign: {error}.") from error
    os.sync()
    return has_database


def _swap(fresh: Path, path: Path) -> Path | None:
    """Put `fresh` at `path`; gives where what was there is now, None if that was nothing.

    The lock stays with the old directory, by whatever name. Whoever waits for it opens `path`
    anew, and so locks the new one.
    """
    now = time.strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{path.name}.before-restore-{now}")
    while aside.exists():
        aside = aside.with_name(f"{aside.name}-{secrets.token_hex(2)}")
    if _exchange(fresh, path):
        fresh.rename(aside)
    else:
        path.rename(aside)
        # Killed here, nothing is at `path`, and both are whole beside it.
        try:
            fresh.rename(path)
        except BaseException:
            aside.rename(path)
            raise
    return None if remove_unused(aside) else aside


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names at once, by renameat2(2); False where that cannot be had."""
    if sys.platform != "linux":
        return False
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # an old C library
        return False
    names = os.fsencode(one), os.fsencode(other)
    return bool(call(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0)
