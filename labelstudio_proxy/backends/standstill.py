"""Whether a program stands still (stopped by a signal, say), which no answer of its own can tell.

A busy one, and one that waits for a disk or another server, is run by the kernel now and then:
Label Studio's server looks at its sockets each second. One that stands still is not. The kernel
counts it: proc(5), `voluntary_ctxt_switches`. Linux only: elsewhere nothing is ever found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..problem import Problem

# Between two looks; the machine may be short of memory, so one look without a change is nothing.
LOOK_SECONDS = 5.0
LOOKS = 4
STANDING_STILL = "standing still"  # how Label Studio ended, for `Backend.wait`
_SWITCHES = re.compile(rb"voluntary_ctxt_switches:\s+(\d+)")


def explain_standstill() -> Problem:
    """The Problem for a Label Studio that stands still."""
    return Problem(
        "Label Studio does not go on.",
        f"For {LOOK_SECONDS * LOOKS:g} seconds none of it has run: somebody may have stopped it "
        "(`kill -STOP`).",
        "Try again.",
    )


class Standstill:
    """Looks at a program and those of its children that have `word` in their command lines."""

    def __init__(self, pid: int, word: bytes, *, itself: bool = True) -> None:
        """`itself`: whether the program with this pid is to be looked at, too."""
        self._pid = pid
        self._itself = itself
        self._word = word
        self._seen: dict[int, tuple[int, int]] = {}  # by pid: switches, looks without a change

    def look(self) -> bool:
        """Whether one of them has stood still for LOOKS looks; reads files of /proc."""
        seen: dict[int, tuple[int, int]] = {}
        for pid in (*[self._pid] * self._itself, *self._children()):
            switches = _switches(pid)
            before, looks = self._seen.get(pid, (-1, 0))
            seen[pid] = switches, looks + 1 if switches == before else 0
        self._seen = seen
        return any(looks >= LOOKS for switches, looks in seen.values() if switches)

    def _children(self) -> Iterator[int]:
        for thread in _threads(self._pid):
            try:
                pids = (thread / "children").read_text().split()
            except OSError:  # ended, or a kernel without this file
                continue
            for pid in pids:
                try:
                    command = Path("/proc", pid, "cmdline").read_bytes()
                except OSError:
                    continue
                if self._word in command.split(b"\0"):
                    yield int(pid)


def _switches(pid: int) -> int:
    """How often the kernel has taken the processor from its threads, or been given it; 0: gone."""
    total = 0
    for thread in _threads(pid):
        try:
            status = (thread / "status").read_bytes()
        except OSError:
            continue
        total += sum(map(int, _SWITCHES.findall(status)))
    return total


def _threads(pid: int) -> list[Path]:
    return list(Path("/proc", str(pid), "task").glob("*"))
