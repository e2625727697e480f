"""The processor time of each process during some work. It explains a throughput."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from .results import Table

TICKS = os.sysconf("SC_CLK_TCK")


def used(pid: int) -> tuple[float, float]:
    """Return the seconds of processor time of a process: in user mode and in the kernel (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def profile(key: str, title: str, pids: Mapping[str, int], work: Callable[[], object]) -> Table:
    """Do `work`, and return a table of the processor time of the processes in `pids`."""
    before = {name: used(pid) for name, pid in pids.items()}
    work()
    lines = []
    for name, pid in pids.items():
        own, kernel = (now - then for now, then in zip(used(pid), before[name], strict=True))
        lines.append((name, f"{own:.2f} s", f"{kernel:.2f} s"))
    return Table(key, title, ("processor time of", "own code", "kernel"), tuple(lines))
