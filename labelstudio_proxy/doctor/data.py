"""The data directory: owner, rights, file system, locks, space, integrity and holder."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil

from ..config.settings import user_name
from ..data_directory import foreign_containers, foreign_processes, interrupted_restore
from ..data_directory.directory import (
    MINIMUM_FREE_BYTES,
    PROXY_FOLDER,
    DataDirectory,
    name_of,
    sqlite_uri,
)
from ..data_directory.file_system import warning_about
from ..data_directory.lock import LOCK, check_database_locks, check_directory_locks
from ..data_directory.lock_problems import describe
from ..data_directory.lock_record import LockRecord
from ..data_directory.migrations import VersionRecord
from ..label_studio.environment import external_database
from ..problem import Problem
from ..shell_command import shell_command
from .finding import Finding, error, of_problem, ok, warning
from .situation import Situation, existing_parent

SUBJECT = "Data directory"
# SQLite lets no program write during the check, and Label Studio waits for 5 s.
INTEGRITY_SECONDS = 2.0
PROGRESS_STEPS = 20_000  # of SQLite's virtual machine: a few milliseconds
LITTLE_BYTES = 500 * 1024 * 1024
WRITES = {stat.S_IWGRP: "its group", stat.S_IWOTH: "everyone"}


def check(situation: Situation) -> Iterator[Finding]:
    """Check the directory, and what is in it."""
    directory = situation.directory
    try:
        interrupted_restore.check(directory.path)
        if not directory.path.exists():
            yield from _missing(directory.path)
            return
        directory.check_owner()
    except Problem as problem:
        yield of_problem(SUBJECT, problem)
        return
    except OSError as failure:
        yield of_problem(SUBJECT, directory.unusable(failure))
        return
    if not directory.path.is_dir():
        yield error(
            SUBJECT,
            f"{directory.path} is not a folder.",
            "Move it away, or set `data_dir` to another folder and restart Jupyter.",
        )
        return
    yield from _rights(directory)
    yield from _file_system(directory)
    if external_database(situation.settings.environment):
        yield ok("Database", "another one than SQLite, by the setting `environment`")
    else:
        yield from _database(directory)
    yield from _holder(directory)


async def check_others(situation: Situation) -> list[Finding]:
    """Find other Label Studios that use the directory."""
    directory, subject = situation.directory, "Other programs"
    if not directory.path.exists():
        return []
    found = foreign_processes.find_foreign_processes(directory.path)
    if others := [each for each in found if not each.leftover]:
        return [of_problem(subject, foreign_processes.problem(directory.path, others))]
    try:
        await foreign_containers.ensure_none(directory.path, user_name())
    except Problem as problem:
        return [of_problem(subject, problem)]
    return [ok(subject, "no other Label Studio uses the data directory")]


def _missing(path: Path) -> Iterator[Finding]:
    above = existing_parent(path)
    if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
        yield ok(SUBJECT, f"{path} does not exist: the first start makes it")
        return
    yield error(
        SUBJECT,
        f"{path} does not exist, and this user cannot make it in {above}.",
        f"Make {above} a writable folder, or set `data_dir` to another one and restart Jupyter.",
    )


def _rights(directory: DataDirectory) -> Iterator[Finding]:
    status = directory.path.stat()
    mode = stat.S_IMODE(status.st_mode)
    shown = f"{directory.path} belongs to {name_of(status.st_uid)}, with the rights {mode:04o}"
    if others := [who for bit, who in WRITES.items() if mode & bit]:
        yield warning(
            SUBJECT,
            f"{shown}: {' and '.join(others)} may change your labels.",
            f"Run `chmod 700 {directory.path}`.",
        )
    else:
        yield ok(SUBJECT, shown)
    env = directory.path / ".env"
    if env.exists() and not os.access(env, os.R_OK):
        yield error(
            "Secret key",
            f"{env} cannot be read.",
            "Make it readable for this user, then try again.",
        )


def _file_system(directory: DataDirectory) -> Iterator[Finding]:
    if text := warning_about(directory.path):
        what, _, remedy = text.rpartition(". ")
        yield warning("File system", f"{what}.", remedy)
    else:
        yield ok("File system", f"{_kind(directory.path)}, which keeps the data")
    free = psutil.disk_usage(str(directory.path)).free
    try:
        directory.check_free_space()
        before = time.time()
        directory.write_a_little()
        changed = directory.path.stat().st_mtime
    except Problem as problem:
        yield of_problem("Space", problem)
        return
    except OSError as failure:
        yield of_problem("Space", directory.unusable(failure))
        return
    if free < LITTLE_BYTES:
        yield warning("Space", f"Only {free >> 20} MB are free.", "Free some space.")
    else:
        yield ok(
            "Space", f"{free / 1e9:,.1f} GB are free; a start needs {MINIMUM_FREE_BYTES >> 20} MB"
        )
    yield clock_of_files(changed - before)
    try:
        check_directory_locks(directory.path)
        check_database_locks(directory.database)
    except Problem as problem:
        yield of_problem("Locks", problem)
    else:
        yield ok("Locks", "the file system has them")


def clock_of_files(lead: float) -> Finding:
    """Return the finding about the clock of a file server; `lead`: ahead of ours, seconds."""
    if abs(lead) < 60:
        return ok("File system's clock", "agrees with this machine's")
    return warning(
        "File system's clock",
        f"It is {abs(lead):.0f} s {'ahead of' if lead > 0 else 'behind'} this machine's.",
        "Set both clocks by the network (NTP).",
    )


def _kind(path: Path) -> str:
    """Return the type of the file system."""
    real, best = path.resolve(), ("", "unknown")
    for each in psutil.disk_partitions(all=True):
        if real.is_relative_to(each.mountpoint) and len(each.mountpoint) >= len(best[0]):
            best = each.mountpoint, each.fstype
    return best[1]


def _database(directory: DataDirectory) -> Iterator[Finding]:
    subject, database = "Database", directory.database
    if not database.exists():
        yield ok(subject, "none yet: the first start makes it")
        return
    if not os.access(database, os.R_OK | os.W_OK):
        yield error(
            subject,
            f"{database} cannot be written.",
            f"Run `chmod u+rw {database}`, then try again.",
        )
        return
    size = f"{database.stat().st_size / 1e6:,.1f} MB"
    try:
        complete = _is_sound(database)
    except sqlite3.Error as failure:
        if Path(f"{database}-journal").exists() and "readonly" in str(failure).replace("-", ""):
            yield ok(subject, f"{size}; Label Studio writes, or the next start completes a write")
            return
        yield error(
            subject,
            f"SQLite reports for {database}: {failure}.",
            "Stop Label Studio and restore a backup: "
            f"`{shell_command('labelstudio-proxy restore')} FILE`.",
        )
        return
    result = "without a fault" if complete else f"no fault in {INTEGRITY_SECONDS:g} s of checking"
    yield ok(subject, f"{size}, {result}")
    if VersionRecord.read(directory).to:
        yield warning(
            subject,
            "An upgrade of Label Studio was interrupted.",
            "Start Label Studio: it restores the copy from before.",
        )


def _is_sound(database: Path) -> bool:
    """Check a database; return False if the time was not enough. Raises sqlite3.Error."""
    end = time.monotonic() + INTEGRITY_SECONDS
    with closing(sqlite3.connect(sqlite_uri(database, "ro"), uri=True, timeout=1)) as connection:
        connection.set_progress_handler(lambda: time.monotonic() > end, PROGRESS_STEPS)
        try:
            (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError as failure:
            if str(failure) == "interrupted":
                return False
            raise
        if result != "ok":
            raise sqlite3.DatabaseError(result)
    return True


def _holder(directory: DataDirectory) -> Iterator[Finding]:
    subject, folder = "Holder", directory.path / PROXY_FOLDER
    if not _is_locked(folder / LOCK):
        yield ok(subject, "no server uses the data directory now")
        return
    holder = LockRecord(folder).read()
    if not holder.key:
        yield warning(
            subject,
            "A program that left no record holds the data directory: a restore, or another version.",
            "Wait until it is done, or stop it.",
        )
    elif holder.pid == os.getpid() and holder.runs_here():
        yield ok(subject, "this server")
    else:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(holder.since))
        yield ok(subject, f"{describe(holder)}, since {since}")


def _is_locked(lock: Path) -> bool:
    with suppress(OSError):
        descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False
