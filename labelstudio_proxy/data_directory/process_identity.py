"""This machine and its processes, as they are told from others: ids of processes are used again."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """One process of one machine. What a system without /proc does not tell is empty."""

    user: str = ""
    host: str = ""
    boot: str = ""  # changes with each start of the machine
    pids: str = ""  # the namespace in which `pid` means this one
    pid: int = 0
    began: str = ""


def this_process() -> Process:
    """The process that asks."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container without an entry for the user
        user = str(os.getuid())
    return Process(
        user=user,
        host=socket.gethostname(),
        boot=_text(PROC / "sys/kernel/random/boot_id"),
        pids=namespace(os.getpid()),
        pid=os.getpid(),
        began=began(os.getpid()),
    )


def runs(process: Process, here: Process) -> bool | None:
    """Whether it runs; None where that cannot be known from `here`."""
    if here.boot and (process.boot, process.pids) == (here.boot, here.pids):
        return began(process.pid) == process.began
    return None


def began(pid: int) -> str:
    """When a process began, in the kernel's ticks since its start; empty where it has ended.

    The 22nd field of proc(5)'s stat.
    """
    fields = _status(pid)
    return fields[19] if len(fields) > 19 and fields[0] not in {"Z", "X"} else ""


def namespace(pid: int) -> str:
    """In which of the machine's namespaces a process has this id."""
    try:
        return str((PROC / str(pid) / "ns/pid").readlink())
    except OSError:
        return ""


def _status(pid: int) -> list[str]:
    """The fields of proc(5)'s stat from the third one on; the second may have spaces."""
    return _text(PROC / str(pid) / "stat").rpartition(")")[2].split()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
