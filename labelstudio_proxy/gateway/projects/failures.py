"""What to tell users when a disk, the database or Label Studio fails during a request for projects."""

from __future__ import annotations

import sqlite3

import aiohttp

from ...data_directory.directory import DISK_FULL
from ...problem import Problem


def explained(error: Exception) -> Problem | None:
    """Return the Problem of an error that has its cause outside of labelstudio-proxy; else None."""
    if isinstance(error, aiohttp.ClientError):
        return stopped()
    if isinstance(error, sqlite3.OperationalError):
        return locked() if is_locked(str(error)) else _unreadable(error)
    if not isinstance(error, OSError):
        return None
    if error.errno in DISK_FULL:
        return Problem(
            "The disk is full: this was not saved.",
            f"No more can be written to {error.filename}." if error.filename else "",
            "Free some space, then run it again: it continues where it stopped.",
        )
    why = f"{error.filename}: {error.strerror}." if error.filename else f"{error}."
    return Problem("A file could not be read or written.", why, "Correct that, then run it again.")


def is_locked(text: str) -> bool:
    """Return True for SQLite's words that another program writes."""
    return "database is locked" in text


def locked() -> Problem:
    """Return the Problem of a database in which another program writes for long."""
    return Problem(
        "Label Studio's database is locked.",
        "Another program has written into it for long.",
        "End that program, or wait for it. Then run this again: it continues where it stopped.",
    )


def stopped() -> Problem:
    """Return the Problem of a Label Studio that stopped during a request."""
    return Problem(
        "Label Studio stopped before this was done.",
        "A user or a program stopped or restarted it, or it crashed.",
        "Run it again: it continues where it stopped.",
    )


def _unreadable(error: Exception) -> Problem:
    return Problem(
        "Label Studio's database cannot be read.",
        f"{error}.",
        "Free some space if the disk is full, then run it again.",
    )
