"""What only a first start needs: an account for the owner, and a migrated database."""

from __future__ import annotations

import logging
import lzma
import secrets
import sqlite3

from ..backends.base import Owner
from ..data_directory import template
from ..data_directory.directory import DataDirectory
from ..problem import Problem

logger = logging.getLogger(__name__)


def new_owner(directory: DataDirectory, email: str, *, external_database: bool) -> Owner | None:
    """The account to make, None where there is one; raises Problem."""
    try:
        if not external_database:
            directory.recover()
            if directory.has_accounts():
                return None
    except sqlite3.Error as error:
        raise Problem(
            f"Label Studio's database {directory.database} cannot be read.",
            f"SQLite says: {error}.",
            "Put a copy of it back that worked, or set `data_dir` to another folder.",
        ) from error
    return Owner(email, secrets.token_urlsafe(24))


def place_template(directory: DataDirectory, version: str) -> None:
    """Begin with a migrated database, if there is none and one for this version of Label Studio."""
    try:
        template.place(directory, version)
    except (OSError, lzma.LZMAError) as error:
        # Label Studio can do without; if the disk is full, it will say so.
        logger.warning("Label Studio (%s) starts without a template: %s", directory.path, error)
