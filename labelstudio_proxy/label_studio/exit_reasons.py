"""Why Label Studio ended, from the last lines that it printed."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

from ..problem import Problem

# A regular expression for a line, why it happened, and what to do. The first match counts.
Faults = tuple[tuple[str, str, str], ...]

# The messages of Python, SQLite and Django.
KNOWN: Faults = (
    (
        r"No space left on device|database or disk is full",
        "The disk of the data directory is full.",
        "Free some space, then try again.",
    ),
    (
        r"Disk quota exceeded",
        "Your quota on the disk of the data directory is used up.",
        "Remove files, or ask your administrator for a larger quota, then try again.",
    ),
    (
        r"database is locked",
        "Another program uses Label Studio's database, perhaps a second Label Studio.",
        "Stop the other program, then try again.",
    ),
    (
        r"file is not a database|database disk image is malformed",
        "Label Studio's database is damaged, or another program made it.",
        "Put back a copy of `label_studio.sqlite3` that worked, then try again.",
    ),
    (
        r"attempt to write a readonly database|Permission denied|Read-only file system",
        "Label Studio may not write to its data directory.",
        "Make the data directory and its files writable for this user, then try again.",
    ),
    (
        r"could not connect to server|connection to server at|password authentication failed",
        "The database that `environment` names could not be reached.",
        (
            "Check the database server, then try again. Or correct the `POSTGRE_…` variables of the "
            "setting `environment` and restart Jupyter."
        ),
    ),
    (
        r"InconsistentMigrationHistory|NodeNotFoundError",
        "Another version of Label Studio made the database.",
        "Install the version that used this data directory last, then try again.",
    ),
    (
        r"ModuleNotFoundError|ImportError",
        "The installation of Label Studio is incomplete.",
        "",  # depends on the backend
    ),
    (
        r"MemoryError|Cannot allocate memory",
        "The machine has too little free memory; Label Studio needs about 400 MB.",
        "Shut down kernels that you do not need, then try again.",
    ),
)


class Explained(Problem):
    """A failure that a restart does not fix. A first start that fails with it does not restart."""


def find_fault(faults: Faults, lines: Sequence[str]) -> tuple[str, str] | None:
    """Return why and what to do, from the first of `faults` that matches a line."""
    for pattern, why, remedy in faults:
        if any(re.search(pattern, line, re.IGNORECASE) for line in lines):
            return why, remedy
    return None


def describe_return_code(code: int) -> str:
    """Return how a process ended, from a return code as `subprocess` has it."""
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:  # most real-time signals have no name
        return f"signal {-code}"


def explain_exit(how: str, tail: Sequence[str], reinstall: str) -> Problem:
    """Return the Problem of a crash.

    `how`: from `Backend.wait`; `tail`: the last lines printed; `reinstall`: the remedy of an
    installation that is incomplete.
    """
    what = f"Label Studio crashed ({how})."
    if found := find_fault(KNOWN, tail):
        why, remedy = found
        return Explained(what, why, remedy or reinstall)
    if how in {"signal SIGKILL", "exit status 137"}:
        return Problem(
            what,
            "Another process killed it. Most often the system does, because memory ran out.",
            "Shut down kernels that you do not need, then try again.",
        )
    last = next((line.strip() for line in reversed(tail) if line.strip()), "")
    return Problem(
        what,
        f"Its last line was: {last}" if last else "It printed nothing.",
        "Try again. If it crashes again, read its log. To ask for help, use Copy diagnostics.",
    )
