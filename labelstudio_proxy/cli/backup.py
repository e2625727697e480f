"""Back up a data directory into one file, also while Label Studio writes to it."""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..data_directory import interrupted_restore
from ..data_directory.database_copy import copy_database
from ..data_directory.directory import DATABASE, DISK_FULL, PROXY_FOLDER, DataDirectory
from ..data_directory.migrations import VERSION_RECORD
from ..data_directory.project_records import FOLDER as PROJECTS
from ..private_file import UNFINISHED, create
from ..problem import Problem
from . import archive
from .archive import JOURNALS, Progress

# All that a backup needs from the proxy folder. The rest belongs to this machine (the lock, the record of a
# container), is unfinished, or is an older copy of the database.
KEPT_OF_PROXY_FOLDER = (f"{PROXY_FOLDER}/{VERSION_RECORD}", f"{PROXY_FOLDER}/{PROJECTS}/")


def backup(
    directory: DataDirectory, target: Path, progress: Progress, *, database: bool = True
) -> list[str]:
    """Write the database, media, secret key and all other files of a directory into `target`.

    Returns what is in the file and what is not, one sentence each. `database`: False if the labels
    are in a database elsewhere. `target` gets mode 0600. Raises Problem, and leaves no file then.
    """
    path, target = directory.path.resolve(), target.resolve()
    directory = DataDirectory(path)
    _check(directory, target, database)

    def reading(done: int, total: int) -> None:
        progress(done, total, "Reading the database")

    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        create(temporary).close()
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".labelstudio-proxy-") as folder:
            sources = []
            if database:
                # The database first: the files that it names exist by then.
                copy = Path(folder, DATABASE)
                copy_database(directory.database, copy, reading)
                sources.append((DATABASE, copy))
            left_out: list[str] = []
            sources += _files(path, left_out)
            archive.write(temporary, sources, progress)
        temporary.replace(target)
        _sync(target.parent)
    except (OSError, sqlite3.Error, ValueError) as error:
        what = f"{path} could not be backed up to {target}."
        raise Problem(what, f"{error}.", _remedy(error, target)) from error
    finally:
        temporary.unlink(missing_ok=True)
    sentences = [f"{path} is backed up in {target}. It holds the secret key: keep it private."]
    if left_out:
        why = "they are no plain files, or their names are not valid UTF-8"
        sentences.append(f"Left out, because {why}: {', '.join(left_out)}.")
    if not database:
        sentences.append("The database is NOT in the backup: back it up with its own tools.")
    return sentences


def _check(directory: DataDirectory, target: Path, database: bool) -> None:
    interrupted_restore.check(directory.path)
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
            "Choose another name with `--output`, or move the file away.",
        )
    if not target.parent.is_dir():
        raise Problem(
            f"The folder {target.parent} does not exist.",
            "No backup was made.",
            "Make that folder, or choose another one with `--output`.",
        )
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise Problem(
            f"You may not write into the folder {target.parent}.",
            "No backup was made.",
            "Choose another folder with `--output`.",
        )
    if target.is_relative_to(directory.path):
        raise Problem(
            f"{target} is inside the data directory.",
            "The next backup would contain this one.",
            "Choose a place outside the data directory with `--output`.",
        )


def _remedy(error: Exception, target: Path) -> str:
    # SQLite's own words; before Python 3.11 there is no number.
    if getattr(error, "errno", None) in DISK_FULL or "disk is full" in str(error):
        return "Free some space, or write to another disk with `--output`."
    if isinstance(error, sqlite3.OperationalError):  # not the data, but the access to them
        return "Make sure that this user may read and write the database, then try again."
    if isinstance(error, sqlite3.Error):
        return "The database may be damaged. Repair it, then try again."
    place = f"{target.parent}{os.sep}"
    if isinstance(error, OSError) and not str(error.filename or place).startswith(place):
        return "Make that file readable for this user, then try again."
    return "Choose another file with `--output`."


def _files(root: Path, left_out: list[str]) -> Iterator[tuple[str, Path]]:
    """Yield the name and path of each file but the database; adds links and the like to `left_out`.

    Raises OSError for a folder that cannot be read.
    """

    def unreadable(error: OSError) -> None:
        raise error

    for folder, folders, names in os.walk(root, onerror=unreadable):
        folders.sort()
        for name in sorted([*folders, *names]):
            path = Path(folder, name)
            # In UTF-8, as in the archive, whatever the locale.
            inside = os.fsencode(path.relative_to(root)).decode(errors="surrogateescape")
            if _is_left_out(inside):
                continue
            try:
                mode = path.lstat().st_mode
            except FileNotFoundError:
                continue
            if stat.S_ISREG(mode) and _is_text(inside):
                yield inside, path
            elif not stat.S_ISDIR(mode):
                left_out.append(inside)


def _is_left_out(inside: str) -> bool:
    if inside.startswith(f"{PROXY_FOLDER}/"):
        return UNFINISHED in inside or not inside.startswith(KEPT_OF_PROXY_FOLDER)
    return inside in {DATABASE, *JOURNALS} or inside.startswith(UNFINISHED)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
