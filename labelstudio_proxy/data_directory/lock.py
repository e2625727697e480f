"""One Label Studio at a time on a data directory: a lock of the kernel, which ends with its holder.

The lock is on a file that is open for writing, so that it works on NFS too: Linux sends flock(2) to
an NFS server as a lock for writing (flock(2), section "NFS details").
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

from .. import private_file
from .directory import PROXY_FOLDER
from .lock_problems import cannot_lock, describe, in_use, not_asked, not_released
from .lock_record import Holder, LockRecord

logger = logging.getLogger(__name__)

# Its file stays when the lock is released: on NFS, removing it could let two processes lock.
LOCK = "lock"


class DirectoryLock:
    """The lock of this process on one data directory."""

    # A Jupyter server that restarts may still be stopping its Label Studio.
    wait_seconds = 6.0
    # After a request to hand it over. The holder's Label Studio takes up to 30 s to stop.
    handover_seconds = 45.0
    poll_seconds = 0.2
    request_poll_seconds = 1.0

    def __init__(self, path: Path, server: str = "") -> None:
        """`path` need not exist yet. `server`: the name of this one; empty: leave no record."""
        self._path = path
        self._server = server
        self._record = LockRecord(path / PROXY_FOLDER)
        self._mutex = threading.Lock()
        self._descriptor: int | None = None
        self._mine: Holder | None = None
        self._released = threading.Event()
        self.address = ""
        """The URL of this server in a browser, once it is known."""
        self.on_request: Callable[[Holder], None] = lambda by: None
        """Called from a thread when another server asks for the directory."""

    async def take(
        self, waiting: Callable[[str], None], insist: Callable[[], bool] = lambda: False
    ) -> None:
        """Lock the directory; `waiting` gets a text for people while that takes time.

        `insist` is called all the time: whether to ask the holder to hand it over. Raises Problem.
        """
        began = asked_at = time.monotonic()
        asked: Holder | None = None
        while (holder := await asyncio.to_thread(self._try)) is not None:
            now = time.monotonic()
            if insist() and holder.key:
                if asked is None or asked.key != holder.key:
                    if asked is not None and (asked.host, asked.pid) != (holder.host, holder.pid):
                        raise in_use(self._path, holder)  # a third server was faster
                    await self._ask(holder)
                    asked, asked_at = holder, now
                if now - asked_at > self.handover_seconds:
                    raise not_released(self._path, holder, self.handover_seconds)
                seconds = f"{now - asked_at:.0f} s"
                waiting(f"waiting {seconds} for {describe(holder)} to stop Label Studio")
            elif now - began > self.wait_seconds:
                raise in_use(self._path, holder)
            else:
                waiting("waiting for another server to stop Label Studio")
            await asyncio.sleep(self.poll_seconds)

    def release(self) -> None:
        """Release the lock, if this process holds it. Blocks."""
        with self._mutex:
            if self._descriptor is None:
                return
            self._released.set()
            try:
                if self._mine is not None and self._record.read().key == self._mine.key:
                    self._record.clear()
            except OSError as error:
                logger.warning(
                    "Label Studio (%s): could not remove its record: %s", self._path, error
                )
            self._mine = None
            os.close(self._descriptor)
            self._descriptor = None

    async def _ask(self, holder: Holder) -> None:
        by = Holder.of_this_process(self._server, self.address)
        try:
            await asyncio.to_thread(self._record.ask, holder.key, by)
        except OSError as error:
            raise not_asked(self._path, holder, error) from error

    def _try(self) -> Holder | None:
        """Try to lock the directory once; return its holder if that is another process."""
        with self._mutex:
            if self._descriptor is not None:
                return None
            self._descriptor = self._lock()
            if self._descriptor is None:
                return self._record.read()
            self._released = threading.Event()
            try:
                self._announce()
            except OSError as error:  # the disk is full, say
                logger.warning(
                    "Label Studio (%s): could not record its lock: %s", self._path, error
                )
            return None

    def _lock(self) -> int | None:
        """Return the descriptor of the lock, None if another process holds it. Raises Problem."""
        file = self._path / PROXY_FOLDER / LOCK
        locked = False
        try:
            file.parent.mkdir(mode=0o700, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(file, flags, 0o600)
            try:
                # A restore that held the lock until now has put another directory at this path.
                locked = self._flock(descriptor) and os.path.samestat(
                    os.fstat(descriptor), file.stat()
                )
            finally:
                if not locked:
                    os.close(descriptor)
        except FileNotFoundError:  # no directory for a moment: a restore
            return None
        except OSError as error:
            raise cannot_lock(self._path, error) from error
        return descriptor if locked else None

    def _flock(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _announce(self) -> None:
        """Record who holds the lock, and watch for requests; raises OSError."""
        self._record.clear()  # of a holder that crashed
        if self._server:
            mine = Holder.of_this_process(self._server, self.address)
            self._record.write(mine)
            self._mine = mine
            threading.Thread(
                target=self._watch, args=(mine, self._released), name="directory-lock", daemon=True
            ).start()

    def _watch(self, mine: Holder, released: threading.Event) -> None:
        """Report each request once, and keep the address in the record."""
        reported = ""
        while not released.wait(self.request_poll_seconds):
            if self.address != mine.address:
                mine = replace(mine, address=self.address)
                with self._mutex:
                    if released.is_set():
                        return
                    try:
                        self._record.write(mine)
                    except OSError as error:
                        logger.warning(
                            "Label Studio (%s): could not record its address: %s", self._path, error
                        )
            by = self._record.request_to(mine.key)
            if by is not None and by.key != reported:
                reported = by.key
                logger.warning(
                    "Label Studio (%s): %s asks to take it over", self._path, describe(by)
                )
                self.on_request(by)


def check_database_locks(database: Path) -> None:
    """Raise Problem if SQLite cannot lock `database`. Blocks.

    A file system can have the locks of flock(2) without those of fcntl(2), which SQLite uses. SQLite
    waits for minutes where a lock is refused with ENOLCK, and then reports a locked database.
    """
    _try_lock((database.resolve() if database.is_symlink() else database).parent, fcntl.lockf)


def check_directory_locks(folder: Path) -> None:
    """Raise Problem if a `DirectoryLock` cannot lock a file in `folder`. Blocks."""
    _try_lock(folder, fcntl.flock)


def _try_lock(folder: Path, lock: Callable[[IO[bytes], int], object]) -> None:
    probe = folder / f"{private_file.UNFINISHED}{secrets.token_hex(4)}"
    try:
        with private_file.create(probe) as file:
            lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise cannot_lock(folder, error) from error
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)


def remove_unused(directory: Path) -> bool:
    """Remove a locked directory with nothing but the lock in it; return True if it was removed."""
    folder = directory / PROXY_FOLDER
    try:
        if [*directory.iterdir()] != [folder] or [*folder.iterdir()] != [folder / LOCK]:
            return False
        (folder / LOCK).unlink()
        folder.rmdir()
        directory.rmdir()
    except OSError:
        return False
    return True
