"""Many starts and stops leave nothing behind: no memory, files, processes or connections."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.gateway import PROGRAM, Gateway, add_account
from support.processes import pids_that_mention, wait_for

CYCLES = 50
SETTLED = 20  # cycles, after which nothing may grow
# asyncio's pool starts its threads one by one, up to its limit.
ALLOWED = {"resident kB": 1024, "threads": (os.cpu_count() or 1) + 4}


@pytest.fixture
def gateway(data_dir: Path) -> Iterator[Gateway]:
    add_account(data_dir, "ada@localhost")
    made = Gateway(data_dir)
    yield made
    made.stop()


def count(folder: Path) -> int:
    return len(list(folder.iterdir()))


def held(gateway: Gateway) -> dict[str, int]:
    """Return the resources of the gateway while Label Studio does not run."""
    proc = Path("/proc", str(gateway.process.pid))
    status = (proc / "status").read_text()
    return {
        "descriptors": count(proc / "fd"),
        "threads": count(proc / "task"),
        "processes": len(pids_that_mention(gateway.home)),
        "files": sum(len(files) for _, _, files in os.walk(gateway.home / "tmp")),
        "folders": sum(len(folders) for _, folders, _ in os.walk(gateway.home / "tmp")),
        "beside": count(gateway.data_dir),
        "resident kB": int(re.findall(r"VmRSS:\s+(\d+)", status)[0]),
    }


def test_fifty_starts_and_stops_leave_nothing(gateway: Gateway) -> None:
    before: dict[str, int] = {}
    for cycle in range(CYCLES):
        gateway.start()
        assert gateway.ask("GET", "/api/projects", [PROGRAM]).status == 200
        gateway.stop_label_studio()
        if cycle == SETTLED:
            before = held(gateway)
    # Closed connections are released a little later.
    wait_for(
        lambda: all(
            now <= before[what] + ALLOWED.get(what, 0) for what, now in held(gateway).items()
        ),
        what=lambda: f"no growth: {before} became {held(gateway)}",
        timeout=10,
    )
