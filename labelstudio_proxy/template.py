"""A migrated database without accounts, which a first start begins with.

Label Studio builds an empty database by some 260 migrations, most of the time that a first start
takes. `scripts/make-template` makes the file from a fresh migration.
"""

from __future__ import annotations

import contextlib
import lzma
import os
import tempfile
from importlib.resources import files

from packaging.version import InvalidVersion, Version

from .datadir import DataDirectory

# The Label Studio that it was migrated by. Migrations only go forward: a newer Label Studio applies
# those that are missing, an older one could not use it.
VERSION = "1.23.2"
NAME = f"label_studio-{VERSION}.sqlite3.xz"


def place(directory: DataDirectory, label_studio: str) -> bool:
    """Put the template where `directory` has no database; `label_studio`: the installed version.

    Gives whether it did: not for an older Label Studio, or one of unknown version. Raises OSError,
    and leaves no half of it then.
    """
    if directory.database.exists() or not _usable_by(label_studio):
        return False
    data = lzma.decompress((files(__package__) / "templates" / NAME).read_bytes())
    descriptor, temporary = tempfile.mkstemp(dir=directory.path, prefix=".template-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # Never over a database that has appeared in the meantime.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, directory.database)
            return True
    finally:
        os.unlink(temporary)  # noqa: PTH108 - a name from mkstemp
    return False


def _usable_by(label_studio: str) -> bool:
    try:
        return Version(label_studio) >= Version(VERSION)
    except InvalidVersion:
        return False
