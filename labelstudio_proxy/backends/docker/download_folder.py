"""Where an image's layers are kept while they are fetched: a folder that one download has at a time."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path

import platformdirs

POLL_SECONDS = 0.5
KEPT_SECONDS = 7 * 24 * 3600.0
SPARE_BYTES = 64 * 1024 * 1024  # left free for whatever else is written at home


class Folder:
    """For the images of one name in a registry; in the user's cache, so never precious."""

    def __init__(self, repository: str) -> None:
        """`repository`: with its registry."""
        key = hashlib.sha256(repository.encode()).hexdigest()[:12]
        self.path = _images() / key

    @contextlib.asynccontextmanager
    async def held(self, waiting: Callable[[], object]) -> AsyncIterator[None]:
        """Have it alone; raises OSError. `waiting` is called while another download has it."""
        while (lock := _lock(self.path)) is None:
            waiting()
            await asyncio.sleep(POLL_SECONDS)
        try:
            yield
        finally:
            _unlock(self.path, lock)

    def make(self, bytes_more: int) -> None:
        """Have it there with room for so many bytes more; raises OSError."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        if shutil.disk_usage(self.path).free < bytes_more + SPARE_BYTES:
            msg = f"there is too little space for {bytes_more} bytes"
            raise OSError(msg)

    def keep_only(self, names: Collection[str]) -> None:
        """Forget the layers of other images, or of what the image was before."""
        for path in self.path.glob("*"):
            if path.name not in names:
                path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget what has been fetched. A folder that cannot be removed harms nobody."""
        shutil.rmtree(self.path, ignore_errors=True)

    def clear_unless_held(self) -> None:
        """The same, where this download does not have it any more."""
        with contextlib.suppress(OSError):
            _clear_unless_held(self.path)


def prune() -> None:
    """Forget what no download has touched for a week, unless one has it now."""
    with contextlib.suppress(OSError):
        for path in _images().iterdir():
            if path.is_dir() and _touched(path) < time.time() - KEPT_SECONDS:
                _clear_unless_held(path)


def _images() -> Path:
    return platformdirs.user_cache_path("labelstudio-proxy") / "images"


def _touched(folder: Path) -> float:
    return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))


def _clear_unless_held(folder: Path) -> None:
    lock = _lock(folder)
    if lock is not None:
        shutil.rmtree(folder, ignore_errors=True)
        _unlock(folder, lock)


def _lock(folder: Path) -> int | None:
    """An open file that keeps the folder; None: somebody has it."""
    path = folder.with_suffix(".lock")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it may have removed the file, and somebody else made another.
        if path.stat().st_ino == os.fstat(lock).st_ino:
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:
        os.close(lock)
        raise
    os.close(lock)
    return None


def _unlock(folder: Path, lock: int) -> None:
    with contextlib.suppress(OSError):
        if not folder.exists():
            folder.with_suffix(".lock").unlink()
    os.close(lock)
