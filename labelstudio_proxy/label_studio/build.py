"""Which build of Label Studio runs. Two builds may have the same version and different files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Build:
    """Where the files are that Label Studio serves."""

    image: str = ""  # the id of a container's image; its files never change
    folders: tuple[Path, ...] = ()  # their files may change at any time
    package: Path | None = None  # the folder of the module `label_studio`
    front_end: Path | None = None  # the one of the folders that pages load most from

    def fingerprint(self) -> str:
        """Return a text that is the same for the same files; empty if they are unknown. Blocks.

        It covers names, sizes and modification times, and takes some 10 ms for a thousand files.
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
        """Return the build with the folder `package` of the module `label_studio`."""
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
