"""Restore a backup in the place of a data directory, all or nothing; the previous data are kept."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shlex
import shutil
import sqlite3
import time
from pathlib import Path

from ..backends.docker.leftover import remove_recorded
from ..config.settings import user_name
from ..data_directory import foreign_containers, foreign_processes, interrupted_restore
from ..data_directory.database_copy import check_database
from ..data_directory.directory import DATABASE, PROXY_FOLDER, DataDirectory
from ..data_directory.lock import DirectoryLock, remove_unused
from ..data_directory.lock_problems import InUse
from ..problem import Problem
from ..shell_command import shell_command
from . import archive
from .archive import Progress, RefusedArchive


def restore(source: Path, directory: DataDirectory, progress: Progress) -> list[str]:
    """Restore an archive as a data directory; return where the data are now, one sentence each.

    Unpacks and checks the archive beside the directory, then renames both folders. Locks the
    directory meanwhile. Raises Problem, and has changed nothing then.
    """
    path = directory.path.resolve()
    _check(source, path)
    made = _make(path)
    lock = DirectoryLock(path)
    unpacked = path.with_name(f"{path.name}.restoring-{secrets.token_hex(4)}")
    try:
        container = asyncio.run(_have_alone(lock, path))
        unpacked.mkdir(mode=0o700)
        try:
            has_database = _unpack(source, unpacked, progress)
            previous = _swap(unpacked, path)
        except BaseException:
            shutil.rmtree(unpacked, ignore_errors=True)
            raise
        made = []
    except OSError as error:
        raise Problem(
            f"Nothing could be restored at {path}.",
            f"{error}. The folder above it must be writable and have room, and {path} must not be "
            "a mount point: the restored folder is made beside it and then renamed.",
            "Correct that; or restore into another folder with `--data-dir`, set `data_dir` to it and "
            "restart Jupyter.",
        ) from error
    finally:
        if made and remove_unused(path):
            with contextlib.suppress(OSError):  # another program uses the folder
                for folder in reversed(made[:-1]):
                    folder.rmdir()
        lock.release()
    sentences = [f"{source} is restored in {path}."]
    if previous is not None:
        sentences.append(
            f"The previous data are in {previous}; delete it when you need it no more."
        )
    if container:
        sentences.append(container)
    if not has_database:
        sentences.append("The database is NOT in this backup: restore it with its own tools.")
    return sentences


def _check(source: Path, path: Path) -> None:
    interrupted_restore.check(path)
    if not source.is_file():
        what = f"{source} is not a file." if source.exists() else f"There is no file {source}."
        raise Problem(what, "Its name may be wrong.", "Name a backup file.")
    if not os.access(source, os.R_OK):
        raise Problem(
            f"You may not read the file {source}.",
            "Nothing was changed.",
            "Make it readable for this user, or name another backup file.",
        )
    if path.exists() and not path.is_dir():
        raise Problem(
            f"{path} is not a folder.",
            "A data directory is a folder.",
            "Name another folder with `--data-dir`.",
        )
    names = {each.name for each in path.iterdir()} if path.is_dir() else set()
    # A home folder, for example, given by mistake, must not be moved away.
    if names - {PROXY_FOLDER} and not names & {DATABASE, ".env"}:
        raise Problem(
            f"The folder {path} is not empty, and not a data directory of Label Studio.",
            "It has neither Label Studio's database nor its secret key.",
            "Name an empty or new folder with `--data-dir`.",
        )


async def _have_alone(lock: DirectoryLock, path: Path) -> str:
    """Lock the directory and stop a leftover container; return a sentence if there was one.

    Raises Problem and OSError.
    """
    try:
        await lock.take(lambda _: None)
    except InUse as problem:
        stop = shell_command(f"labelstudio-proxy stop --data-dir {shlex.quote(str(path))}")
        remedy = f"Stop Label Studio there with `{stop}`, then try again."
        raise Problem(problem.what, problem.why, remedy) from problem
    await foreign_containers.ensure_none(path, user_name())
    await foreign_processes.ensure_none(path)
    return await remove_recorded(DataDirectory(path))


def _make(path: Path) -> list[Path]:
    """Make the folder if it does not exist, since the lock needs it; return what was made."""
    missing = [each for each in (path, *path.parents) if not each.exists()][::-1]
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Problem(
            f"The folder {path} could not be made.",
            f"{error}.",
            "Name another folder with `--data-dir`.",
        ) from error
    return missing


def _unpack(source: Path, unpacked: Path, progress: Progress) -> bool:
    """Unpack and check the archive; return True if the database is in it."""
    has_database = archive.unpack(source, unpacked, progress)
    if has_database:
        try:
            check_database(unpacked / DATABASE)
        except sqlite3.Error as error:
            raise RefusedArchive(
                source, f"The database in it is damaged, or not Label Studio's: {error}."
            ) from error
    os.sync()
    return has_database


def _swap(unpacked: Path, path: Path) -> Path | None:
    """Put `unpacked` at `path`; return where the previous folder is, None if it was empty.

    Killed between the renames, it leaves both folders under names that `interrupted_restore`
    knows. The lock stays with the previous folder; a process that waits for it locks the new one.
    """
    suffix = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    restored = unpacked.rename(f"{path}{interrupted_restore.RESTORED}{suffix}")
    try:
        previous = path.rename(f"{path}{interrupted_restore.BEFORE}{suffix}")
        try:
            restored.rename(path)
        except BaseException:
            if not path.exists():
                previous.rename(path)
            raise
    except BaseException:
        if path.exists():
            shutil.rmtree(restored, ignore_errors=True)
        raise
    return None if remove_unused(previous) else previous
