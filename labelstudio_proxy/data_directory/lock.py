"""One Label Studio at a time on a data directory: by a lock of the kernel's, and a record beside it.

The lock, on the directory itself, ends with whoever holds it, however that ends. It is the truth on
one machine. The record says who holds it, and decides where machines share a directory but no locks:
one of another machine counts as long as it is seen to be touched. So nothing that was left behind
blocks a start.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from . import process_identity
from .directory import OURS
from .file_system import is_local
from .lock_problems import in_use, not_asked, not_let_go, who
from .lock_record import Holder, Records

logger = logging.getLogger(__name__)

# A Jupyter that is being restarted still stops its Label Studio when the next one starts its own.
WAIT_SECONDS = 6.0
# One that is asked to let go stops its Label Studio, which may take 30 s.
HANDOVER_SECONDS = 45.0
POLL_SECONDS = 0.2
LOOK_SECONDS = 1.0  # between looks for somebody's request
BEAT_SECONDS = 4.0  # between two marks of life
# Without a mark of life for so long, a holder on another machine has gone.
PATIENCE_SECONDS = 20.0
# Long enough for another machine that clears the same record to see that it is not the same any more.
SETTLE_SECONDS = 0.5
TRIES = 10


@dataclass(frozen=True)
class Other:
    """Who has the directory instead; `alive`: certainly. Else only if `beat` goes on changing."""

    holder: Holder
    beat: int
    alive: bool


class DirectoryLock:
    """The hold of this process on one directory."""

    def __init__(self, path: Path, server: str = "") -> None:
        """`path` need not exist yet. `server`: what people know this one as; empty: no record."""
        self._path = path
        self._server = server
        self._records = Records(path / OURS)
        self._mutex = threading.Lock()
        self._descriptor: int | None = None
        self._held = False
        self._mine: Holder | None = None
        self._over = threading.Event()  # set while nobody attends to the hold
        self._over.set()
        self._gone: set[str] = set()  # keys of records that nobody stands behind
        self._lockless = False
        self._blindly = False  # whether one was cleared that no lock has told of
        self.address = ""
        """Where a browser finds this server, once that is known."""
        self.lost: Callable[[Holder], None] = lambda by: None
        """Called by a thread of the lock's own: somebody asks for the directory, or has it now."""

    async def take(
        self, waiting: Callable[[str], None], insist: Callable[[], bool] = lambda: False
    ) -> None:
        """Have the directory alone; `waiting` is told what for. Raises Problem, and OSError.

        `insist`: whether to ask who has it to let go; looked at all the time.
        """
        began = changed = asked = time.monotonic()
        last: Other | None = None
        beats = False
        whom: Holder | None = None
        self._gone.clear()
        while (other := await self._attempt()) is not None:
            now, holder = time.monotonic(), other.holder
            if last is None or (last.holder.key, last.beat) != (holder.key, other.beat):
                beats = last is not None and last.holder.key == holder.key
                last, changed = other, now
            if insist() and holder.key:
                if whom is None or whom.key != holder.key:
                    if whom is not None and whom.process != holder.process:
                        raise in_use(self._path, holder)  # somebody was faster
                    await self._ask(holder)
                    whom, asked = holder, now
                waiting(f"waiting {now - asked:.0f} s for {who(holder)} to stop Label Studio")
                if now - asked > HANDOVER_SECONDS:
                    raise not_let_go(self._path, holder, HANDOVER_SECONDS)
            elif (other.alive or beats) and now - began > WAIT_SECONDS:
                raise in_use(self._path, holder)
            elif other.alive:
                waiting("waiting for another to let it go")
            else:
                waiting(f"seeing whether {who(holder)} still runs")
            if not other.alive and now - changed > PATIENCE_SECONDS:
                self._gone.add(holder.key)
            await asyncio.sleep(POLL_SECONDS)

    def release(self) -> None:
        """Let others have it; does nothing where it is not held. It blocks."""
        with self._mutex:
            self._over.set()
            if self._mine is not None:
                try:
                    self._records.leave(self._mine.key)
                except OSError as error:
                    logger.warning("Label Studio (%s): its record stays: %s", self._path, error)
            self._mine = None
            self._unlock()
            self._held = False

    # ---- taking it

    async def _ask(self, holder: Holder) -> None:
        try:
            await asyncio.to_thread(self._records.ask, holder.key, self._myself())
        except OSError as error:
            raise not_asked(self._path, holder, error) from error

    async def _attempt(self) -> Other | None:
        """Take it; else who has it."""
        other = await asyncio.to_thread(self._try)
        if other is None and self._blindly:
            self._blindly = False
            await asyncio.sleep(SETTLE_SECONDS)
            found = await asyncio.to_thread(self._records.read)
            if found is not None and self._mine is not None and found[0].key != self._mine.key:
                await asyncio.to_thread(self.release)
                return Other(*found, alive=False)
        if other is None and self._mine is not None and self._over.is_set():
            self._over = threading.Event()
            threading.Thread(
                target=self._attend, args=(self._over,), name="data-directory", daemon=True
            ).start()
        return other

    def _try(self) -> Other | None:
        with self._mutex:
            if self._held:
                return None
            locked = self._lock()
            if locked is False:
                holder, beat = self._records.read() or (Holder(), 0)
                if process_identity.runs(holder.process, process_identity.this_process()) is False:
                    holder = Holder()  # a record that was left behind, under a lock without one
                return Other(holder, beat, alive=True)
            try:
                other = self._note(locked=bool(locked))
            except OSError as error:  # a full disk, or a folder of somebody else's
                logger.warning("Label Studio (%s) cannot note who has it: %s", self._path, error)
                other = None
            if other is not None:
                self._unlock()
                return other
            self._held = True
            return None

    def _lock(self) -> bool | None:
        """Whether this process has the kernel's lock now; None: there is no such thing here."""
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError as error:  # network file systems may have no such locks
            os.close(descriptor)
            if not self._lockless:
                logger.warning("Label Studio (%s): only a record, no lock: %s", self._path, error)
            self._lockless = True
            return None
        if not self._still_there(descriptor):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def _unlock(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _still_there(self, descriptor: int) -> bool:
        """Whether it is the directory of that name still: `restore` puts another in its place."""
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def _note(self, *, locked: bool) -> Other | None:
        """Put this one's record there, unless another's counts: that one then. Raises OSError."""
        found = None
        for _ in range(TRIES):
            found = self._records.read()
            if found is not None:
                holder, beat = found
                if not self._has_gone(holder, locked=locked):
                    alive = (
                        process_identity.runs(holder.process, process_identity.this_process())
                        is True
                    )
                    return Other(holder, beat, alive)
                logger.info("Label Studio (%s): left by %s", self._path, who(holder))
                self._blindly = holder.key in self._gone
                self._records.clear(holder.key)
            if not self._server:
                return None
            mine = self._myself()
            if self._records.place(mine):
                self._mine = mine
                self._records.listen()
                return None
        return Other(*(found or (Holder(), 0)), alive=False)

    def _has_gone(self, holder: Holder, *, locked: bool) -> bool:
        """Whether nobody stands behind a record; `locked`: this process has the kernel's lock."""
        here, there = process_identity.this_process(), holder.process
        if there == here or holder.key in self._gone or process_identity.runs(there, here) is False:
            return True
        if not locked:
            return False
        # Of this machine it would have the lock.
        if there.boot == here.boot and (here.boot or there.host == here.host):
            return True
        # Of this machine, before it was started anew; of another, if its disk can be had here.
        return there.host in {"", here.host} and is_local(self._path)

    def _myself(self) -> Holder:
        return Holder(
            key=secrets.token_hex(8),
            server=self._server or "a command",
            address=self.address,
            since=time.time(),
            process=process_identity.this_process(),
        )

    # ---- while it is held

    def _attend(self, over: threading.Event) -> None:
        """Give marks of life, and see whether somebody asks for the directory."""
        beaten = time.monotonic()
        told = ""  # the key of whoever has asked last
        warned = False
        while not over.wait(LOOK_SECONDS):
            by: Holder | None = None
            try:
                with self._mutex:
                    if over.is_set() or self._mine is None:
                        return
                    by = self._other_holder()
                    if by is None and time.monotonic() - beaten >= BEAT_SECONDS:
                        self._beat(self._mine)
                        beaten = time.monotonic()
                    if by is None:
                        by = self._records.asked(self._mine.key)
            except OSError as error:  # a file server that is away for a moment, a full disk
                if not warned:
                    logger.warning("Label Studio (%s): its record: %s", self._path, error)
                warned = True
            if by is not None and by.key != told:
                told = by.key
                logger.warning("Label Studio (%s): %s asks for it", self._path, who(by))
                self.lost(by)

    def _other_holder(self) -> Holder | None:
        """Who has put a record in this one's place; sees to it that this one's is there."""
        assert self._mine is not None, "only while it is held"
        found = self._records.read()
        if found is None or not found[0].key:
            if found is not None:
                self._records.clear("")
            self._records.place(self._mine)
        elif found[0].key != self._mine.key:
            self._mine = None  # theirs is not to be taken away
            return found[0]
        return None

    def _beat(self, mine: Holder) -> None:
        if self.address != mine.address:
            self._mine = replace(mine, address=self.address)
            self._records.change(self._mine)
        self._records.beat()
