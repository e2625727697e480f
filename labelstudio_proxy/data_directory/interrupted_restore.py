"""A restore renames two folders. After a crash between the two, this says which folder is which.

The names are the record: `<data directory>.before-restore-…` has the previous data and
`<data directory>.restored-…` the restored data, complete and checked.
"""

from __future__ import annotations

import glob
import os
import shlex
from pathlib import Path

from ..problem import Problem

BEFORE = ".before-restore-"
RESTORED = ".restored-"


def check(path: Path) -> None:
    """Raise Problem if a restore of the missing data directory `path` was interrupted.

    Starting there would make an empty data directory, which looks as if all labels were lost.
    Raises OSError.
    """
    path = Path(os.path.realpath(path))
    if path.exists():
        return
    for restored in path.parent.glob(f"{glob.escape(path.name)}{RESTORED}*"):
        previous = Path(f"{path}{BEFORE}{restored.name.removeprefix(path.name + RESTORED)}")
        if previous.exists():
            rename = shlex.join(["mv", str(restored), str(path)])
            raise Problem(
                f"A restore of the data directory {path} was interrupted.",
                f"{restored} has the restored data, and {previous} the data from before.",
                f"Rename the one you want, for example `{rename}`, then try again.",
            )
