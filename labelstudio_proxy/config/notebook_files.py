"""The folders whose files Label Studio may read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ..problem import Problem


@dataclass(frozen=True)
class NotebookFiles:
    """The files root, and the part of it that Jupyter shows."""

    # Label Studio's document root, to which the paths in task data are relative.
    root: Path
    # The folder that a container gets: Jupyter's root, or `root` itself.
    shown: Path
    # Set by `files_root`: nothing outside of `root` may be read.
    fixed: bool = False

    def around(self, folders: Iterable[Path]) -> NotebookFiles:
        """Return the same with a root above `folders`, so that Label Studio can sync them, unless `fixed`.

        People have added them, possibly when Jupyter started elsewhere. Blocks.
        """
        if self.fixed:
            return self
        above = [folder.parent for folder in folders if os.path.isdir(folder)]  # noqa: PTH112 - no error
        return replace(self, root=Path(os.path.commonpath([self.root, *above])))


def check_files_root(folder: Path) -> None:
    """Raise Problem if Label Studio cannot read files from `folder`. Blocks."""
    what, remedy = "cannot be read by this user", "Make it readable"
    try:
        if not stat.S_ISDIR(folder.stat().st_mode):
            what, remedy = "is not a folder", "Move the file away"
        elif os.access(folder, os.R_OK | os.X_OK):
            return
    except (FileNotFoundError, NotADirectoryError):
        what, remedy = "does not exist", "Make it"
    except OSError:
        pass
    raise Problem(
        f"The folder {folder} {what}.",
        "Label Studio reads local files from it.",
        f"{remedy}, then try again. Or set `files_root` to another folder and restart Jupyter.",
    )


def home_around(folder: Path) -> Path | None:
    """Return the user's home folder if `folder` is in it, as `folder` spells it; else None.

    Links count: neither may a link lead out of the home folder, nor must the home folder be spelled
    as in `HOME`, which Jupyter resolves.
    """
    try:
        home = Path("~").expanduser().resolve()
        inside = folder.resolve().is_relative_to(home)
        if home == Path("/") or not inside:
            return None
        return next((each for each in (folder, *folder.parents) if each.resolve() == home), None)
    except (OSError, RuntimeError):  # no home folder, or one that cannot be looked at
        return None
