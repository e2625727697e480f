"""Starts, watches, restarts and stops Label Studio."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from functools import partial

from ..aio import begin_task, cancel_and_wait
from ..backends.base import Backend, NoRestart, Paused, Report, install_cancelled
from ..data_directory.directory import DataDirectory
from ..data_directory.earlier_data import Choice, EarlierData
from ..data_directory.lock import DirectoryLock
from ..data_directory.lock_problems import handed_over
from ..data_directory.lock_record import Holder
from ..label_studio.exit_reasons import Explained
from ..label_studio.upstream import (
    Endpoint,
    accepts_connections,
    unreachable,
    wait_for_first_response,
)
from ..problem import Problem, unexpected
from ..snapshot import Snapshot, State, Step
from .database_preparation import record_version
from .log import LabelStudioLog
from .preparation import Preparation
from .restart_policy import RestartPolicy
from .state_store import StateStore

logger = logging.getLogger(__name__)

EXPLAIN_LINES = 40
NOT_RUN = "Label Studio could not be run."
# A Label Studio that accepts no connection for so long restarts. If it ended, the backend notices that
# sooner; the backend of a container asks the engine every few seconds.
UNREACHABLE_SECONDS = {"process": 1.0, "docker": 10.0}
UNREACHABLE_POLL_SECONDS = 0.1


MakeBackend = Callable[[Report, Callable[[str], None]], Backend]


class _Crash(Problem):
    """Label Studio ended without a request to stop; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what, problem.why, problem.remedy)
        self.problem = problem


class Supervisor:
    """Runs one Label Studio for any number of callers. Only this class changes its snapshot.

    `start`, `stop` and `restart` return at once. They set what is wanted, and a task, `_live`, does
    it: one run after another, until none is wanted. The last call wins, also during a start.
    """

    def __init__(
        self,
        *,
        make_backend: MakeBackend,
        make_installing_backend: MakeBackend | None = None,
        directory: DataDirectory,
        log: LabelStudioLog,
        owner_email: str,
        start_timeout: float,
        problems: list[Problem],
        owner_name: str = "",
        external_database: bool = False,
        earlier_data: EarlierData | None = None,
        server: str = "labelstudio-proxy",
    ) -> None:
        """`make_installing_backend`: makes a backend that installs Label Studio first.

        `problems`: of the settings; with any, every start fails with the first one.

        `owner_email`, `owner_name`: of the account that a first start makes.

        `earlier_data`: to offer at a first start. `server`: the name of this server for people whose
        other server wants the data directory.
        """
        self._make_backend = make_backend
        self._make_installing_backend = make_installing_backend or make_backend
        self._directory = directory
        self._start_timeout = start_timeout
        self._external_database = external_database
        self._settings_problems = problems
        self.log = log
        self._store = StateStore(log, directory.path)
        self.changed = self._store.changed
        self._lock = DirectoryLock(directory.path, server)
        self._preparation = Preparation(
            *(directory, self._lock, self._store, owner_email, owner_name),
            external_database,
            earlier_data,
        )
        # What is wanted.
        self._wanted = False
        self._choice: Choice | None = None  # of data, at a first start
        self._installs = False  # Label Studio first
        self._insists = False  # on the data directory, if another server holds it
        self._background = False
        self._interrupt = asyncio.Event()  # set when the wish changes
        self._closed = self._closes_at_once = False
        # What happens.
        self._backend: Backend | None = None
        self._life: asyncio.Task[None] | None = None
        self._unreachable = asyncio.Event()
        self._checking = asyncio.Lock()
        self._policy = RestartPolicy()
        self._handed_over: Problem | None = None  # set when another server took the directory

    @property
    def snapshot(self) -> Snapshot:
        """The current snapshot."""
        return self._store.snapshot

    @property
    def address(self) -> str:
        """The URL of this server, as a browser has used it; "" before that."""
        return self._lock.address

    async def memory(self) -> int | None:
        """Return the bytes of memory that Label Studio uses; None if it does not run."""
        ready = self.snapshot.state is State.READY
        return await self._backend.memory() if ready and self._backend is not None else None

    # ---- Commands

    def start(self, *, background: bool = False) -> None:
        """Start Label Studio, unless it runs or starts.

        `background`: no user waits. The start has low priority, and if it fails, the state is
        "stopped" with the error, so that the next user starts it again.
        """
        if self._closed:
            return
        self._wanted = True
        self._background = self._background and background
        over = self._life is None or self._life.done()
        pausing = not over and self.snapshot.state is State.FAILED
        if over or pausing:
            self._store.set(self.snapshot.preparing())  # now, for the caller's response
        if over:
            self._background = background
            self._policy = RestartPolicy()
            self._life = begin_task(self._live())
        elif pausing or self.snapshot.state is State.STOPPING:
            self._policy = RestartPolicy()
            self._interrupt.set()

    def take_over(self) -> None:
        """Start Label Studio here, and stop it on any other server that has the data directory."""
        self._insists = True
        self.start()

    def install(self) -> None:
        """Install Label Studio where there is none, and start it."""
        self._installs = True
        self.start()

    def choose_data(self, choice: Choice) -> None:
        """Start Label Studio with the data that the user chose, if a first start offered some."""
        self._choice = choice
        self.start()

    def stop(self, because: str = "") -> None:
        """Stop Label Studio; `because`: a sentence for users, if no user asked for it."""
        if because:
            logger.info("Label Studio (%s): stop. %s", self._directory.path, because)
        self._wanted = self._insists = self._installs = False
        if self.snapshot.state is State.INSTALLING:
            self._handed_over = install_cancelled()
        self._interrupt_run()
        self._store.update(stopped_because=because)

    def restart(self) -> None:
        """Stop Label Studio if it runs, and start it."""
        self._interrupt_run()
        self._policy = RestartPolicy()
        self.start()

    async def check_connection(self) -> None:
        """Restart Label Studio if it runs and accepts no connection. Call it after a failed request.

        Return when that is decided.
        """
        async with self._checking:
            endpoint = self.snapshot.endpoint
            deadline = time.monotonic() + UNREACHABLE_SECONDS.get(self.snapshot.backend, 0)
            while endpoint is not None and not await accepts_connections(endpoint):
                if self.snapshot.endpoint is not endpoint:  # it ended
                    return
                if time.monotonic() > deadline:
                    self._unreachable.set()
                    await self.changed(UNREACHABLE_POLL_SECONDS)
                    return
                await asyncio.sleep(UNREACHABLE_POLL_SECONDS)

    def set_address(self, address: str) -> None:
        """Set the URL of this server, for people whose other server wants the data directory."""
        self._lock.address = address

    def show_file_problems(self, problems: tuple[str, ...]) -> None:
        """Show why files with labels are not up to date, instead of what was shown before."""
        self._store.update(file_problems=problems)

    async def close(self, *, at_once: bool = False) -> None:
        """Stop Label Studio and return when nothing of it runs.

        `at_once`: Jupyter was killed. Do not wait for what can run without this process.
        """
        self._closed, self._closes_at_once = True, at_once
        self.stop()
        if self._life is not None:
            await asyncio.wait([self._life])
        self.log.close()

    def _interrupt_run(self) -> None:
        self._interrupt.set()
        if self.snapshot.state is State.READY:
            self._store.set(self.snapshot.stopping())  # now, for the caller's response

    def _hand_over(self, by: Holder) -> None:
        """Stop, because another server asks for the data directory."""
        if self._wanted or self.snapshot.state is State.FAILED:
            self._handed_over = handed_over(self._directory.path, by)
            self.stop()

    # ---- The task that does what is wanted

    async def _live(self) -> None:
        """Do what is wanted; show an error that no backend raises, instead of waiting for ever."""
        try:
            await self._run_while_wanted()
        except Exception as error:
            logger.exception("Label Studio (%s) could not be run", self._directory.path)
            problem = error if isinstance(error, Problem) else unexpected(NOT_RUN, error)
            self._wanted = self._insists = False
            snapshot = self.snapshot
            self._store.set(
                snapshot.stopped(problem) if self._background else snapshot.failed(problem)
            )

    async def _run_while_wanted(self) -> None:
        shown: Problem | None = None
        while self._wanted:
            self._interrupt.clear()
            self._handed_over = None
            kind = self._make_installing_backend if self._installs else self._make_backend
            self._installs = False
            make = partial(kind, self._store.report, self._store.add_line)
            backend = await asyncio.to_thread(make)  # looks for programs on the disk
            problem = await self._run_until_interrupted(backend)
            self._insists = False
            restarts = False
            if problem is not None and not self._interrupt.is_set():
                logger.warning("Label Studio (%s): %s", self._directory.path, problem)
                self._wanted = restarts = self._restarts_after(problem)
                if isinstance(problem, _Crash):
                    problem = self._policy.explain(problem.problem)
            held = await self._end_run(backend, problem)
            if restarts and problem is not None and not self._interrupt.is_set():
                await self._pause(problem)
            elif self._wanted:
                self._store.count_restart("asked")
            elif (shown := self._to_show(problem, held)) is not None and not self._background:
                self._store.set(self.snapshot.failed(shown))
                return
        self._store.set(self.snapshot.stopped(shown))
        logger.info("Label Studio (%s) is stopped", self._directory.path)

    async def _run_until_interrupted(self, backend: Backend) -> Problem | None:
        """Run Label Studio; return the Problem that ended the run, None if it was interrupted."""
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
            return unexpected(NOT_RUN, error)
        finally:
            interrupt.cancel()
            await cancel_and_wait(run)
        return None

    async def _run(self, backend: Backend) -> None:
        """Prepare, launch and wait for the end; always raises Problem."""
        if self._settings_problems:
            raise self._settings_problems[0]
        steps = (Step("data", "Open the data directory"), *(Step(*step) for step in backend.steps))
        self._store.set(self.snapshot.preparing(backend.name, steps))
        logger.info("Label Studio (%s) is starting", self._directory.path)
        lines_before = self.log.last
        self._backend = backend
        owner = await self._preparation.run(
            backend,
            choice=self._choice,
            insists=lambda: self._insists,
            on_request=self._hand_over,
        )
        versions = {**self.snapshot.versions, **backend.versions}
        self._store.update(state=State.STARTING, versions=versions, build=backend.build)
        endpoint = await backend.launch(owner, background=self._background)
        for notice in backend.notices:
            self._store.add_notice(notice)
        ended = asyncio.create_task(backend.wait())
        try:
            await wait_for_first_response(endpoint, ended, self._start_timeout)
            if not ended.done():
                await self._become_ready(backend, endpoint)
                await self._until_end(endpoint, ended)
            how = await ended
        finally:
            await cancel_and_wait(ended)
        printed = [line for _, line in self.log.since(lines_before)]
        raise _Crash(backend.explain(how, printed[-EXPLAIN_LINES:]))

    async def _until_end(self, endpoint: Endpoint, ended: asyncio.Task[str]) -> None:
        """Return when `ended` is done; raises _Crash if `check_connection` sees no connection."""
        self._unreachable.clear()
        lost = asyncio.create_task(self._unreachable.wait())
        try:
            await asyncio.wait([ended, lost], return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
        if not ended.done():
            raise _Crash(unreachable(endpoint))

    async def _become_ready(self, backend: Backend, endpoint: Endpoint) -> None:
        if not self._external_database:
            await record_version(backend, self._directory)
        self._store.set(self.snapshot.ready(endpoint))
        seconds = self.snapshot.ready_after
        logger.info("Label Studio (%s) is ready after %.1f s", self._directory.path, seconds)
        self._background = False
        await backend.on_first_response()

    # ---- The end of a run

    def _restarts_after(self, problem: Problem) -> bool:
        """Return True if Label Studio should restart after `problem`, and count the crash."""
        if not isinstance(problem, _Crash) or isinstance(problem.problem, NoRestart):
            return False
        was_ready = self.snapshot.state is State.READY
        first_start = not was_ready and not self._policy.crashes
        if first_start and (self._background or isinstance(problem.problem, Explained)):
            return False
        self._policy = self._policy.after_crash(time.monotonic(), was_ready=was_ready)
        return not self._policy.gives_up

    def _to_show(self, problem: Problem | None, held: Problem | None) -> Problem | None:
        """Return the Problem that the page shows when no further start is wanted."""
        if self._handed_over is not None and held is None:
            return self._handed_over
        return held if self._interrupt.is_set() else problem or held

    async def _end_run(self, backend: Backend, problem: Problem | None) -> Problem | None:
        """Stop the backend and release the data directory.

        Return why Label Studio still holds it; None if it does not.
        """
        paused = isinstance(problem, Paused) and not self._interrupt.is_set()
        held = problem if paused else await self._stop_backend(backend)
        if not self._background:
            held = await self._show_while_held(backend, problem, held)
        if held is not None:
            await self._detach(backend)
        return held

    async def _stop_backend(self, backend: Backend) -> Problem | None:
        """Stop it and release the data directory; return why that failed."""
        self._store.set(self.snapshot.stopping())
        if self._closes_at_once:
            await self._detach(backend)
            return None
        try:
            await backend.stop()
        except Problem as problem:
            logger.warning("Label Studio (%s): %s", self._directory.path, problem)
            return problem
        except Exception as error:  # `close` would wait for ever
            logger.exception("Label Studio (%s) could not be stopped", self._directory.path)
            return unexpected("Label Studio could not be stopped.", error)
        await asyncio.to_thread(self._lock.release)
        return None

    async def _detach(self, backend: Backend) -> None:
        try:
            keeps_running = await backend.detach()
        except Exception:  # the gateway exits, or the next start begins, whatever it is
            logger.exception("Label Studio (%s) could not be detached", self._directory.path)
            return
        if not keeps_running:
            await asyncio.to_thread(self._lock.release)

    async def _show_while_held(
        self, backend: Backend, problem: Problem | None, held: Problem | None
    ) -> Problem | None:
        """Show why Label Studio keeps the data directory, until a start or `close`.

        A stop tries again. Return None once that has worked.
        """
        while held is not None and not (self._wanted or self._closed):
            self._handed_over = None
            self._store.set(self.snapshot.failed(self._to_show(problem, held) or held))
            self._interrupt.clear()
            await self._interrupt.wait()
            if not self._wanted:
                held = await self._stop_backend(backend)
        return held

    async def _pause(self, problem: Problem) -> None:
        """Show the crash until the next start is due, or until a command comes."""
        seconds = self._policy.pause
        line = f"labelstudio-proxy: {problem.what} Restarting it in {seconds:g} s."
        self._store.add_line(line)
        self._store.set(self.snapshot.failed(problem, next_start=time.time() + seconds))
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._interrupt.wait(), seconds)
        if self._wanted:
            self._store.count_restart("ended")
