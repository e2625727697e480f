"""A new folder among the notebook's files, which is there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from ...problem import Problem

# A folder that is being written has such a name, with its machine and process.
PREFIX = ".labelstudio-export-"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def check_target(target: Path) -> None:
    """Raise Problem if a new folder cannot be made at `target`, an absolute path. Blocks."""
    with explained(target):
        if not target.parent.is_dir():
            raise Problem(
                f"The folder {target.parent} does not exist.",
                f"{target} cannot be made in it.",
                "Make it, or choose another folder.",
            )
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            kind = "a link" if target.is_symlink() else "a file"
            raise Problem(f"{target} is {kind}.", "", "Choose another folder, or remove it.")
        if target.is_dir() and any(target.iterdir()):
            raise Problem(
                f"The folder {target} is not empty.",
                "An export never changes files that are there.",
                "Choose another folder, or remove this one.",
            )
        with contextlib.suppress(FileNotFoundError):
            target.lstat()  # raises OSError for a name that is too long


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[tuple[Path, Path]]:
    """Yield an empty folder that becomes `target` at the end, and a folder for temporary files.

    After an error, both are removed. Removes what killed processes of this machine have left beside
    it. Raises Problem. Blocks.
    """
    check_target(target)
    with explained(target):
        _remove_leftovers(target.parent)
        prefix = f"{PREFIX}{socket.gethostname()}-{os.getpid()}-"
        temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
        try:
            content = temporary / "content"
            content.mkdir()
            yield content, temporary
            _show_like(target.parent, content)
            content.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def explained(target: Path) -> Iterator[None]:
    """Turn the errors of a disk into a Problem about `target`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = "Choose another folder."
        if error.errno in FULL:
            remedy = "Free some space, or choose a folder on another disk."
        elif error.errno == errno.ENAMETOOLONG:
            remedy = "Choose a shorter name."
        raise Problem(f"The folder {target} could not be written.", f"{reason}.", remedy) from error


def _remove_leftovers(folder: Path) -> None:
    """Remove what exports of this machine's processes have left that were killed."""
    own = f"{PREFIX}{socket.gethostname()}-"
    for entry in folder.iterdir():
        pid = entry.name.removeprefix(own).partition("-")[0]
        if entry.name.startswith(own) and pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(entry, ignore_errors=True)


def _show_like(parent: Path, folder: Path) -> None:
    """Let others read `folder` as far as they can read `parent`; the gateway makes private files."""
    visible = stat.S_IMODE(parent.stat().st_mode)
    for where, _, names in os.walk(folder):
        Path(where).chmod(visible & 0o755 | 0o700)
        for name in names:
            Path(where, name).chmod(visible & 0o644 | 0o600)
