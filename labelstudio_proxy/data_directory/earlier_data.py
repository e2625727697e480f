"""The data that the well-known `docker run` made in the notebook's folder, offered at a first start.

    docker run -v $(pwd)/mydata:/label-studio/data heartexlabs/label-studio

To use them, the default data directory becomes a link to that folder, so everything that works on the
default data directory, also the command line, follows.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from .. import api_types
from ..problem import Problem
from ..shell_command import shell_command
from . import interrupted_restore
from .directory import DATABASE, PROXY_FOLDER

FOLDER = "mydata"


class Choice(Enum):
    """What a user presses. The value is the label of the button."""

    USE = "Use these data"
    NONE = "Start with no data"


class Offer(Problem):
    """A first start waits for the user's choice; `folder` has the earlier data."""

    def __init__(self, folder: Path) -> None:
        command = shell_command("labelstudio-proxy start")
        super().__init__(
            f"{folder} has data of Label Studio.",
            "A container has probably made them, started with `docker run`. Here, Label Studio has no "
            "data yet.",
            f"Press {Choice.USE.value} to continue with the accounts, projects and labels in that "
            f"folder. Or press {Choice.NONE.value}: that folder stays as it is. In a terminal: "
            f"`{command} --use-data` or `{command} --no-data`.",
        )
        self.folder = folder

    def details_as_json(self) -> api_types.Details:
        """Return the folder, for the start page and for programs."""
        return {"offer": {"folder": str(self.folder)}}


@dataclass(frozen=True)
class EarlierData:
    """A default data directory at `path`, and the `folder` that may have earlier data."""

    path: Path
    folder: Path

    def settle(self, choice: Choice | None) -> None:
        """Make the data directory that the user chose; do nothing if there is nothing to choose.

        Raises Offer without a choice, and Problem if the directory cannot be made. Blocks.
        """
        try:
            if not self._is_open():
                return
            interrupted_restore.check(self.path)
            if choice is None:
                raise Offer(self.folder)
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if choice is Choice.USE:
                with contextlib.suppress(FileNotFoundError):
                    self.path.rmdir()
                self.path.symlink_to(self.folder)
            else:
                (self.path / PROXY_FOLDER).mkdir(mode=0o700, parents=True)
        except OSError as error:
            raise Problem(
                f"The data directory {self.path} could not be made.",
                f"{error.strerror or error}.",
                "Make the folder above it writable for this user, then try again. Or set `data_dir` to "
                "another folder and restart Jupyter.",
            ) from error

    def _is_open(self) -> bool:
        """Return True if there are earlier data, and the data directory is missing or empty."""
        # os.path, which does not raise if another user's folder hides the file
        there = os.path.isfile(self.folder / DATABASE)  # noqa: PTH113
        if not there or self.path.is_symlink():
            return False
        try:
            return not any(self.path.iterdir())
        except FileNotFoundError:
            return True
