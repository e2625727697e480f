"""Unix sockets and temporary files: whether their folders are usable."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from jupyter_core.paths import jupyter_runtime_dir

from ..problem import Problem
from ..socket_folder import no_place, places, socket_in
from .finding import Finding, error, of_problem, ok, warning
from .situation import Situation, existing_parent


def check(situation: Situation) -> Iterator[Finding]:
    """Listen at a socket in the folders that a start tries, and make a temporary file."""
    yield from _runtime_folder()
    yield from _sockets()
    yield from _temporary(situation)


def _runtime_folder() -> Iterator[Finding]:
    subject, folder = "Jupyter's runtime folder", Path(jupyter_runtime_dir())
    above = existing_parent(folder)
    if not os.access(above, os.W_OK | os.X_OK) or not above.is_dir():
        yield error(
            subject,
            f"{above} cannot be written by this user, so Jupyter and `labelstudio-proxy` do not find "
            "each other.",
            "Make it writable, or set `JUPYTER_RUNTIME_DIR` to another folder, and restart Jupyter.",
        )
    elif above != folder:
        yield ok(subject, f"{folder} does not exist: Jupyter makes it")
    elif folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield warning(
            subject, f"Other users may write into {folder}.", f"Run `chmod 700 {folder}`."
        )
    else:
        yield ok(subject, str(folder))


def _sockets() -> Iterator[Finding]:
    subject, tried = "Sockets", []
    for place in dict.fromkeys(places()):
        if not place.exists() and place == Path(jupyter_runtime_dir()):
            continue
        try:
            path = socket_in(place, "gateway.sock")
        except OSError as failure:
            tried.append(f"{place} ({failure.strerror or failure})")
            continue
        shutil.rmtree(path.parent, ignore_errors=True)
        length = f"their paths have {len(os.fsencode(path))} of at most 107 bytes"
        if tried:
            yield warning(
                subject,
                f"They are in {place}, which a cleaner may empty, and not in {', '.join(tried)}.",
                "Set `JUPYTER_RUNTIME_DIR` to a writable folder with a short path, and restart "
                "Jupyter.",
            )
        else:
            yield ok(subject, f"in {place}; {length}")
        return
    yield of_problem(subject, no_place(tried))


def _temporary(situation: Situation) -> Iterator[Finding]:
    subject = "Temporary files"
    named = situation.environment.get("TMPDIR", "")
    if named and not (Path(named).is_dir() and os.access(named, os.W_OK | os.X_OK)):
        yield warning(
            subject,
            f"`TMPDIR` names {named}, which is not a folder that this user can write.",
            "Correct or remove the variable, and restart Jupyter.",
        )
        return
    try:
        with tempfile.TemporaryFile() as file:
            file.write(bytes(1024))
            file.flush()
    except OSError as failure:
        yield of_problem(
            subject,
            Problem(
                "No temporary file can be made.",
                f"{failure.strerror or failure}.",
                "Free some space in the folder for temporary files, or set `TMPDIR` to another one and "
                "restart Jupyter.",
            ),
        )
    else:
        yield ok(subject, f"in {tempfile.gettempdir()}")
