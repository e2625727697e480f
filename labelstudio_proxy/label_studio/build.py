"""What tells one build of Label Studio from another, of the same version even."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Build:
    """Where the files come from that Label Studio serves."""

    image: str = ""  # the id of a container's image, which holds the same files for ever
    folders: tuple[Path, ...] = ()  # where the files are, which may be changed at any time
    package: Path | None = None  # of the module `label_studio`
    front_end: Path | None = None  # the one of them that pages load most from

    def fingerprint(self) -> str:
        """The same for the same files, another for others; empty: not known. It blocks.

        For folders by name, size and time of change: a thousand files take some 10 ms.
        """
        if self.image:
            return self.image
        found = hashlib.sha256()
        try:
            for folder in self.folders:
                for line in _files(folder, ""):
                    found.update(line.encode(errors="surrogateescape"))
        except OSError:
            return ""
        return found.hexdigest() if self.folders else ""

    @classmethod
    def of_package(cls, package: Path) -> Build:
        """The build whose package `label_studio` is in the folder `package`."""
        # Its settings STATIC_ROOT and REACT_APP_ROOT.
        front_end = package.parent / "web" / "dist"
        return cls(
            folders=(package / "core" / "static_build", front_end),
            package=package,
            front_end=front_end,
        )


def _files(folder: Path, below: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name = f"{below}/{entry.name}"
            if entry.is_dir():
                yield from _files(Path(entry.path), name)
            else:
                stat = entry.stat()
                yield f"{name}\n{stat.st_size} {stat.st_mtime_ns}\n"
