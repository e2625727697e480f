"""Why Label Studio ended: its last words, turned into a Problem."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..problem import Problem

# What somebody's words show (a regular expression), why, what to do; the first that fits is told.
Faults = tuple[tuple[str, str, str], ...]

# The words are Python's, SQLite's and Django's own.
KNOWN: Faults = (
    (
        r"No space left on device|database or disk is full",
        "The disk of the data directory is full.",
        "Free some space, then try again.",
    ),
    (
        r"Disk quota exceeded",
        "Your quota on the disk of the data directory is used up.",
        "Remove files that are not needed, or have the quota raised, then try again.",
    ),
    (
        r"database is locked",
        "Another program holds Label Studio's database, perhaps a second Label Studio.",
        "End the other program, then try again.",
    ),
    (
        r"file is not a database|database disk image is malformed",
        "Label Studio's database is damaged, or was made by another program.",
        "Put a copy of `label_studio.sqlite3` back that worked, then try again.",
    ),
    (
        r"attempt to write a readonly database|Permission denied|Read-only file system",
        "Label Studio may not write to its data directory.",
        "Make the data directory and all in it writable for this user, then try again.",
    ),
    (
        r"could not connect to server|connection to server at|password authentication failed",
        "The database that `environment` names could not be reached.",
        "Check the `POSTGRE_…` variables of the setting `environment`, and the database server.",
    ),
    (
        r"InconsistentMigrationHistory|NodeNotFoundError",
        "The database was made by another version of Label Studio.",
        "Install the version of Label Studio that used this data directory last, then try again.",
    ),
    (
        r"ModuleNotFoundError|ImportError",
        "The installation of Label Studio is incomplete.",
        "Install it anew: `pip install --force-reinstall label-studio`, then try again.",
    ),
    (
        r"MemoryError|Cannot allocate memory",
        "The machine has too little free memory; Label Studio needs about 400 MB.",
        "Close kernels that are not needed, then try again.",
    ),
)


class Explained(Problem):
    """A fault that lasts until somebody mends it: a first start that fails with it is not repeated."""


def find_fault(faults: Faults, words: Sequence[str]) -> tuple[str, str] | None:
    """Why, and what to do, by the first of `faults` that one of the `words` shows."""
    for pattern, why, remedy in faults:
        if any(re.search(pattern, line, re.IGNORECASE) for line in words):
            return why, remedy
    return None


def explain_exit(how: str, tail: Sequence[str]) -> Problem:
    """The Problem for a Label Studio that ended by itself; `tail`: the last lines it printed."""
    what = f"Label Studio ended unexpectedly ({how})."
    if found := find_fault(KNOWN, tail):
        return Explained(what, *found)
    if how in {"signal SIGKILL", "exit status 137"}:
        return Problem(
            what,
            "It was killed from outside, most often by the system because memory ran out.",
            "Close kernels that are not needed, then try again.",
        )
    last = next((line.strip() for line in reversed(tail) if line.strip()), "")
    return Problem(
        what,
        f"The last line that it printed: {last}" if last else "It printed nothing.",
        "Read the log below. If it does not help, use Copy diagnostics when asking for help.",
    )
