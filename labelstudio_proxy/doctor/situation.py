"""What the checks are about: the settings, and the process that they run in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..config.settings import LabelStudioProxy
from ..data_directory.directory import DataDirectory
from ..problem import Problem


@dataclass(frozen=True)
class Arrival:
    """What a browser's request said about its way to the gateway."""

    origin: str  # the address that the browser opened, as `https://host`
    host: str
    forwarded_host: str = ""
    forwarded_proto: str = ""
    is_here: bool = True  # whether `origin` is one of the hosts


@dataclass(frozen=True)
class Situation:
    """What the checks are about."""

    settings: LabelStudioProxy
    problems: Sequence[Problem] = ()  # of the settings
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    place: str = "a terminal"  # where the checks run, for people
    prefix: str = ""  # of the gateway that the checks run in; empty: they run elsewhere
    arrival: Arrival | None = None

    @property
    def directory(self) -> DataDirectory:
        """The data directory of the settings."""
        return DataDirectory(self.settings.data_directory())


def existing_parent(path: Path) -> Path:
    """Return `path`, or the nearest folder above it that exists."""
    return next((each for each in (path, *path.parents) if os.path.lexists(each)), Path("/"))
