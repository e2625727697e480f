"""The supervisor with real processes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from support.gateway import RUN_ECHO, add_account, stand_in
from support.processes import pids_that_mention

from labelstudio_proxy import aio
from labelstudio_proxy.backends.base import Backend, Report
from labelstudio_proxy.backends.process import backend as process
from labelstudio_proxy.backends.process.backend import ProcessBackend
from labelstudio_proxy.data_directory import upgrade
from labelstudio_proxy.data_directory.directory import DataDirectory
from labelstudio_proxy.installation.folder import InstallFolder
from labelstudio_proxy.label_studio.environment import labelstudio_environment
from labelstudio_proxy.lifecycle import restart_policy
from labelstudio_proxy.lifecycle.log import LabelStudioLog
from labelstudio_proxy.lifecycle.supervisor import Supervisor
from labelstudio_proxy.problem import Problem
from labelstudio_proxy.snapshot import State


class Life:
    """A supervisor whose Label Studio is a script."""

    def __init__(self, data_dir: Path, *lines: str, problems: list[Problem] | None = None) -> None:
        self.data_dir = data_dir
        self.executable = stand_in(data_dir.parent, *lines)
        environment = labelstudio_environment(
            os.environ, data_dir=data_dir, files_root=None, extra={}
        )
        self.supervisor = Supervisor(
            make_backend=lambda report, log: ProcessBackend(
                report,
                log,
                label_studio=str(self.executable),
                install_folder=InstallFolder(data_dir / "none"),
                can_install=False,
                environment=environment,
            ),
            directory=DataDirectory(data_dir),
            log=LabelStudioLog(data_dir.parent / "log"),
            owner_email="ada@localhost",
            owner_name="Ada",
            start_timeout=30,
            problems=problems or [],
        )

    async def until(self, *states: State) -> None:
        while self.supervisor.snapshot.state not in states:
            await self.supervisor.changed(1)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.data_dir.parent.iterdir())

    def processes(self) -> list[int]:
        return pids_that_mention(self.data_dir.parent)


@pytest.fixture
async def lives() -> AsyncIterator[list[Life]]:
    made: list[Life] = []
    yield made
    for life in made:
        await life.supervisor.close()
        assert not life.processes()


async def ready_then_killed(life: Life) -> None:
    await life.until(State.READY)
    for pid in life.processes():
        os.kill(pid, signal.SIGKILL)
    await life.until(State.FAILED)


async def test_label_studio_restarts_after_a_kill(lives: list[Life], data_dir: Path) -> None:
    add_account(data_dir, "ada@localhost")
    life = Life(data_dir, RUN_ECHO)
    lives.append(life)
    life.supervisor.start()
    await ready_then_killed(life)
    shown = life.supervisor.snapshot
    assert shown.error is not None
    assert "SIGKILL" in shown.error.what
    assert shown.next_start is not None
    assert 0 < shown.next_start - time.time() <= 1
    assert not life.processes()
    await life.until(State.READY)
    shown = life.supervisor.snapshot
    assert (shown.restarts, shown.restart_reasons, shown.error) == (1, {"ended": 1}, None)
    assert shown.next_start is None


async def test_a_disk_that_hangs_while_label_studio_is_looked_for_blocks_nothing(
    lives: list[Life], data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_account(data_dir, "ada@localhost")
    life = Life(data_dir, RUN_ECHO)
    lives.append(life)
    make, responds, seen = life.supervisor._make_backend, threading.Event(), []

    def hang(report: Report, log: Callable[[str], None]) -> Backend:
        seen.append(responds.wait(10))
        return make(report, log)

    monkeypatch.setattr(life.supervisor, "_make_backend", hang)
    life.supervisor.start()
    await asyncio.sleep(0)  # the event loop begins the start
    responds.set()
    await life.until(State.READY)
    assert seen == [True]


@pytest.mark.parametrize("last", ["exit 0", "exit 1", "sleep 5; exit 1", "kill -9 $$"])
async def test_first_start_that_fails_is_repeated_after_growing_pauses(
    lives: list[Life], data_dir: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    monkeypatch.setattr(restart_policy, "FIRST_PAUSE_SECONDS", 0.05)
    add_account(data_dir, "ada@localhost")
    starts = data_dir.parent / "starts"
    life = Life(data_dir, f"date +%s.%N >> {starts}", "echo last words", last)
    lives.append(life)
    life.supervisor.start()
    waiting = set()
    while (shown := life.supervisor.snapshot).state is not State.FAILED or shown.next_start:
        waiting.add(shown.next_start)
        await life.supervisor.changed(1)
    assert len(waiting - {None}) == restart_policy.MAX_CRASHES - 1
    assert life.supervisor.snapshot.restart_reasons == {"ended": restart_policy.MAX_CRASHES - 1}
    times = [float(line) for line in starts.read_text().split()]
    assert len(times) == restart_policy.MAX_CRASHES
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert all(pause > 0.05 * 4**number for number, pause in enumerate(pauses))
    assert life.processes() == []


async def test_first_start_that_fails_for_a_known_reason_waits_for_the_user(
    lives: list[Life], data_dir: Path
) -> None:
    add_account(data_dir, "ada@localhost")
    life = Life(data_dir, "echo 'OSError: No space left on device'; exit 1")
    lives.append(life)
    life.supervisor.start()
    await life.until(State.FAILED)
    assert life.supervisor.snapshot.next_start is None


@pytest.mark.parametrize("status", [0, 1])
async def test_after_five_crashes_only_a_user_restarts_it(
    lives: list[Life], data_dir: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(restart_policy, "FIRST_PAUSE_SECONDS", 0.01)
    add_account(data_dir, "ada@localhost")
    starts = data_dir.parent / "starts"
    # Ready once; after that it ends at once.
    life = Life(
        data_dir,
        f"echo >> {starts}",
        f"[ $(wc -l < {starts}) = 1 ] || {{ echo last words; exit {status}; }}",
        RUN_ECHO,
    )
    lives.append(life)
    life.supervisor.start()
    await ready_then_killed(life)
    while life.supervisor.snapshot.next_start is not None or (
        life.supervisor.snapshot.state is not State.FAILED
    ):
        await life.supervisor.changed(1)
    error = life.supervisor.snapshot.error
    assert error is not None
    assert f"exit status {status}" in error.what
    assert "5 times within 10 minutes" in error.why
    assert "last words" in life.supervisor.log.tail(1)
    assert starts.read_text().count("\n") == restart_policy.MAX_CRASHES
    # Try again counts from zero
    life.supervisor.start()
    await life.until(State.FAILED)
    again = life.supervisor.snapshot
    assert again.next_start is not None
    assert again.restart_reasons == {"ended": restart_policy.MAX_CRASHES - 1}


async def test_during_a_pause_a_start_is_immediate_and_a_stop_ends_the_pause(
    lives: list[Life], data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restart_policy, "FIRST_PAUSE_SECONDS", 1000.0)
    monkeypatch.setattr(restart_policy, "LONGEST_PAUSE_SECONDS", 1000.0)
    add_account(data_dir, "ada@localhost")
    life = Life(data_dir, RUN_ECHO)
    lives.append(life)
    life.supervisor.start()
    await ready_then_killed(life)
    life.supervisor.start()
    await ready_then_killed(life)
    life.supervisor.stop()
    await life.until(State.STOPPED)
    shown = life.supervisor.snapshot
    assert (shown.error, shown.next_start) == (None, None)


async def test_process_that_ignores_sigterm_is_killed(
    lives: list[Life], data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STOP_SECONDS", 0.5)
    life = Life(data_dir, "trap '' TERM", "echo deaf", "sleep 1000 &", "while :; do wait; done")
    lives.append(life)
    life.supervisor.start()
    while "deaf" not in life.supervisor.log.tail(1):
        await life.supervisor.changed(1)
    life.supervisor.stop()
    await life.until(State.STOPPED)
    assert not life.processes()


async def test_cancellation_that_a_library_loses_is_repeated(
    lives: list[Life], data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aio, "CANCEL_SECONDS", 0.2)
    wait = ProcessBackend.wait

    async def forgetful(self: ProcessBackend) -> str:
        with contextlib.suppress(asyncio.CancelledError):
            return await wait(self)
        return await wait(self)

    monkeypatch.setattr(ProcessBackend, "wait", forgetful)
    add_account(data_dir, "ada@localhost")
    life = Life(data_dir, RUN_ECHO)
    lives.append(life)
    life.supervisor.start()
    await life.until(State.READY)
    life.supervisor.stop()
    await asyncio.wait_for(life.until(State.STOPPED), 20)


async def test_crash_is_explained_by_the_lines_of_its_own_run(
    lives: list[Life], data_dir: Path
) -> None:
    life = Life(data_dir, "echo 'No space left on device'", "exit 1")
    lives.append(life)
    life.supervisor.start()
    await life.until(State.FAILED)
    error = life.supervisor.snapshot.error
    assert error is not None
    assert "disk" in error.why
    stand_in(life.executable.parent, "echo 'something else'", "exit 1")
    life.supervisor.start()
    await life.until(State.FAILED)
    error = life.supervisor.snapshot.error
    assert error is not None
    assert "something else" in error.why


async def test_wrong_setting_fails_every_start_before_anything_changes(
    lives: list[Life], tmp_path: Path
) -> None:
    data_dir = tmp_path / "sub" / "data"
    data_dir.parent.mkdir()
    life = Life(data_dir, "touch $(dirname $0)/ran", problems=[Problem("wrong", "why", "remedy")])
    lives.append(life)
    life.supervisor.start()
    await life.until(State.FAILED)
    assert life.supervisor.snapshot.error is not None
    assert life.supervisor.snapshot.error.what == "wrong"
    assert life.supervisor.snapshot.steps == ()  # no step has failed
    assert life.files() == ["label-studio", "python"]


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), Problem("wrong", "why", "remedy")]
)
async def test_backend_that_cannot_be_made_fails_the_start_and_not_the_next_one(
    lives: list[Life],
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    background: bool,
) -> None:
    def fail(*_: object) -> ProcessBackend:
        raise error

    add_account(data_dir, "ada@localhost")
    life = Life(data_dir, RUN_ECHO)
    lives.append(life)
    with monkeypatch.context() as patch:
        patch.setattr(life.supervisor, "_make_backend", fail)
        life.supervisor.start(background=background)
        await asyncio.wait_for(life.until(State.STOPPED if background else State.FAILED), 20)
    shown = life.supervisor.snapshot.error
    assert shown is not None
    assert shown is error or "PermissionError: [Errno 13] Permission denied" in shown.why
    life.supervisor.start()
    await life.until(State.READY)


async def test_an_owner_is_made_at_the_first_start_only(lives: list[Life], data_dir: Path) -> None:
    show = 'echo "owner: $LABELSTUDIO_PROXY_OWNER_NAME $LABEL_STUDIO_USERNAME '
    show += '${LABEL_STUDIO_PASSWORD:+with a password}"'
    first = Life(data_dir, show, "exit 1")
    lives.append(first)
    first.supervisor.start()
    await first.until(State.FAILED)
    assert first.supervisor.log.tail(2)[0] == "owner: Ada ada@localhost with a password"
    add_account(data_dir, "bob@localhost")
    first.supervisor.start()
    await first.until(State.FAILED)
    assert first.supervisor.log.tail(2)[0] == "owner:   "


async def test_stop_waits_for_the_preparation_of_the_database(
    lives: list[Life], data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aio, "CANCEL_SECONDS", 0.1)
    begun, go_on, over = threading.Event(), threading.Event(), threading.Event()

    def prepare(*_: object) -> str:
        begun.set()
        go_on.wait(20)
        over.set()
        return ""

    monkeypatch.setattr(upgrade, "prepare", prepare)
    add_account(data_dir, "ada@localhost")
    life = Life(data_dir, RUN_ECHO)
    lives.append(life)
    life.supervisor.start()
    await asyncio.to_thread(begun.wait, 20)
    life.supervisor.stop()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(life.until(State.STOPPED), 5 * aio.CANCEL_SECONDS)
    go_on.set()
    await asyncio.wait_for(life.until(State.STOPPED), 20)
    assert over.is_set()
