"""Another version of Label Studio on a database: backed up before, put back if it is killed."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

from ..problem import Problem
from .database_copy import BACKUPS, Progress, back_up, backups, put_back
from .directory import DataDirectory
from .migrations import Migrations, Record, ReleaseMigrations, applied_to, is_newer, migrations_of
from .template import VERSION, shipped_migrations

logger = logging.getLogger(__name__)


def before(
    directory: DataDirectory, installed: str, package: Path | None, progress: Progress
) -> str:
    """What has to be done before Label Studio `installed` touches the database.

    `package`: the folder of its module, None where that is not to be seen. Gives what people should
    know of, mostly nothing; raises Problem where it must not touch it. Nothing may use the database.
    """
    said, brings = "", migrations_of(package) if package is not None else None
    try:
        record, kept = Record.of(directory), ""
        if record.backup:
            said = _mend(directory, record, brings)
            kept = record.backup if said else ""  # what it holds is the database now
            record = Record.of(directory)
        if not directory.database.exists():
            return said
        applied = applied_to(directory.database)
        if not applied or not directory.has_accounts():
            return said  # nothing that anybody would miss
        _refuse_older(directory, record, installed, brings, applied)
        if brings is not None and not brings.pending(applied):
            known = record.label_studio in {"", installed}
        else:
            known = brings is None and record.label_studio == installed
        if known:
            return said
    except sqlite3.Error as error:
        raise Problem(
            f"Label Studio's database {directory.database} cannot be read.",
            f"SQLite says: {error}.",
            "Put a copy of it back that worked, for example one of the backups in "
            f"`{directory.proxy_folder / BACKUPS}`, then try again.",
        ) from error
    kept = kept or back_up(directory, record.label_studio, progress).name
    Record(record.label_studio, to=installed, backup=kept).write(directory)
    return said


def is_under_way(directory: DataDirectory) -> bool:
    """Whether an upgrade has begun, and is not known to have ended."""
    return bool(Record.of(directory).backup)


def after(directory: DataDirectory, installed: str) -> None:
    """Label Studio `installed` is ready, and nobody has worked with it yet; raises Problem.

    An upgrade that did not seem to have ended would be undone later, with what was done since.
    """
    if Record.of(directory) == (record := Record(installed)):
        return
    try:
        try:
            record.write(directory)
        except OSError:  # a full disk, on which something can be removed all the same
            Record.remove(directory)
    except OSError as error:
        raise Problem(
            f"It cannot be noted in {directory.proxy_folder} that Label Studio {installed} has this data.",
            f"{error.strerror or error}. Without it, an upgrade might seem unfinished later.",
            "Make the folder writable for this user, then try again.",
        ) from error


def _mend(directory: DataDirectory, record: Record, brings: ReleaseMigrations | None) -> str:
    """Put the backup back of an upgrade that was killed, unless it had come to its end."""
    if brings is None and record.to == VERSION:
        brings = shipped_migrations(at_least=record.to)
    if directory.database.exists() and brings is not None:
        applied = applied_to(directory.database)
        if not brings.pending(applied) and not brings.unknown(applied):
            Record(record.to).write(directory)
            return ""
    backup = directory.proxy_folder / BACKUPS / record.backup
    try:
        aside = put_back(directory, backup)
    except (OSError, sqlite3.Error) as error:
        raise Problem(
            f"The upgrade to Label Studio {record.to} was interrupted, and cannot be undone.",
            f"The backup {backup} from before cannot be put back: {error}.",
            "Free some space if the disk is full, then try again; or put a copy of your own in the "
            "database's place.",
        ) from error
    Record(record.label_studio).write(directory)
    logger.warning("The upgrade of %s was interrupted; its backup was put back", directory.database)
    kept = f" What there was is {aside}." if aside else ""
    return f"The upgrade to Label Studio {record.to} was interrupted: {backup} was put back.{kept}"


def _refuse_older(
    directory: DataDirectory,
    record: Record,
    installed: str,
    brings: ReleaseMigrations | None,
    applied: Migrations,
) -> None:
    if brings is None:
        # All that a later version brings is all that this one can know.
        brings = shipped_migrations(at_least=installed)
        older = is_newer(record.label_studio, installed)
    else:
        older = False
    if not older and not (brings and brings.unknown(applied)):
        return
    made_by = f" {record.label_studio}" if record.label_studio else ""
    wanted = f"=={record.label_studio}" if record.label_studio else ""
    newest = next(iter(reversed(backups(directory))), None)
    back = (
        f" Or go back to the database from before, without what was done since: copy `{newest}` "
        f"over `{directory.database}`."
        if newest
        else ""
    )
    raise Problem(
        f"Label Studio {installed} is older than the database.",
        f"A newer Label Studio{made_by} has changed {directory.database}, which this one would "
        "damage.",
        f"Install the newer one, `pip install 'label-studio{wanted}'` (for a container: set "
        f"`image`), then try again.{back}",
    )
