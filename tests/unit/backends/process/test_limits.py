"""The limits of a Label Studio that runs as a process."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from support.gateway import RUN_ECHO, stand_in

from labelstudio_proxy.backends.process.backend import ProcessBackend
from labelstudio_proxy.backends.process.limits import Limits
from labelstudio_proxy.installation.folder import InstallFolder

GIGABYTE = 2**30
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process")


@pytest.mark.parametrize(
    ("text", "size"),
    [("", 0), ("1000", 1000), ("5b", 5), ("3K", 3072), ("2m", 2**21), ("4g", 4 * GIGABYTE)],
)
def test_memory_is_read_as_an_engine_reads_it(text: str, size: int) -> None:
    assert Limits.of_settings(text, 0.0) == Limits(memory=size)


def test_without_a_limit_there_is_none() -> None:
    assert not Limits.of_settings("", 0.0)
    assert Limits.of_settings("", 1.5)
    assert Limits.of_settings("1g", 0.0)


@needs_linux
def test_a_process_that_needs_more_memory_fails() -> None:
    code = "input(); x = bytearray(200 * 2**20)"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert Limits(memory=100 * 2**20).apply(process.pid) == (True, 0)
        _, printed = process.communicate(b"\n")
    assert b"MemoryError" in printed


@needs_linux
def test_a_process_runs_on_so_many_processors() -> None:
    code = "import os, threading; input(); print(len(os.sched_getaffinity(0)))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert Limits(processors=0.5).apply(process.pid) == (False, 1)
        printed, _ = process.communicate(b"\n")
    assert printed == b"1\n"


def test_a_system_without_limits_says_so() -> None:
    limits = Limits(memory=GIGABYTE, processors=1.5)
    assert limits.notice(memory=False, processors=0, by="limits of the process") == (
        "This system cannot limit a process to 1,024 MB of memory and 1.5 processors."
    )
    # a process that is gone
    assert limits.apply(2**22 + 1) == (False, 0)


@needs_linux
async def test_label_studio_is_limited_and_the_page_says_so(tmp_path: Path) -> None:
    limits = Limits(memory=2 * GIGABYTE, processors=1)
    environment = {"LABEL_STUDIO_BASE_DATA_DIR": str(tmp_path), "PATH": os.environ["PATH"]}
    backend = ProcessBackend(
        lambda *_, **__: None,
        lambda line: None,
        label_studio=str(stand_in(tmp_path / "echo", RUN_ECHO)),
        install_folder=InstallFolder(tmp_path / "none"),
        can_install=False,
        environment=environment,
        limits=limits,
    )
    await backend.prepare()
    await backend.launch(None, background=False)
    try:
        (notice,) = backend.notices
        assert "at most 2,048 MB of memory and 1 processor," in notice
        process = backend._process
        assert process is not None
        if "limits of the process" in notice:
            found = psutil.Process(process.pid)
            assert found.rlimit(psutil.RLIMIT_DATA) == (2 * GIGABYTE, 2 * GIGABYTE)
            assert len(found.cpu_affinity()) == 1
    finally:
        await backend.stop()


@pytest.mark.skipif(shutil.which("systemd-run") is None, reason="there is no systemd-run")
async def test_a_scope_of_systemd_is_used_where_it_holds_what_it_promises() -> None:
    limits = Limits(memory=GIGABYTE, processors=1.5)
    show = 'cat "/sys/fs/cgroup$(cut -d: -f3- /proc/self/cgroup)"/{memory,cpu}.max'
    process = await asyncio.create_subprocess_exec(
        *(*limits.scope, "bash", "-c", show),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    holds = printed.split() == [b"1073741824", b"150000", b"100000"]
    assert await limits.works_as_scope() == holds


async def test_a_systemd_that_does_not_respond_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `systemd-run` outside of a session fails; one whose limits do not hold is not trusted."""
    program = tmp_path / "systemd-run"
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for script in ("exit 1", "echo max", "echo 100; echo max 100000"):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        assert not await Limits(memory=100, processors=1).works_as_scope()
    began = time.monotonic()
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr("labelstudio_proxy.backends.process.limits.PROBE_SECONDS", 0.1)
    assert not await Limits(memory=100).works_as_scope()
    assert time.monotonic() - began < 30
