"""One server at a time locks a data directory; the record says which, and decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from labelstudio_proxy.data_directory.directory import PROXY_FOLDER
from labelstudio_proxy.data_directory.lock import LOCK, DirectoryLock, check_database_locks
from labelstudio_proxy.data_directory.lock_problems import TAKE_OVER, InUse
from labelstudio_proxy.data_directory.lock_record import RECORD, REQUEST, Holder, LockRecord
from labelstudio_proxy.problem import Problem

pytestmark = pytest.mark.timeout(60)

LEFT = replace(
    Holder.of_this_process("the Jupyter server at /there/", ""), since=1.0, host="node-seven"
)
# Another process that locks the directory until its input ends.
HOLDER = """
import asyncio, sys
from pathlib import Path
from labelstudio_proxy.data_directory.lock import DirectoryLock
asyncio.run(DirectoryLock(Path(sys.argv[1]), "the Jupyter server at /there/").take(print))
print("locked", flush=True)
input()
"""


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[Callable[..., DirectoryLock]]:
    with contextlib.ExitStack() as stack:

        def make(server: str = "here") -> DirectoryLock:
            made = DirectoryLock(tmp_path, server)
            made.wait_seconds, made.handover_seconds = 0.3, 1.0
            made.poll_seconds = made.request_poll_seconds = 0.02
            stack.callback(made.release)
            return made

        yield make


@pytest.fixture
def other_process(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        yield process
        process.kill()


def record(path: Path) -> Path:
    return path / PROXY_FOLDER / RECORD


def leave(path: Path, holder: Holder) -> None:
    """Leave the record of a holder that has crashed."""
    LockRecord(path / PROXY_FOLDER).write(holder)


def recorded(path: Path) -> str:
    return LockRecord(path / PROXY_FOLDER).read().server


async def take(lock: DirectoryLock, *, insist: bool = False) -> list[str]:
    said: list[str] = []
    await lock.take(said.append, lambda: insist)
    return said


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - of files and threads
        await asyncio.sleep(0.01)


# ---- what does not block


async def test_record_without_a_lock_does_not_block(
    lock: Callable[..., DirectoryLock], tmp_path: Path
) -> None:
    leave(tmp_path, LEFT)
    assert await take(lock()) == []
    assert recorded(tmp_path) == "here"


async def test_killed_holder_does_not_block(
    lock: Callable[..., DirectoryLock], tmp_path: Path, other_process: subprocess.Popen[bytes]
) -> None:
    with pytest.raises(InUse):
        await take(lock())
    os.kill(other_process.pid, signal.SIGKILL)
    other_process.wait()
    assert recorded(tmp_path) == "the Jupyter server at /there/"
    assert await take(lock()) == []
    assert recorded(tmp_path) == "here"


@pytest.mark.parametrize("name", [RECORD, REQUEST])
@pytest.mark.parametrize("kind", ["garbage", "large", "fifo", "link", "folder"])
async def test_files_that_are_not_a_record_do_not_block(
    lock: Callable[..., DirectoryLock], tmp_path: Path, name: str, kind: str
) -> None:
    path = tmp_path / PROXY_FOLDER / name
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
    assert recorded(tmp_path) == ("" if kind == "folder" else "here")
    with pytest.raises(InUse):
        await take(lock())


async def test_full_disk_prevents_the_record_and_not_the_lock(
    lock: Callable[..., DirectoryLock],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert await take(lock()) == []
    assert "could not record its lock" in caplog.text
    assert [path.name for path in (tmp_path / PROXY_FOLDER).iterdir()] == [LOCK]
    with pytest.raises(InUse):
        await take(lock())


# ---- what does


async def test_lock_without_a_record_is_respected(
    lock: Callable[..., DirectoryLock], tmp_path: Path
) -> None:
    """A restore locks without a record, and removes the one of a server that has crashed."""
    leave(tmp_path, LEFT)
    restore = DirectoryLock(tmp_path)
    await take(restore)
    with pytest.raises(InUse) as refused:
        await take(lock(), insist=True)
    restore.release()
    assert refused.value.what == f"The data directory {tmp_path} is in use."
    assert refused.value.action == ""


async def test_holder_is_named(lock: Callable[..., DirectoryLock], tmp_path: Path) -> None:
    holder = lock("the Jupyter server at /there/")
    holder.address = "https://hub.example/there/labelstudio/"
    await take(holder)
    with pytest.raises(InUse) as refused:
        await take(lock())
    problem = refused.value
    who = f"the Jupyter server at /there/ on the host {os.uname().nodename}"
    assert problem.what == f"The data directory {tmp_path} is in use by {who}."
    assert problem.why.startswith("Open there since ")
    assert f"Continue there, at {holder.address}. Or press Take over:" in problem.remedy
    shown = problem.details_as_json()["holder"]
    assert (shown["server"], shown["host"]) == (
        "the Jupyter server at /there/",
        os.uname().nodename,
    )
    assert (shown["address"], shown["action"]) == (holder.address, TAKE_OVER)


async def test_one_of_many_simultaneous_attempts_succeeds(
    lock: Callable[..., DirectoryLock],
) -> None:
    tasks = [asyncio.create_task(take(lock(str(number)))) for number in range(8)]
    done, _ = await asyncio.wait(tasks)
    assert len([task for task in done if task.exception() is None]) == 1


NO_LOCKS = [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL]


@pytest.mark.parametrize("number", NO_LOCKS)
async def test_file_system_without_locks_is_refused(
    lock: Callable[..., DirectoryLock],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    def flock(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(Problem) as refused:
        await take(lock())
    assert str(tmp_path) in refused.value.what
    assert "does not support file locks" in refused.value.what
    assert os.strerror(number) in refused.value.why
    assert "Set `data_dir` to a folder on a local disk" in refused.value.remedy


@pytest.mark.parametrize("number", [*NO_LOCKS, errno.EAGAIN])
def test_file_system_that_refuses_the_locks_of_sqlite_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def lockf(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    (tmp_path / "there").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "there" / "database")
    for name, folder in (("database", tmp_path), ("linked", tmp_path / "there")):
        check_database_locks(tmp_path / name)
        with monkeypatch.context() as patch:
            patch.setattr(fcntl, "lockf", lockf)
            with pytest.raises(Problem) as refused:
                check_database_locks(tmp_path / name)
        assert f"{folder} does not support file locks" in refused.value.what
        assert os.strerror(number) in refused.value.why
        assert [each for each in folder.iterdir() if each.is_file()] == []


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
async def test_a_lost_file_server_is_not_taken_for_one_without_locks(
    lock: Callable[..., DirectoryLock],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(fcntl, "lockf", refuse)
    with pytest.raises(Problem, match="could not be locked") as taken:
        await take(lock())
    with pytest.raises(Problem, match="could not be locked") as checked:
        check_database_locks(tmp_path / "database")
    for refused in (taken.value, checked.value):
        assert os.strerror(number) in refused.why
        assert "the connection to its file server" in refused.remedy


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
async def test_lock_that_cannot_be_opened_is_a_problem(
    lock: Callable[..., DirectoryLock], tmp_path: Path, kind: str
) -> None:
    if kind == "file":
        (tmp_path / PROXY_FOLDER).write_text("a file in the folder's place")
    elif kind == "folder":
        (tmp_path / PROXY_FOLDER / LOCK).mkdir(parents=True)
    else:
        (tmp_path / PROXY_FOLDER).mkdir()
        (tmp_path / PROXY_FOLDER / LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Problem, match="could not be locked"):
        await take(lock())
    assert not (tmp_path / "elsewhere").exists()


async def test_lock_waits_for_a_directory_that_is_missing_for_a_moment(
    tmp_path: Path,
) -> None:
    """A restore renames two directories, one after the other."""
    data_dir = tmp_path / "data"
    lock = DirectoryLock(data_dir, "here")
    assert await asyncio.to_thread(lock._try) is not None
    data_dir.mkdir()
    assert await take(lock) == []
    lock.release()


# ---- the record


async def test_record_names_the_holder_and_is_removed_on_release(
    lock: Callable[..., DirectoryLock], tmp_path: Path
) -> None:
    made = lock("the Jupyter server at /user/ada/")
    made.address = "https://hub.example/user/ada/labelstudio/"
    await take(made)
    told = json.loads(record(tmp_path).read_text())
    assert told["server"] == "the Jupyter server at /user/ada/"
    assert told["address"] == made.address
    assert told["pid"] == os.getpid()
    for path in (tmp_path / PROXY_FOLDER).iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    made.release()
    assert [path.name for path in (tmp_path / PROXY_FOLDER).iterdir()] == [LOCK]
    assert await take(made) == []


async def test_record_of_another_holder_is_not_removed(
    lock: Callable[..., DirectoryLock], tmp_path: Path
) -> None:
    """Another directory has been put at this path meanwhile."""
    made = lock()
    await take(made)
    leave(tmp_path, LEFT)
    made.release()
    assert recorded(tmp_path) == LEFT.server


async def test_address_is_recorded_once_it_is_known(
    lock: Callable[..., DirectoryLock], tmp_path: Path
) -> None:
    made = lock()
    await take(made)
    made.address = "http://127.0.0.1:8888/labelstudio/"
    await until(lambda: made.address in record(tmp_path).read_text())


# ---- handing it over


async def test_holder_gets_a_request_and_hands_the_directory_over(
    lock: Callable[..., DirectoryLock], tmp_path: Path
) -> None:
    there, here = lock("there"), lock("here")
    asked: list[Holder] = []

    def hand_over(by: Holder) -> None:
        asked.append(by)
        there.release()

    there.on_request = hand_over
    await take(there)
    said = await take(here, insist=True)
    assert f"for there on the host {os.uname().nodename} to stop Label Studio" in said[0]
    assert [(by.server, by.pid) for by in asked] == [("here", os.getpid())]
    assert recorded(tmp_path) == "here"


async def test_holder_that_ignored_a_request_gets_the_next_one(
    lock: Callable[..., DirectoryLock],
) -> None:
    there, here = lock("there"), lock("here")
    asked: list[Holder] = []
    there.on_request = asked.append
    await take(there)
    for _ in range(2):
        with pytest.raises(InUse):
            await take(here, insist=True)
    assert len({by.key for by in asked}) == len(asked) == 2


async def test_third_server_that_was_faster_is_named(
    lock: Callable[..., DirectoryLock], tmp_path: Path
) -> None:
    there = lock("there")
    third = replace(LEFT, server="the Jupyter server at /third/", pid=LEFT.pid + 1)
    there.on_request = lambda by: LockRecord(tmp_path / PROXY_FOLDER).write(third)
    await take(there)
    with pytest.raises(InUse) as refused:
        await take(lock("here"), insist=True)
    assert "is in use by the Jupyter server at /third/" in refused.value.what


async def test_request_to_an_earlier_holder_is_ignored(
    lock: Callable[..., DirectoryLock], tmp_path: Path
) -> None:
    made = lock()
    asked: list[Holder] = []
    made.on_request = asked.append
    await take(made)
    records = LockRecord(tmp_path / PROXY_FOLDER)
    records.ask("an earlier key", replace(LEFT, key="first"))
    made.address = "http://127.0.0.1/"  # which is recorded at the next look
    await until(lambda: made.address in record(tmp_path).read_text())
    records.ask(records.read().key, replace(LEFT, key="second"))
    await until(lambda: asked)
    assert [by.key for by in asked] == ["second"]


async def test_suspended_holder_is_named_with_the_command_to_resume_it(
    lock: Callable[..., DirectoryLock], other_process: subprocess.Popen[bytes]
) -> None:
    os.kill(other_process.pid, signal.SIGSTOP)
    with pytest.raises(InUse) as refused:
        await take(lock("here"), insist=True)
    assert "did not hand the directory over within 1 seconds" in refused.value.why
    assert f"process {other_process.pid} runs, but may hang or be suspended" in refused.value.why
    assert f"`kill -CONT {other_process.pid}`" in refused.value.remedy


async def test_no_command_is_given_for_a_holder_on_another_host(
    lock: Callable[..., DirectoryLock], tmp_path: Path
) -> None:
    there = lock("there")
    await take(there)
    record(tmp_path).write_text(json.dumps(asdict(LEFT)))
    with pytest.raises(InUse) as refused:
        await take(lock(), insist=True)
    assert "kill" not in refused.value.remedy
    assert "Stop that Jupyter server on node-seven" in refused.value.remedy


async def test_cancelled_attempt_leaves_no_lock(
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
    assert recorded(tmp_path) == "third"
