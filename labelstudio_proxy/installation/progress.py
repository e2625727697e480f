"""How far pip or uv is, by the lines that it prints."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

# The steps of an installation: id and title. The snapshot knows them by the beginning of their ids.
ENVIRONMENT = ("install-environment", "Make a Python environment")
DOWNLOAD = ("install-download", "Download Label Studio and its packages")
UNPACK = ("install-unpack", "Unpack and compile them")
STEPS = (ENVIRONMENT, DOWNLOAD, UNPACK)

# What pip downloads for the Label Studio that this version was tested with, about.
PIP_BYTES = 330_000_000

_UNITS = {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_SIZE = r"\((?P<size>[\d.]+) ?(?P<unit>[kKMG]?i?B)\)"
_UV_BEGIN = re.compile(rf"^\s*Downloading (?P<name>\S+) {_SIZE}")
_UV_END = re.compile(r"^\s*Downloaded (?P<name>\S+)")
_UV_BUILD = re.compile(r"^\s*Building (?P<name>\S+)")
_UV_PREPARED = re.compile(r"^Prepared \d+ packages? in")
_PIP_FILE = re.compile(rf"^\s*(?:Downloading|Using cached) (?P<name>\S+) {_SIZE}")
_PIP_BUILD = re.compile(r"^\s*Building wheels? for (?P<name>[^\s,(]+)")
_PIP_INSTALL = re.compile(r"^Installing collected packages")

Show = Callable[..., Any]


class Progress:
    """Reads the lines of pip or uv and reports steps.

    `show` gets a step's id and `detail`, `done`, `total` (bytes), as a backend's `Report` does.
    """

    def __init__(self, show: Show) -> None:
        self._show = show
        self._sizes: dict[str, int] = {}  # of files that uv downloads
        self._downloaded = 0

    def read(self, line: str) -> None:
        """Report what a line says, if anything."""
        if found := _UV_BEGIN.match(line):
            self._sizes[found["name"]] = _bytes(found)
            self._show_uv(found["name"])
        elif found := _UV_END.match(line):
            self._downloaded += self._sizes.get(found["name"], 0)
            self._show_uv(found["name"])
        elif found := _PIP_FILE.match(line):
            name = found["name"].rpartition("/")[2].partition("-")[0]
            total = max(PIP_BYTES, self._downloaded)
            self._show(DOWNLOAD[0], detail=name, done=self._downloaded, total=total)
            self._downloaded += _bytes(found)
        elif found := _UV_BUILD.match(line) or _PIP_BUILD.match(line):
            self._show(DOWNLOAD[0], detail=f"building {found['name']}")
        elif _UV_PREPARED.match(line) or _PIP_INSTALL.match(line):
            self._show(UNPACK[0])

    def _show_uv(self, name: str) -> None:
        total = sum(self._sizes.values())
        self._show(DOWNLOAD[0], detail=name, done=self._downloaded, total=total)


def _bytes(found: re.Match[str]) -> int:
    return int(float(found["size"]) * _UNITS[found["unit"].upper()])
