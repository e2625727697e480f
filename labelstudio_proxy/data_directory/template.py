"""A migrated database without accounts, with which a first start begins.

Label Studio creates its database with some 260 migrations, which take most of a first start.
"""

from __future__ import annotations

import contextlib
import lzma
import os
import tempfile
from pathlib import Path

from packaging.version import InvalidVersion, Version

from .. import private_file
from .._version import LABEL_STUDIO_VERSION
from .directory import DataDirectory
from .migrations import ReleaseMigrations, applied_to

VERSION = LABEL_STUDIO_VERSION  # the Label Studio that has migrated the template
TEMPLATE = Path(__file__).parent / "templates" / f"label_studio-{VERSION}.sqlite3.xz"


def place(directory: DataDirectory, label_studio: str) -> bool:
    """Put the template where `directory` has no database; return True if it did.

    `label_studio`: the installed version, which must not be older than the template: Label Studio
    applies migrations that the template lacks, and cannot undo any. Raises OSError and
    lzma.LZMAError, and leaves no part of a database then.
    """
    if directory.database.exists() or not _is_usable_by(label_studio):
        return False
    data = lzma.decompress(TEMPLATE.read_bytes())
    descriptor, temporary = tempfile.mkstemp(dir=directory.path, prefix=private_file.UNFINISHED)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, a link never replaces a database that has appeared meanwhile.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, directory.database)
            return True
    finally:
        os.unlink(temporary)  # noqa: PTH108 - a name from mkstemp
    return False


def shipped_migrations(*, at_least: str) -> ReleaseMigrations | None:
    """Return the template's migrations, None if it is older than this version of Label Studio."""
    try:
        if Version(at_least) > Version(VERSION):
            return None
    except InvalidVersion:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "template.sqlite3")
        path.write_bytes(lzma.decompress(TEMPLATE.read_bytes()))
        return ReleaseMigrations(applied_to(path))


def _is_usable_by(label_studio: str) -> bool:
    try:
        return Version(label_studio) >= Version(VERSION)
    except InvalidVersion:
        return False
