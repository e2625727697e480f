"""Label Studio processes that no gateway manages: how they are recognised, named and ended."""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from labelstudio_proxy.data_directory.foreign_processes import (
    PARENT,
    data_dir_of,
    ensure_none,
    find_foreign_processes,
    is_label_studio,
    started_by,
)
from labelstudio_proxy.problem import Problem


@pytest.mark.parametrize(
    "command",
    [
        "label-studio start",
        "/opt/ls/bin/python3.11 /opt/ls/bin/label-studio start --port 8080",
        "/opt/ls/bin/python /opt/ls/bin/label-studio",
        "python -u -m label_studio.server start",
        "python3 -m label_studio",
        "python /src/label_studio/manage.py runserver",
        "python /opt/bin/gunicorn -w 1 label_studio.core.wsgi:application",
        "'gunicorn: master [label_studio.core.wsgi:application]'",
        "uwsgi --module label_studio.core.wsgi",
        "/opt/ls/bin/python /x/labelstudio_proxy/label_studio/programs/labelstudio_server.py serve /s",
    ],
)
def test_command_that_runs_label_studio(command: str) -> None:
    assert is_label_studio(shlex.split(command))


@pytest.mark.parametrize(
    "command",
    [
        "",
        "bash",
        "vim label_studio.sqlite3",
        "sqlite3 /data/label_studio.sqlite3",
        "tail -f label-studio",
        "python -m pip install label-studio",
        "python /usr/bin/pip install label-studio",
        "python -m labelstudio_proxy backup",
        "python -m labelstudio_proxy serve --unix-socket /tmp/gateway.sock",
        "python -c 'import label_studio_sdk'",
        "gunicorn shop.wsgi",
    ],
)
def test_command_that_does_not_run_label_studio(command: str) -> None:
    assert not is_label_studio(shlex.split(command))


@pytest.mark.parametrize(
    ("command", "environment", "expected"),
    [
        ("label-studio start", {"HOME": "/home/ada"}, "/home/ada/.local/share/label-studio"),
        ("label-studio", {"HOME": "/h", "XDG_DATA_HOME": "/d"}, "/d/label-studio"),
        ("label-studio start --data-dir /data", {}, "/data"),
        ("label-studio start --data-dir=data", {}, "data"),
        ("label-studio start --data-dir", {"HOME": "/h"}, "/h/.local/share/label-studio"),
        ("label-studio start", {"BASE_DATA_DIR": "/c", "HEARTEX_BASE_DATA_DIR": "/b"}, "/b"),
        ("label-studio --data-dir /a", {"HEARTEX_BASE_DATA_DIR": "/b"}, "/a"),
        ("label-studio --data-dir /a", {"LABEL_STUDIO_BASE_DATA_DIR": "/e"}, "/e"),
    ],
)
def test_data_directory_is_found_as_label_studio_finds_it(
    command: str, environment: dict[str, str], expected: str
) -> None:
    assert data_dir_of(shlex.split(command), environment) == Path(expected)


# ---- real processes


Start = Callable[..., int]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.mkdir()
    return path


@pytest.fixture
def start(tmp_path: Path, data_dir: Path) -> Iterator[Start]:
    """Start a program with the command line of a Label Studio, as a child of no process here."""
    program = tmp_path / "label-studio"
    program.write_text("import signal; print(flush=True); signal.pause()")
    started: list[int] = []

    def start(data_dir: Path = data_dir, within: tuple[str, ...] = (), **environment: str) -> int:
        command = [*within, sys.executable, str(program), "start", "--data-dir", str(data_dir)]
        in_background = '"$@" & echo $!'
        with subprocess.Popen(
            ["sh", "-c", in_background, "sh", *command],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        ) as shell:
            assert shell.stdout is not None
            # The process id of the shell, and an empty line when the program runs.
            started.append(int(shell.stdout.readline() + shell.stdout.readline()))
        return started[-1]

    yield start
    for pid in started:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def pids(data_dir: Path) -> list[int]:
    return [each.process.pid for each in find_foreign_processes(data_dir)]


def dead_pid() -> str:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return str(process.pid)


async def test_process_started_by_hand_is_named_and_not_ended(start: Start, data_dir: Path) -> None:
    pid = start()
    (found,) = find_foreign_processes(data_dir)
    assert (found.process.pid, found.user, found.leftover) == (pid, getpass.getuser(), False)
    assert "/label-studio start --data-dir" in found.command
    with pytest.raises(Problem) as refused:
        await ensure_none(data_dir)
    assert f"process {pid} of the user {getpass.getuser()} (`" in refused.value.why
    assert f"`kill {pid}`" in refused.value.remedy
    assert pids(data_dir) == [pid]


def test_process_on_another_data_directory_is_not_found(start: Start, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    start()
    pid = start(other)
    assert pids(other) == [pid]


def test_process_in_a_container_is_found(start: Start, data_dir: Path, tmp_path: Path) -> None:
    """The directory has another path there, and a foreign one has the path that it has here."""
    if shutil.which("unshare") is None or os.getuid():
        pytest.skip("only root can mount, and with unshare")
    inside, other = tmp_path / "inside", tmp_path / "other"
    inside.mkdir()
    other.mkdir()
    mount = 'mount --bind "$0" "$1"; shift; exec "$@"'
    container = ("unshare", "--mount", "sh", "-ec", mount)
    pid = start(inside, within=(*container, str(data_dir), str(inside)))
    assert pids(data_dir) == [pid]
    start(data_dir, within=(*container, str(other), str(data_dir)))
    assert pids(data_dir) == [pid]


def test_process_of_a_running_gateway_is_not_found(start: Start, data_dir: Path) -> None:
    start(**{PARENT: str(os.getpid())})
    assert pids(data_dir) == []


def test_child_of_this_gateway_is_not_found(data_dir: Path, tmp_path: Path) -> None:
    program = tmp_path / "label-studio"
    program.write_text("print(flush=True); input()")
    command = [sys.executable, str(program), "--data-dir", str(data_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = pids(data_dir)
        child.communicate(b"\n")
    assert found == []


@pytest.mark.parametrize("suspended", [False, True])
async def test_leftover_of_a_killed_gateway_is_ended(
    start: Start, data_dir: Path, suspended: bool
) -> None:
    pid = start(**{PARENT: dead_pid()})
    if suspended:
        os.kill(pid, signal.SIGSTOP)
    assert [each.leftover for each in find_foreign_processes(data_dir)] == [True]
    await ensure_none(data_dir)
    assert pids(data_dir) == []


def test_gateway_must_be_older_than_the_process_it_started() -> None:
    """Process ids are used again: the one that a leftover names may belong to another program."""
    this = psutil.Process()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        assert started_by(str(os.getpid()), psutil.Process(child.pid))
        assert not started_by(str(child.pid), this)
    assert not started_by(str(child.pid), this)
    assert not started_by("no number", this)


def test_zombie_is_no_running_gateway() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as younger:
            assert not started_by(str(ended.pid), psutil.Process(younger.pid))
