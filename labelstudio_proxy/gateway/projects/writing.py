"""Where a request may write files: a program of this user anywhere, and a browser below Jupyter's root.

Jupyter's own API of files writes nowhere else, and no hidden files. A page of Jupyter's origin, or a
program elsewhere with Jupyter's token, gets no more by the routes of projects.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from ...problem import Problem

# Raises Problem for the absolute path of a file or folder that may not be written.
CheckPath = Callable[[Path], None]

REMEDY = "Choose one below that folder, or use a notebook or terminal of that server."


def rule_of(headers: Mapping[str, str], token: str, shown: Path | None) -> CheckPath:
    """Return the rule for a request.

    token: of this gateway; only this user can read it. shown: the folder that Jupyter shows.
    """
    given = headers.get("Authorization", "").partition(" ")[2].strip()
    if hmac.compare_digest(given.encode(errors="surrogateescape"), token.encode()):
        return _anywhere
    return lambda path: _check_below(shown, path)


def _anywhere(path: Path) -> None:
    """Allow what the file system allows."""


def _check_below(shown: Path | None, path: Path) -> None:
    what = f"{path} cannot be written from here."
    if shown is None:
        raise Problem(what, "Label Studio has no folder of Jupyter's.", "")
    root = os.path.realpath(shown)
    try:
        above = os.path.realpath(path.parent)
    except ValueError as error:  # a name that no file can have
        raise Problem(what, f"{error}.", "Correct the name.") from error
    inside = os.path.relpath(os.path.join(above, path.name), root)  # noqa: PTH118
    parts = Path(inside).parts
    if not parts or any(part.startswith(".") for part in parts):  # `..`, too
        raise Problem(
            what,
            f"Through Jupyter, files are written below {shown}, and not into hidden folders.",
            REMEDY,
        )
