"""The state machine, over real processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.gateway import ECHO, add_account, script
from support.processes import pids_that_mention

from labelstudio_proxy import supervisor as module
from labelstudio_proxy.backends import process
from labelstudio_proxy.backends.environment import labelstudio_environment
from labelstudio_proxy.backends.process import ProcessBackend
from labelstudio_proxy.datadir import DataDirectory
from labelstudio_proxy.logbook import LogBook
from labelstudio_proxy.problem import Problem
from labelstudio_proxy.supervisor import State, Supervisor


class Life:
    """A supervisor whose Label Studio is a script."""

    def __init__(self, data_dir: Path, *lines: str, problems: list[Problem] | None = None) -> None:
        self.data_dir = data_dir
        self.executable = script(data_dir.parent / "label-studio", *lines)
        environment = labelstudio_environment(
            os.environ, data_dir=data_dir, files_root=None, extra={}
        )
        self.supervisor = Supervisor(
            make_backend=lambda report, log: ProcessBackend(
                report, log, label_studio=str(self.executable), environment=environment
            ),
            directory=DataDirectory(data_dir),
            log=LogBook(data_dir.parent / "log"),
            owner_email="ada@localhost",
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


async def test_one_that_dies_after_it_has_proven_itself_is_started_again(
    lives: list[Life], data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROVEN_SECONDS", 0.0)
    add_account(data_dir, "ada@localhost")
    life = Life(data_dir, f'exec {sys.executable} {ECHO} "$@"')
    lives.append(life)
    life.supervisor.start()
    await life.until(State.READY)
    (killed,) = life.processes()
    os.kill(killed, signal.SIGKILL)
    while life.supervisor.snapshot.restarts == 0:
        await life.supervisor.changed(1)
    await life.until(State.READY, State.FAILED)
    assert life.supervisor.snapshot.state is State.READY
    assert life.processes() != [killed]


async def test_one_that_ignores_sigterm_is_ended_all_the_same(
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


async def test_a_stop_that_a_library_forgets_is_asked_for_again(
    lives: list[Life], data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CANCEL_SECONDS", 0.2)
    wait = ProcessBackend.wait

    async def forgetful(self: ProcessBackend) -> str:
        with contextlib.suppress(asyncio.CancelledError):
            return await wait(self)
        return await wait(self)

    monkeypatch.setattr(ProcessBackend, "wait", forgetful)
    add_account(data_dir, "ada@localhost")
    life = Life(data_dir, f'exec {sys.executable} {ECHO} "$@"')
    lives.append(life)
    life.supervisor.start()
    await life.until(State.READY)
    life.supervisor.stop()
    await asyncio.wait_for(life.until(State.STOPPED), 20)


async def test_an_earlier_life_does_not_explain_a_later_end(
    lives: list[Life], data_dir: Path
) -> None:
    life = Life(data_dir, "echo 'No space left on device'", "exit 1")
    lives.append(life)
    life.supervisor.start()
    await life.until(State.FAILED)
    error = life.supervisor.snapshot.error
    assert error is not None
    assert "disk" in error.why
    script(life.executable, "echo 'something else'", "exit 1")
    life.supervisor.start()
    await life.until(State.FAILED)
    error = life.supervisor.snapshot.error
    assert error is not None
    assert "something else" in error.why


async def test_a_wrong_setting_fails_every_start_before_anything_is_touched(
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
    assert life.files() == ["label-studio"]


async def test_an_owner_is_made_at_the_first_start_only(lives: list[Life], data_dir: Path) -> None:
    show = 'echo "owner: $LABEL_STUDIO_USERNAME ${LABEL_STUDIO_PASSWORD:+with a password}"'
    first = Life(data_dir, show, "exit 1")
    lives.append(first)
    first.supervisor.start()
    await first.until(State.FAILED)
    assert first.supervisor.log.tail(1) == ["owner: ada@localhost with a password"]
    add_account(data_dir, "somebody@else")
    first.supervisor.start()
    await first.until(State.FAILED)
    assert first.supervisor.log.tail(1) == ["owner:  "]
