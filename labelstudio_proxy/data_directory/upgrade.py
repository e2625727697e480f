"""Upgrades of the database by Label Studio: backed up before, undone if they are interrupted."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

from ..problem import Problem
from .database_copy import BACKUPS, Progress, back_up, backups, replace_database
from .directory import DataDirectory
from .migrations import (
    Migrations,
    ReleaseMigrations,
    VersionRecord,
    applied_to,
    is_newer,
    migrations_of,
)
from .template import VERSION, shipped_migrations

logger = logging.getLogger(__name__)


def prepare(
    directory: DataDirectory,
    installed: str,
    package: Path | None,
    progress: Progress,
    how_to_install: Callable[[str], str],
) -> str:
    """Prepare the database for Label Studio `installed`; return a notice for people, mostly empty.

    Undoes an interrupted upgrade, refuses a Label Studio that is too old, and makes a backup if
    this version has not used the database before. `package`: the folder of Label Studio's module,
    None if it cannot be read. `how_to_install`: of the backend. No program may use the database
    meanwhile. Raises Problem.
    """
    release = migrations_of(package) if package is not None else None
    notice = backup = ""
    try:
        record = VersionRecord.read(directory)
        if record.backup:
            notice = _finish_or_undo(directory, record, release)
            backup = record.backup if notice else ""  # the database is a copy of it now
            record = VersionRecord.read(directory)
        if not directory.database.exists():
            return notice
        applied = applied_to(directory.database)
        if not applied or not directory.has_accounts():
            return notice  # there are no data to lose
        _refuse_older(directory, record, installed, release, applied, how_to_install)
        if release is not None and not release.pending(applied):
            same_version = record.label_studio in {"", installed}
        else:
            same_version = release is None and record.label_studio == installed
        if same_version:
            return notice
    except sqlite3.Error as error:
        raise Problem(
            f"Label Studio's database {directory.database} cannot be read.",
            f"SQLite says: {error}.",
            "Replace it with a copy that worked, for example one of the backups in "
            f"`{directory.proxy_folder / BACKUPS}`, then try again.",
        ) from error
    backup = backup or back_up(directory, record.label_studio, progress).name
    VersionRecord(record.label_studio, to=installed, backup=backup).write(directory)
    return notice


def is_unfinished(directory: DataDirectory) -> bool:
    """Return True if the record says that an upgrade has begun and not finished."""
    return bool(VersionRecord.read(directory).backup)


def finish(directory: DataDirectory, installed: str) -> None:
    """Record that Label Studio `installed` is ready, before it gets the first request.

    Otherwise a later start would undo the upgrade, with all that was saved since. Raises Problem.
    """
    if VersionRecord.read(directory) == (record := VersionRecord(installed)):
        return
    try:
        try:
            record.write(directory)
        except OSError:  # the disk is full, and removing a file needs no space
            VersionRecord.remove(directory)
    except OSError as error:
        raise Problem(
            f"Could not record in {directory.proxy_folder} that Label Studio {installed} uses this "
            "data directory.",
            f"{error.strerror or error}. Without the record, the next start would undo an upgrade.",
            "Make the folder writable for this user, then try again.",
        ) from error


def _finish_or_undo(
    directory: DataDirectory, record: VersionRecord, release: ReleaseMigrations | None
) -> str:
    """Finish the record of an upgrade, or undo the upgrade if migrations are missing.

    Returns a notice for people if the upgrade was undone.
    """
    if release is None and record.to == VERSION:
        release = shipped_migrations(at_least=record.to)
    if directory.database.exists() and release is not None:
        applied = applied_to(directory.database)
        if not release.pending(applied) and not release.unknown(applied):
            VersionRecord(record.to).write(directory)
            return ""
    backup = directory.proxy_folder / BACKUPS / record.backup
    try:
        replaced = replace_database(directory, backup)
    except (OSError, sqlite3.Error) as error:
        raise Problem(
            f"The upgrade to Label Studio {record.to} was interrupted, and could not be undone.",
            f"The database could not be restored from {backup}: {error}.",
            "Free some space if the disk is full, then try again. Or replace the database with a "
            "copy of yours.",
        ) from error
    VersionRecord(record.label_studio).write(directory)
    logger.warning("The upgrade of %s was interrupted and is undone", directory.database)
    kept = f" The unfinished database is kept as {replaced}." if replaced else ""
    return (
        f"The upgrade to Label Studio {record.to} was interrupted. The database was restored from "
        f"{backup}.{kept}"
    )


def _refuse_older(
    directory: DataDirectory,
    record: VersionRecord,
    installed: str,
    release: ReleaseMigrations | None,
    applied: Migrations,
    how_to_install: Callable[[str], str],
) -> None:
    """Raise Problem if Label Studio `installed` is older than the database."""
    older = False
    if release is None:
        # Any migration that the shipped template lacks is newer than `installed`, too.
        release = shipped_migrations(at_least=installed)
        older = is_newer(record.label_studio, installed)
    if not older and not (release and release.unknown(applied)):
        return
    newer = f" {record.label_studio}" if record.label_studio else ""
    wanted = (
        f"label-studio=={record.label_studio}" if newer[1:2].isdigit() else "--upgrade label-studio"
    )
    return_to_backup = ""
    if kept := backups(directory):
        return_to_backup = (
            " Or return to the database from before the upgrade, without what was saved since: "
            f"copy `{kept[-1]}` over `{directory.database}`."
        )
    raise Problem(
        f"Label Studio {installed} is older than the database.",
        f"A newer Label Studio{newer} has changed {directory.database}. This one would damage it.",
        f"{how_to_install(wanted)}{return_to_backup}",
    )
