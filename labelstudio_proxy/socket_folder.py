"""Private folders for unix sockets, where they can listen and where no cleaner removes them."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from jupyter_core.paths import jupyter_runtime_dir

from .problem import Problem


def new_socket(name: str) -> Path:
    """Return the path for a socket `name` in a new folder, which the caller removes.

    Raises Problem if no folder is usable.
    """
    with contextlib.suppress(OSError):
        Path(jupyter_runtime_dir()).mkdir(mode=0o700, parents=True, exist_ok=True)
    tried = []
    for place in places():
        try:
            return socket_in(place, name)
        except OSError as error:
            tried.append(f"{place} ({error.strerror or error})")
    raise no_place(tried)


def no_place(tried: Iterable[str]) -> Problem:
    """Return the Problem of a machine without a usable folder; `tried`: folders and reasons."""
    return Problem(
        "There is no folder for a socket.",
        f"labelstudio-proxy tried {', '.join(dict.fromkeys(tried))}.",
        "Set `JUPYTER_RUNTIME_DIR` to a writable folder with a short path, and restart Jupyter.",
    )


def places() -> Iterator[Path]:
    """Yield the folders to try, the best one first.

    Jupyter keeps its own files of this kind in its runtime folder, for as long as it runs. Others
    lose files: a session's end clears XDG_RUNTIME_DIR, and cleaners clear temporary folders.
    """
    yield Path(jupyter_runtime_dir())
    if session := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(session)
    with contextlib.suppress(OSError):
        yield Path(tempfile.gettempdir())
    yield from map(Path, ("/tmp", "/var/tmp", "/dev/shm"))  # noqa: S108 - mkdtemp is private


def socket_in(place: Path, name: str) -> Path:
    """Return the path in a new folder in `place`; raises OSError if no socket can listen there.

    Paths of more than some 100 bytes are too long, and some network file systems have no sockets.
    """
    path = Path(tempfile.mkdtemp(prefix="labelstudio-proxy-", dir=place)) / name
    try:
        _listen_at(str(path))
        path.unlink()
    except OSError:
        shutil.rmtree(path.parent, ignore_errors=True)
        raise
    return path


def check_sockets(folder: Path) -> None:
    """Raise OSError if no socket can listen in `folder`, whose path may be long (Linux)."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    path = Path(f"/proc/self/fd/{descriptor}/{os.urandom(8).hex()}")
    try:
        _listen_at(str(path))
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)


def _listen_at(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
