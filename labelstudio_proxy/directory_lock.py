"""One Label Studio at a time on a data directory, by a lock of the kernel's on the directory itself.

Nothing of ours stands in the directory for it, and it ends with whoever holds it, however that ends:
so no lock that was left behind can block a start.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from .problem import Problem
from .registry import running

logger = logging.getLogger(__name__)

# A Jupyter that is being restarted still stops its Label Studio when the next one starts its own.
WAIT_SECONDS = 6.0
POLL_SECONDS = 0.2


class DirectoryLock:
    """The lock on one directory, for this process."""

    def __init__(self, path: Path) -> None:
        """`path` need not exist yet."""
        self._path = path
        self._descriptor: int | None = None

    async def take(self, waiting: Callable[[], None]) -> None:
        """Have the directory alone; calls `waiting` if it has to wait. Raises Problem, and OSError."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not await asyncio.to_thread(self._try):
            if time.monotonic() > deadline:
                raise await asyncio.to_thread(_in_use, self._path)
            waiting()
            await asyncio.sleep(POLL_SECONDS)

    def release(self) -> None:
        """Let others have it; does nothing where it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _try(self) -> bool:
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError as error:  # network file systems may have no such locks
            os.close(descriptor)
            logger.warning("Label Studio (%s) cannot be kept to one: %s", self._path, error)
            return True
        if not self._still_there(descriptor):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def _still_there(self, descriptor: int) -> bool:
        """Whether it is the directory of that name still: `restore` puts another in its place."""
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False


def _in_use(path: Path) -> Problem:
    others = [
        entry.prefix
        for entry in running()
        if entry.pid != os.getpid() and entry.data_dir == str(path)
    ]
    where = f" It is at {' or '.join(others)}." if others else ""
    return Problem(
        f"The data directory {path} is in use.",
        f"Another Jupyter server runs Label Studio on it.{where}",
        "Use that one; or stop it there, with `labelstudio-proxy stop` in a terminal, then try again; "
        "or set `data_dir` to another folder and restart Jupyter.",
    )
