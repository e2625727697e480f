"""The state machine over a backend: one start for any number of callers, and what to tell them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from ..aio import cancel_and_wait
from ..backends.base import Backend, NoRestart, Paused, Report
from ..backends.docker.leftover import remove_recorded
from ..data_directory import foreign_processes
from ..data_directory.directory import DataDirectory
from ..data_directory.file_system import warning_about
from ..data_directory.lock import DirectoryLock
from ..data_directory.lock_problems import handed_over
from ..data_directory.lock_record import Holder
from ..label_studio.exit_reasons import Explained
from ..label_studio.first_answer import first_answer
from ..problem import Problem, unexpected
from ..snapshot import Snapshot, State, Step
from .database_preparation import note_database, prepare_database
from .first_start import new_owner
from .log import LogBook
from .restart_policy import Restarts
from .state_store import Board

logger = logging.getLogger(__name__)

EXPLAIN_LINES = 40


class _Ended(Problem):
    """Label Studio has ended by itself, for the reason that `problem` tells."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what, problem.why, problem.remedy)
        self.problem = problem


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
        server: str = "labelstudio-proxy",
    ) -> None:
        """`problems` with the settings: while there are any, every start fails with the first.

        `server`: what people know this one as, who would use the same data directory elsewhere.
        """
        self._make_backend = make_backend
        self._directory = directory
        self._lock = DirectoryLock(directory.path, server)
        self._insist = False
        self._given: Problem | None = None  # why, where the data directory was given away
        self._owner_email = owner_email
        self._start_timeout = start_timeout
        self._problems = problems
        self._external_database = external_database
        self.log = log
        self._board = Board(log, directory.path)
        self.changed = self._board.changed
        self._wanted = False
        self._interrupt = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self._background = False
        self._closed = self._alone = False
        self._restarts = Restarts()

    @property
    def snapshot(self) -> Snapshot:
        """What is known now."""
        return self._board.snapshot

    def start(self, *, background: bool = False) -> None:
        """Want Label Studio to run; does nothing more where it does, or is about to.

        `background`: nobody waits for it. It starts with low priority, and if it fails, who comes
        finds it stopped, not failed: the reason may be gone by then.
        """
        if self._closed:
            return
        self._wanted = True
        self._background = self._background and background
        over = self._life is None or self._life.done()
        waiting = not over and self._board.snapshot.state is State.FAILED
        if over or waiting:
            # At once, so that whoever asked for the start sees it.
            self._board.change(
                state=State.PREPARING,
                steps=(),
                started_at=time.time(),
                error=None,
                stopped_because="",
                next_start=None,
            )
        if over:
            self._background = background
            self._restarts = Restarts()
            self._life = asyncio.create_task(self._live())
        elif waiting or self._board.snapshot.state is State.STOPPING:
            # Now, then, and not after a pause.
            self._restarts = Restarts()
            self._interrupt.set()

    def take_over(self) -> None:
        """Want Label Studio to run here, and nowhere else on its data directory."""
        self._insist = True
        self.start()

    def note_address(self, address: str) -> None:
        """Where a browser finds this server, for people whose other server is refused."""
        self._lock.address = address

    def stop(self, because: str = "") -> None:
        """Want Label Studio stopped, whatever it is doing; `because`: what people are told of it."""
        if because:
            logger.info("Label Studio (%s): stop. %s", self._directory.path, because)
        self._wanted = self._insist = False
        self._end_life()
        self._board.change(stopped_because=because)

    def restart(self) -> None:
        """Want Label Studio to be stopped, if it runs, and started."""
        self._end_life()
        self._restarts = Restarts()
        self.start()

    def _end_life(self) -> None:
        self._interrupt.set()
        if (
            self._board.snapshot.state is State.READY
        ):  # at once, so that whoever asked for it sees it
            self._board.change(state=State.STOPPING, endpoint=None)

    async def close(self, *, alone: bool = False) -> None:
        """Stop, and come back when nothing runs any more.

        `alone`: Jupyter was killed. Then it is at once, and what can go on without it is left so.
        """
        self._closed, self._alone = True, alone
        self.stop()
        if self._life is not None:
            await asyncio.wait([self._life])
        self.log.close()

    async def _live(self) -> None:
        while self._wanted:
            self._interrupt.clear()
            self._given = None
            backend = self._make_backend(self._board.report, self._board.add_line)
            error = await self._run_until_interrupted(backend)
            self._insist = False
            again = False
            if error is not None and not self._interrupt.is_set():
                again = self._is_worth_another(error)
                self._wanted = again
                logger.warning("Label Studio (%s): %s", self._directory.path, error)
                if isinstance(error, _Ended):
                    error = self._restarts.told(error.problem)
            meant = isinstance(error, Paused) and not self._interrupt.is_set()
            kept = error if meant else await self._stop_backend(backend)
            if kept is not None and not self._background:
                kept = await self._keep(backend, error, kept)
            if kept is not None:
                await self._leave(backend)
            if again and error is not None and not self._interrupt.is_set():
                await self._pause(error)
            elif self._wanted:  # by somebody, meanwhile
                self._board.count_restart("asked")
            else:
                shown = self._shown(error, kept)
                if shown is not None and not self._background:
                    self._board.show(self._board.snapshot.failed(shown))
                    return
        self._board.change(
            state=State.STOPPED,
            steps=(),
            progress=None,
            started_at=None,
            error=None,
            next_start=None,
        )
        logger.info("Label Studio (%s) is stopped", self._directory.path)

    def _shown(self, error: Problem | None, kept: Problem | None) -> Problem | None:
        """What is shown at the end, where no other start is wanted."""
        if self._given is not None and kept is None:
            return self._given
        return kept if self._interrupt.is_set() else error or kept

    def _is_worth_another(self, error: Problem | None) -> bool:
        """Whether to start again what ended with `error`: a few times, unless that is in vain."""
        if not isinstance(error, _Ended) or isinstance(error.problem, NoRestart):
            return False
        was_ready = self._board.snapshot.state is State.READY
        proven = was_ready or bool(self._restarts.ends)
        if not proven and (self._background or isinstance(error.problem, Explained)):
            return False
        self._restarts = self._restarts.ended(time.monotonic(), was_ready=was_ready)
        return not self._restarts.exhausted

    async def _stop_backend(self, backend: Backend) -> Problem | None:
        """Stop it, and let others have the data; why it could not be, if so."""
        self._board.change(state=State.STOPPING, endpoint=None)
        if self._alone:
            await self._leave(backend)
            return None
        try:
            await backend.stop()
        except Problem as problem:
            logger.warning("Label Studio (%s): %s", self._directory.path, problem)
            return problem
        except Exception as error:  # whoever waits for the end must not wait for ever
            logger.exception("Label Studio (%s) could not be stopped", self._directory.path)
            return unexpected("Label Studio could not be stopped.", error)
        await asyncio.to_thread(self._lock.release)
        return None

    async def _leave(self, backend: Backend) -> None:
        try:
            goes_on = await backend.detach()
        except Exception:  # whatever it is, the gateway is to end, or the next start to begin
            logger.exception("Label Studio (%s) could not be left", self._directory.path)
            return
        if not goes_on:
            await asyncio.to_thread(self._lock.release)

    async def _keep(self, backend: Backend, error: Problem | None, kept: Problem) -> Problem | None:
        """Show why Label Studio goes on having the data, until something else is wanted.

        Gives None once it has been stopped.
        """
        still: Problem | None = kept
        while still is not None and not (self._wanted or self._closed):
            self._given = None
            self._board.show(self._board.snapshot.failed(self._shown(error, still) or still))
            self._interrupt.clear()
            await self._interrupt.wait()
            if not self._wanted:
                still = await self._stop_backend(backend)
        return still

    async def _pause(self, error: Problem) -> None:
        """Show the error until it is time for the next start, or somebody wants something."""
        pause = self._restarts.pause
        self._board.add_line(f"labelstudio-proxy: {error.what} It is started again in {pause:g} s.")
        self._board.show(self._board.snapshot.failed(error, next_start=time.time() + pause))
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._interrupt.wait(), pause)
        if self._wanted:
            self._board.count_restart("ended")

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
            return unexpected("Label Studio could not be run.", error)
        finally:
            interrupt.cancel()
            await cancel_and_wait(run)
        return None

    async def _run(self, backend: Backend) -> None:
        """One life of Label Studio: raises Problem at its end, for it never ends by itself."""
        now = time.time()
        steps = tuple(Step(*step) for step in (("data", "Open the data directory"), *backend.steps))
        self._board.change(
            state=State.PREPARING,
            steps=steps,
            progress=None,
            backend=backend.name,
            started_at=now,
            ready_after=None,
            error=None,
            stopped_because="",
            next_start=None,
            notices=(),
        )
        logger.info("Label Studio (%s) is starting", self._directory.path)
        self._board.report("data")
        said_before = self.log.last
        if self._problems:
            raise self._problems[0]
        await asyncio.to_thread(self._directory.prepare)
        self._board.note(await asyncio.to_thread(warning_about, self._directory.path))
        await self._have_alone()
        external = self._external_database
        owner = await asyncio.to_thread(
            new_owner, self._directory, self._owner_email, external_database=external
        )
        await backend.prepare()
        self._board.note(await remove_recorded(self._directory, keep_engine=backend.engine_url))
        if not external:
            self._board.note(
                await prepare_database(backend, self._directory, self._board.report_backup)
            )
        self._board.change(
            state=State.STARTING,
            versions={**self._board.snapshot.versions, **backend.versions},
            build=backend.build,
        )
        endpoint = await backend.launch(owner, background=self._background)
        ended = asyncio.create_task(backend.wait())
        try:
            await first_answer(endpoint, ended, self._start_timeout)
            if not ended.done():
                if not external:
                    await note_database(backend, self._directory)
                self._board.show(self._board.snapshot.ready(endpoint))
                after = self._board.snapshot.ready_after
                logger.info("Label Studio (%s) is ready after %.1f s", self._directory.path, after)
                self._background = False
                await backend.on_first_response()
            how = await ended
        finally:
            ended.cancel()
        last_words = [line for _, line in self.log.since(said_before)][-EXPLAIN_LINES:]
        raise _Ended(backend.explain(how, last_words))

    async def _have_alone(self) -> None:
        """See that nobody else uses the data directory; raises Problem."""
        loop = asyncio.get_running_loop()

        def requested(by: Holder) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._give, by)

        self._lock.on_request = requested
        await self._lock.take(
            lambda detail: self._board.report("data", detail=detail), lambda: self._insist
        )
        self._board.report("data", detail="looking for other Label Studios")
        await foreign_processes.ensure_none(self._directory.path)
        self._board.report("data", detail="")

    def _give(self, by: Holder) -> None:
        """Stop, since another server asks for the data directory."""
        if self._wanted or self._board.snapshot.state is State.FAILED:
            self._given = handed_over(self._directory.path, by)
            self.stop()
