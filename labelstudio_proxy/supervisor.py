"""The state machine over a backend: one start for any number of callers, and what to tell them."""

from __future__ import annotations

import asyncio
import logging
import lzma
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from typing import Any

from . import template
from ._version import __version__
from .backends.base import PULL, Backend, Held, Owner, Report
from .backends.build import Build
from .datadir import DataDirectory
from .directory_lock import DirectoryLock
from .logbook import LogBook
from .problem import Problem
from .upstream import Endpoint, healthy, open_session

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.05
# A Label Studio that ends after it was ready for so long is started again; one that ends sooner
# would end again.
PROVEN_SECONDS = 60.0
EXPLAIN_LINES = 40
# Longer than any part of a run takes to end.
CANCEL_SECONDS = 12.0


class State(str, Enum):
    """Where Label Studio is in its life."""

    STOPPED = "stopped"
    PREPARING = "preparing"
    PULLING = "pulling"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    FAILED = "failed"


@dataclass(frozen=True)
class Step:
    """One step of a start, for the start page."""

    id: str
    title: str
    state: str = "next"  # next, current, done, failed
    detail: str = ""
    began: float | None = None  # Unix time, seconds
    seconds: float | None = None


@dataclass(frozen=True)
class Snapshot:
    """What is known at one moment. Never changed: a change makes a new one."""

    state: State = State.STOPPED
    steps: tuple[Step, ...] = ()
    progress: tuple[int, int] | None = None  # done, total of the current step
    versions: dict[str, str] = field(default_factory=lambda: {"labelstudio-proxy": __version__})
    backend: str = ""
    started_at: float | None = None  # Unix time, seconds
    ready_after: float | None = None  # seconds
    restarts: int = 0
    # how many of them somebody asked for, and how many because Label Studio had ended
    restart_reasons: dict[str, int] = field(default_factory=dict)
    error: Problem | None = None
    endpoint: Endpoint | None = None
    build: Build = field(default_factory=Build)

    @property
    def underway(self) -> bool:
        """Whether a start is going on."""
        return self.state in {State.PREPARING, State.PULLING, State.STARTING}

    def as_json(self) -> dict[str, Any]:
        """For the start page and for programs; where Label Studio listens is left out."""
        now = time.time()
        return {
            "state": self.state.value,
            "steps": [_step_json(step, now) for step in self.steps],
            "progress": self.progress and {"done": self.progress[0], "total": self.progress[1]},
            "versions": self.versions,
            "backend": self.backend,
            "started_at": self.started_at,
            "now": now,
            "ready_after": self.ready_after,
            "restarts": self.restarts,
            "restart_reasons": self.restart_reasons,
            "error": self.error and self.error.as_json(),
        }


def _step_json(step: Step, now: float) -> dict[str, Any]:
    fields = asdict(step)
    began = fields.pop("began")
    if step.state == "current" and began is not None:
        fields["seconds"] = now - began
    return fields


class Supervisor:
    """Starts, watches and stops Label Studio, and is the only one to change its snapshot.

    `start`, `stop` and `restart` say what is wanted and return at once; what was wanted last is
    what happens, whatever is under way.
    """

    def __init__(
        self,
        *,
        make_backend: Callable[[Report, Callable[[str], None]], Backend],
        directory: DataDirectory,
        log: LogBook,
        owner_email: str,
        start_timeout: float,
        problems: list[Problem],
        external_database: bool = False,
    ) -> None:
        """`problems` with the settings: while there are any, every start fails with the first."""
        self._make_backend = make_backend
        self._directory = directory
        self._lock = DirectoryLock(directory.path)
        self._owner_email = owner_email
        self._start_timeout = start_timeout
        self._problems = problems
        self._external_database = external_database
        self.log = log
        self._snapshot = Snapshot()
        self._changed = asyncio.Event()
        self._wanted = False
        self._interrupt = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self._background = False
        self._closed = False

    @property
    def snapshot(self) -> Snapshot:
        """What is known now."""
        return self._snapshot

    def start(self, *, background: bool = False) -> None:
        """Want Label Studio to run; does nothing more where it does, or is about to.

        `background`: nobody waits for it. It starts with low priority, and if it fails, who comes
        finds it stopped, not failed: the reason may be gone by then.
        """
        if self._closed:
            return
        self._wanted = True
        self._background = self._background and background
        if self._life is None or self._life.done():
            self._background = background
            # At once, so that whoever asked for the start sees it.
            self._change(state=State.PREPARING, steps=(), started_at=time.time(), error=None)
            self._life = asyncio.create_task(self._live())

    def stop(self) -> None:
        """Want Label Studio stopped, whatever it is doing."""
        self._wanted = False
        self._interrupt.set()

    def restart(self) -> None:
        """Want Label Studio to be stopped, if it runs, and started."""
        self._interrupt.set()
        self.start()

    async def close(self) -> None:
        """Stop, and come back when nothing runs any more."""
        self._closed = True
        self.stop()
        if self._life is not None:
            await asyncio.wait([self._life])
        self.log.close()

    async def changed(self, timeout: float) -> None:
        """Come back after the next change of the snapshot or the log, or after `timeout` seconds."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
        except (TimeoutError, asyncio.TimeoutError):
            return

    async def _live(self) -> None:
        while self._wanted:
            self._interrupt.clear()
            backend = self._make_backend(self._report, self._add_line)
            error = await self._run_until_interrupted(backend)
            lasted = self._ready_seconds()
            if error is not None:
                logger.warning("Label Studio (%s): %s", self._directory.path, error)
                if lasted < PROVEN_SECONDS or isinstance(error, Held):
                    self._wanted = False
                if self._wanted:
                    self._add_line(f"labelstudio-proxy: {error.what} It is started again.")
            self._change(state=State.STOPPING, endpoint=None)
            try:
                await backend.stop()
                if not isinstance(error, Held):  # that one still has the database
                    self._lock.release()
            except Problem as problem:
                logger.warning("Label Studio (%s): %s", self._directory.path, problem)
                error = error or problem
            except Exception:
                # Nothing more can be done for this one; whoever waits must not wait for ever.
                logger.exception("Label Studio (%s) could not be stopped", self._directory.path)
            if error is not None and not self._wanted and not self._background:
                self._fail(error)
            elif not self._wanted:
                self._change(state=State.STOPPED, steps=(), progress=None, started_at=None)
                logger.info("Label Studio (%s) is stopped", self._directory.path)
            else:
                reason = "asked" if error is None else "ended"
                counts = self._snapshot.restart_reasons
                self._change(
                    restarts=self._snapshot.restarts + 1,
                    restart_reasons={**counts, reason: counts.get(reason, 0) + 1},
                )
        if self._snapshot.underway:  # stopped before it began
            self._change(state=State.STOPPED, steps=(), progress=None, started_at=None)

    async def _run_until_interrupted(self, backend: Backend) -> Problem | None:
        """Run Label Studio; gives the Problem it ended with, None if that was wanted."""
        run = asyncio.create_task(self._run(backend))
        interrupt = asyncio.create_task(self._interrupt.wait())
        try:
            await asyncio.wait([run, interrupt], return_when=asyncio.FIRST_COMPLETED)
            if not run.done():
                return None
            await run
        except Problem as problem:
            return problem
        except Exception as error:
            logger.exception("Label Studio (%s) could not be run", self._directory.path)
            return Problem(
                "Label Studio could not be run.",
                f"An error that labelstudio-proxy did not expect: {type(error).__name__}: {error}",
                "Use Copy diagnostics and report it; the log of Jupyter has the details.",
            )
        finally:
            interrupt.cancel()
            await _end(run)
        return None

    async def _run(self, backend: Backend) -> None:
        """One life of Label Studio: raises Problem at its end, for it never ends by itself."""
        now = time.time()
        steps = tuple(Step(*step) for step in (("data", "Open the data directory"), *backend.steps))
        self._change(
            state=State.PREPARING,
            steps=steps,
            progress=None,
            backend=backend.name,
            started_at=now,
            ready_after=None,
            error=None,
        )
        logger.info("Label Studio (%s) is starting", self._directory.path)
        self._report("data")
        said_before = self.log.last
        if self._problems:
            raise self._problems[0]
        await asyncio.to_thread(self._directory.prepare)
        await self._lock.take(
            lambda: self._report("data", detail="waiting for another to let it go")
        )
        owner = await asyncio.to_thread(self._new_owner)
        await backend.prepare()
        if not self._external_database:
            await asyncio.to_thread(self._place_template, backend.versions)
        self._change(
            state=State.STARTING,
            versions={**self._snapshot.versions, **backend.versions},
            build=backend.build,
        )
        endpoint = await backend.launch(owner, background=self._background)
        ended = asyncio.create_task(backend.wait())
        try:
            await self._until_healthy(endpoint, ended)
            if not ended.done():
                self._ready(endpoint, now)
                self._background = False
                await backend.answered()
            how = await ended
        finally:
            ended.cancel()
        last_words = [line for _, line in self.log.since(said_before)][-EXPLAIN_LINES:]
        raise backend.explain(how, last_words)

    async def _until_healthy(self, endpoint: Endpoint, ended: asyncio.Task[str]) -> None:
        deadline = time.monotonic() + self._start_timeout
        async with open_session(endpoint) as session:
            while not ended.done() and not await healthy(session, endpoint):
                if time.monotonic() > deadline:
                    raise Problem(
                        f"Label Studio did not answer within {self._start_timeout:g} seconds.",
                        "The machine may be slow or busy, or Label Studio waits for something, "
                        "such as a database that cannot be reached.",
                        "Try again; if it takes that long on this machine, raise `start_timeout`.",
                    )
                await asyncio.wait([ended], timeout=POLL_SECONDS)

    def _new_owner(self) -> Owner | None:
        try:
            if not self._external_database and self._directory.has_accounts():
                return None
        except sqlite3.Error as error:
            raise Problem(
                f"Label Studio's database {self._directory.database} cannot be read.",
                f"SQLite says: {error}.",
                "Put a copy of it back that worked, or set `data_dir` to another folder.",
            ) from error
        return Owner(self._owner_email, secrets.token_urlsafe(24))

    def _place_template(self, versions: Mapping[str, str]) -> None:
        try:
            template.place(self._directory, versions.get("Label Studio", ""))
        except (OSError, lzma.LZMAError) as error:
            # Label Studio can do without; if the disk is full, it will say so.
            logger.warning(
                "Label Studio (%s) starts without a template: %s", self._directory.path, error
            )

    def _ready(self, endpoint: Endpoint, started: float) -> None:
        now = time.time()
        self._change(
            state=State.READY,
            steps=tuple(_ended(step, "done", now) for step in self._snapshot.steps),
            progress=None,
            ready_after=now - started,
            endpoint=endpoint,
        )
        logger.info("Label Studio (%s) is ready after %.1f s", self._directory.path, now - started)

    def _ready_seconds(self) -> float:
        """How long the life that just ended had been ready."""
        snapshot = self._snapshot
        if snapshot.state is not State.READY or snapshot.started_at is None:
            return 0.0
        return time.time() - snapshot.started_at - (snapshot.ready_after or 0.0)

    def _fail(self, error: Problem) -> None:
        now = time.time()
        self._change(
            state=State.FAILED,
            steps=tuple(
                _ended(step, "failed", now) if step.state == "current" else step
                for step in self._snapshot.steps
            ),
            progress=None,
            error=error,
        )

    def _report(
        self,
        step: str,
        *,
        detail: str | None = None,
        done: int | None = None,
        total: int | None = None,
    ) -> None:
        """The `Report` that backends are given: every step before this one is done."""
        now = time.time()
        ids = [each.id for each in self._snapshot.steps]
        if step not in ids:
            return
        position = ids.index(step)
        steps = [
            _ended(each, "done", now) if index < position else each
            for index, each in enumerate(self._snapshot.steps)
        ]
        current = steps[position]
        steps[position] = replace(
            current,
            state="current",
            began=current.began or now,
            detail=current.detail if detail is None else detail,
        )
        progress = (done, total) if done is not None and total else None
        state = self._snapshot.state
        if state in {State.PREPARING, State.PULLING}:
            state = State.PULLING if step == PULL else State.PREPARING
        self._change(state=state, steps=tuple(steps), progress=progress)

    def _add_line(self, line: str) -> None:
        self.log.add(line)
        self._announce()

    def _change(self, **changes: Any) -> None:
        self._snapshot = replace(self._snapshot, **changes)
        self._announce()

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _ended(step: Step, state: str, now: float) -> Step:
    """The step as `state` (done or failed); a step that was never begun took no time."""
    if step.state in {"done", "failed"}:
        return step
    return replace(step, state=state, seconds=0.0 if step.began is None else now - step.began)


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended.

    Once may not do: some libraries forget it if what they wait for comes at that very moment.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_SECONDS)
    if not task.cancelled():
        task.exception()  # else it would be complained that nobody has asked for it
