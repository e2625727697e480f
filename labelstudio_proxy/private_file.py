"""Files that are written whole or not at all, and that only this user may read if not said otherwise."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

# How the names of unfinished files begin; a crash can leave one behind.
UNFINISHED = ".new-"


def create(path: Path) -> BinaryIO:
    """Open a new file with mode 0600 for writing; raises FileExistsError if `path` exists."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def write(path: Path, data: bytes) -> None:
    """Replace the file at `path`, with mode 0600, as `replace` does. Makes the folder (mode 0700)."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace(path, data, 0o600)


def replace(path: Path, data: bytes, mode: int) -> None:
    """Replace the file at `path`; raises OSError and changes nothing then.

    A crash leaves either the old file or the new one, never a part.
    """
    unfinished = path.with_name(f"{UNFINISHED}{path.name}-{os.urandom(4).hex()}")
    try:
        with create(unfinished) as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
