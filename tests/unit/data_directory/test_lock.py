"""Who has a data directory: which records count, and which are of nobody any more.

Another machine is this process by another name: what tells machines apart is replaced, and so are
the kernel's locks where two of them do not share any.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from labelstudio_proxy.data_directory import lock as directory_lock
from labelstudio_proxy.data_directory import process_identity
from labelstudio_proxy.data_directory.directory import OURS
from labelstudio_proxy.data_directory.lock import DirectoryLock
from labelstudio_proxy.data_directory.lock_problems import TAKE_OVER, InUse
from labelstudio_proxy.data_directory.lock_record import RECORD, Holder, Records
from labelstudio_proxy.data_directory.process_identity import Process, this_process

pytestmark = pytest.mark.timeout(60)

HERE = this_process()
NODE = replace(HERE, host="node-seven", boot="another boot id", pid=4711, began="1")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {
        "WAIT_SECONDS": 0.5,
        "PATIENCE_SECONDS": 1.5,
        "HANDOVER_SECONDS": 1.5,
        "POLL_SECONDS": 0.02,
        "LOOK_SECONDS": 0.05,
        "BEAT_SECONDS": 0.2,
        "SETTLE_SECONDS": 0.3,
    }.items():
        monkeypatch.setattr(directory_lock, name, seconds)
    monkeypatch.setattr(directory_lock, "is_local", lambda _: True)


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Process], None]:
    """Be another process, perhaps of another machine, from now on."""
    return lambda process: monkeypatch.setattr(process_identity, "this_process", lambda: process)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory is on a network file system without locks."""

    def flock(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(directory_lock, "is_local", lambda _: False)


@pytest.fixture
def local_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory is on a network file system whose locks are each machine's own."""
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    monkeypatch.setattr(directory_lock, "is_local", lambda _: False)


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[Callable[..., DirectoryLock]]:
    with contextlib.ExitStack() as stack:

        def make(server: str = "here") -> DirectoryLock:
            made = DirectoryLock(tmp_path, server)
            stack.callback(made.release)
            return made

        yield make


def record(path: Path) -> Path:
    return path / OURS / RECORD


def leave(path: Path, process: Process, **changes: Any) -> None:
    """A record of a holder."""
    record(path).parent.mkdir(exist_ok=True)
    holder = Holder("left", "the Jupyter server at /there/", "", 1.0, process)
    record(path).write_text(json.dumps(asdict(holder) | changes))


def noted(path: Path) -> str:
    """Who the record says has it."""
    found = Records(path / OURS).read()
    return found[0].server if found else ""


async def take(lock: DirectoryLock, *, insist: bool = False) -> list[str]:
    said: list[str] = []
    await lock.take(said.append, lambda: insist)
    return said


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - of files and threads
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def beating(path: Path) -> AsyncIterator[None]:
    """The holder on another machine goes on giving marks of life, by a clock that is wrong."""

    async def beat() -> None:
        moment = 1
        while True:
            with contextlib.suppress(FileNotFoundError):
                os.utime(record(path), (moment, moment))
            moment += 1
            await asyncio.sleep(0.1)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()


def dead() -> Process:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    return replace(HERE, pid=ended.pid)


# ---- what blocks nobody

LEFT: dict[str, Callable[[], Process]] = {
    "a dead process": dead,
    "a process id that is another's now": lambda: replace(HERE, began="1"),
    "before a reboot": lambda: replace(HERE, boot="another boot id", pid=1),
    "a container that has gone": lambda: replace(HERE, host="a1b2c3", pids="pid:[1]", pid=7),
    "one whose lock has gone": lambda: replace(HERE, pid=os.getppid(), began=_parents_begin()),
}


def _parents_begin() -> str:
    return process_identity.began(os.getppid())


@pytest.mark.parametrize("process", LEFT.values(), ids=LEFT)
async def test_what_was_left_behind_does_not_block(
    lock: Callable[..., DirectoryLock], tmp_path: Path, process: Callable[[], Process]
) -> None:
    leave(tmp_path, process())
    assert await take(lock()) == []
    assert noted(tmp_path) == "here"


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("process", list(LEFT.values())[:2], ids=list(LEFT)[:2])
async def test_nor_where_there_are_no_locks(
    lock: Callable[..., DirectoryLock], tmp_path: Path, process: Callable[[], Process]
) -> None:
    leave(tmp_path, process())
    assert await take(lock()) == []
    assert noted(tmp_path) == "here"


@pytest.mark.parametrize("kind", ["garbage", "large", "fifo", "link", "folder"])
async def test_what_is_no_record_does_not_block(
    lock: Callable[..., DirectoryLock], tmp_path: Path, kind: str
) -> None:
    path = record(tmp_path)
    path.parent.mkdir()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_text("{" * (10 if kind == "garbage" else 10_000_000))
    assert await take(lock()) == []
    assert noted(tmp_path) == "here"


@pytest.mark.parametrize("locks", ["network", "local_locks"])
@pytest.mark.parametrize("moment", [1.0, 4e9], ids=["long ago", "in the future"])
async def test_another_machine_that_gives_no_mark_of_life_does_not_block(
    lock: Callable[..., DirectoryLock],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    locks: str,
    moment: float,
) -> None:
    """Whatever the time of its last one: no clocks are compared."""
    request.getfixturevalue(locks)
    leave(tmp_path, NODE)
    os.utime(record(tmp_path), (moment, moment))
    loop = asyncio.get_running_loop()
    began = loop.time()
    said = await take(lock())
    assert loop.time() - began >= 1.5
    assert "the host node-seven still runs" in said[0]
    assert noted(tmp_path) == "here"


# ---- what does


@pytest.mark.parametrize("locks", ["network", "local_locks"])
async def test_another_machine_that_gives_marks_of_life_has_it(
    lock: Callable[..., DirectoryLock],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    locks: str,
) -> None:
    request.getfixturevalue(locks)
    leave(tmp_path, NODE, address="https://hub.example/there/labelstudio/")
    async with beating(tmp_path):
        with pytest.raises(InUse) as refused:
            await take(lock())
    shown = refused.value.details_as_json()["holder"]
    assert (shown["host"], shown["server"]) == ("node-seven", "the Jupyter server at /there/")
    assert (shown["since"], shown["action"]) == (1.0, TAKE_OVER)
    assert shown["address"] in refused.value.remedy
    assert "node-seven" in refused.value.what
    assert noted(tmp_path) == "the Jupyter server at /there/"


@pytest.mark.usefixtures("network")
async def test_a_process_of_this_machine_that_runs_has_it_without_locks(
    lock: Callable[..., DirectoryLock], tmp_path: Path
) -> None:
    leave(tmp_path, LEFT["one whose lock has gone"]())
    with pytest.raises(InUse):
        await take(lock())


async def test_a_lock_without_a_word_is_respected(
    lock: Callable[..., DirectoryLock], tmp_path: Path
) -> None:
    """A restore's, say. And the record of one that has crashed before is not taken for its."""
    leave(tmp_path, dead())
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(InUse) as refused:
            await take(lock(), insist=True)
    finally:
        os.close(descriptor)
    assert refused.value.what == f"The data directory {tmp_path} is in use."
    assert refused.value.action == ""


# ---- the record of one that has it


async def test_it_says_who_has_it_and_goes_with_the_hold(
    lock: Callable[..., DirectoryLock], tmp_path: Path
) -> None:
    made = lock("the Jupyter server at /user/ada/")
    made.address = "https://hub.example/user/ada/labelstudio/"
    await take(made)
    told = json.loads(record(tmp_path).read_text())
    assert told["server"] == "the Jupyter server at /user/ada/"
    assert told["address"] == made.address
    assert told["process"] == asdict(HERE)
    assert record(tmp_path).stat().st_mode & 0o777 == 0o600
    made.release()
    assert not list((tmp_path / OURS).iterdir())
    assert await take(made) == []


async def test_it_gives_marks_of_life_and_comes_back_if_it_is_removed(
    lock: Callable[..., DirectoryLock], tmp_path: Path
) -> None:
    made = lock()
    await take(made)
    for _ in range(2):
        before = record(tmp_path).stat().st_mtime_ns
        # B023: the condition is not used after this round of the loop
        await until(lambda: record(tmp_path).stat().st_mtime_ns != before)  # noqa: B023
    record(tmp_path).unlink()
    await until(lambda: noted(tmp_path) == "here")
    record(tmp_path).write_text("garbage")
    await until(lambda: noted(tmp_path) == "here")


async def test_it_learns_where_the_server_is_found(
    lock: Callable[..., DirectoryLock], tmp_path: Path
) -> None:
    made = lock()
    await take(made)
    made.address = "http://127.0.0.1:8888/labelstudio/"
    await until(lambda: made.address in record(tmp_path).read_text())


async def test_where_it_cannot_be_written_the_lock_does_alone(
    lock: Callable[..., DirectoryLock], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / OURS).write_text("a file in the folder's place")
    made = lock()
    assert await take(made) == []
    assert "cannot note who has it" in caplog.text
    with pytest.raises(InUse):
        await take(lock())
    made.release()
    assert await take(lock()) == []


async def test_where_the_disk_is_full_the_lock_does_alone(
    lock: Callable[..., DirectoryLock], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert await take(lock()) == []
    assert not list((tmp_path / OURS).iterdir())


# ---- handing it over


@pytest.mark.usefixtures("network")
async def test_the_holder_on_another_machine_is_asked_and_lets_go(
    lock: Callable[..., DirectoryLock], tmp_path: Path, on: Callable[[Process], None]
) -> None:
    there, here = lock("there"), lock("here")
    asked: list[Holder] = []

    def let_go(by: Holder) -> None:
        asked.append(by)
        there.release()

    there.lost = let_go
    on(NODE)
    await take(there)
    on(HERE)
    said = await take(here, insist=True)
    assert "for there on the host node-seven to stop Label Studio" in said[0]
    assert [by.server for by in asked] == ["here"]
    assert asked[0].process == HERE
    assert noted(tmp_path) == "here"


async def test_who_has_let_a_request_pass_hears_the_next_one(
    lock: Callable[..., DirectoryLock],
) -> None:
    there, here = lock("there"), lock("here")
    asked: list[Holder] = []
    there.lost = asked.append
    await take(there)
    for _ in range(2):
        with pytest.raises(InUse):
            await take(here, insist=True)
    assert len({by.key for by in asked}) == len(asked) == 2


async def test_one_that_does_not_let_go_is_told_of(
    lock: Callable[..., DirectoryLock],
) -> None:
    there, here = lock("there"), lock("here")
    await take(there)
    with pytest.raises(InUse) as refused:
        await take(here, insist=True)
    assert "has not within 1.5 seconds" in refused.value.why
    assert f"kill -CONT {HERE.pid}" in refused.value.remedy


@pytest.mark.usefixtures("network")
async def test_one_that_lives_on_another_machine_is_not_robbed(
    lock: Callable[..., DirectoryLock], tmp_path: Path
) -> None:
    leave(tmp_path, NODE)
    async with beating(tmp_path):
        with pytest.raises(InUse) as refused:
            await take(lock(), insist=True)
    assert "kill" not in refused.value.remedy
    assert "End that Jupyter server on node-seven" in refused.value.remedy


@pytest.mark.usefixtures("network")
async def test_one_that_was_believed_dead_learns_that_it_has_lost_it(
    lock: Callable[..., DirectoryLock], tmp_path: Path
) -> None:
    asleep = lock("asleep")
    lost: list[Holder] = []
    asleep.lost = lost.append
    await take(asleep)
    leave(tmp_path, NODE, server="awake")
    await until(lambda: lost)
    assert [by.server for by in lost] == ["awake"]
    asleep.release()
    assert noted(tmp_path) == "awake"


@pytest.mark.usefixtures("network")
async def test_of_two_that_clear_one_record_away_one_has_it(
    lock: Callable[..., DirectoryLock], tmp_path: Path
) -> None:
    """The slower one puts its record in the place of the quicker one's."""
    leave(tmp_path, NODE)
    taking = asyncio.create_task(take(lock("quick")))
    await until(lambda: noted(tmp_path) == "quick")
    leave(tmp_path, NODE, server="slow", key="slow")
    async with beating(tmp_path):
        with pytest.raises(InUse) as refused:
            await taking
    assert refused.value.holder.server == "slow"
    assert noted(tmp_path) == "slow"


async def test_many_that_take_it_at_once_are_one_at_a_time(
    lock: Callable[..., DirectoryLock], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without locks, by their records alone; each is another process."""
    monkeypatch.setattr(fcntl, "flock", _refuse)
    locks = [lock(str(number)) for number in range(8)]
    numbers = iter(range(10_000))
    # Each look is by another process of this machine, all of which run.
    monkeypatch.setattr(
        process_identity, "this_process", lambda: replace(HERE, host=str(next(numbers)))
    )
    tasks = [asyncio.create_task(take(each)) for each in locks]
    done, _ = await asyncio.wait(tasks)
    assert len([task for task in done if task.exception() is None]) == 1


def _refuse(*_: Any) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


async def test_a_cancelled_take_leaves_nothing(
    lock: Callable[..., DirectoryLock], tmp_path: Path
) -> None:
    first, second = lock("first"), lock("second")
    await take(first)
    taking = asyncio.create_task(take(second))
    await asyncio.sleep(0)
    taking.cancel()
    await asyncio.wait([taking])
    await asyncio.to_thread(second.release)
    first.release()
    assert await take(lock("third")) == []
    assert noted(tmp_path) == "third"
