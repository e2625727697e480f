"""Label Studios on a data directory that no gateway of ours looks after, on this machine (Linux).

They are told by command line and environment: Label Studio opens its database for moments only.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..problem import Problem
from .process_identity import PROC, began, descends, namespace

# What labelstudio-proxy gives its own: the gateway's process id, or what a container's has.
PARENT = "LABELSTUDIO_PROXY_PARENT"
CONTAINER = ("DJANGO_SETTINGS_MODULE", "labelstudio_settings")
# What a killed gateway has left ends by itself, and may take 25 s for requests under way.
END_SECONDS = 30.0
POLL_SECONDS = 0.2
SHOWN_CHARACTERS = 200
INTERPRETERS = ("python", "pypy")
SERVERS = ("gunicorn", "uwsgi")


@dataclass(frozen=True)
class Other:
    """A process that uses the data directory; `left`: a killed gateway of ours has started it."""

    pid: int
    began: str
    user: str
    command: str
    left: bool


def find_others(data_dir: Path) -> list[Other]:
    """Those on `data_dir`, of any user and in any container that may be looked into. It blocks."""
    found = []
    for process in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or may not be looked into
            command = _words((process / "cmdline").read_bytes())
            if not is_label_studio(command):
                continue
            pid, moment = int(process.name), began(int(process.name))
            environment = dict(
                line.split("=", 1)
                for line in _words((process / "environ").read_bytes())
                if "=" in line
            )
            parent = environment.get(PARENT, "")
            in_container = environment.get(CONTAINER[0]) == CONTAINER[1]
            # A wrapper may have given it another environment than ours.
            looked_after = descends(pid, os.getpid()) or (
                parent.isdecimal() and _is_older(int(parent), moment)
            )
            foreign = namespace(pid) != namespace(os.getpid())
            if looked_after or in_container or (parent and foreign) or not moment:
                continue
            if _is(data_dir, process, given_data_dir(command, environment)):
                user = _name(process.stat().st_uid)
                said = " ".join(command)[:SHOWN_CHARACTERS]
                found.append(Other(pid, moment, user, said, bool(parent)))
    return sorted(found, key=lambda other: other.pid)


async def clear(data_dir: Path) -> None:
    """See that nobody else uses `data_dir`; ends what a killed gateway has left. Raises Problem."""
    deadline = time.monotonic() + END_SECONDS
    told = False
    while others := await asyncio.to_thread(find_others, data_dir):
        if strangers := [other for other in others if not other.left]:
            raise in_use(data_dir, strangers)
        over = time.monotonic() > deadline
        for other in others:
            if over:
                _send(other, signal.SIGKILL)
            elif not told:
                _send(other, signal.SIGTERM)
                _send(other, signal.SIGCONT)  # else one that was stopped would wait
        told = True
        if time.monotonic() > deadline + END_SECONDS:
            raise in_use(data_dir, others)
        await asyncio.sleep(POLL_SECONDS)


def in_use(data_dir: Path, others: Sequence[Other]) -> Problem:
    """The Problem for a directory that `others` use."""
    listed = ", ".join(
        f"process {other.pid} of the user {other.user} (`{other.command}`)" for other in others
    )
    pids = " ".join(str(other.pid) for other in others)
    return Problem(
        f"Another Label Studio uses the data directory {data_dir}.",
        f"It was started without labelstudio-proxy: {listed}. Two at a time could damage the "
        "database.",
        f"End it where it was started, or with `kill {pids}`; then try again.",
    )


def is_label_studio(command: Sequence[str]) -> bool:
    """Whether a command line runs Label Studio, and not, say, an editor or pip on it."""
    program, *words = command or ("",)
    if Path(program).name.startswith(INTERPRETERS):
        # The script, or what stands after -m; some options have words of their own.
        options = [word.startswith("-") and word != "-m" for word in words]
        after = [word for word, option in zip(words, options, strict=True) if not option]
        program = next((word for word in after if word != "-m" and "=" not in word), "")
    name = Path(program).name
    if name.startswith(SERVERS):
        return "label_studio" in " ".join(command)
    return (
        name in {"label-studio", "label_studio", "labelstudio_server.py"}
        or program.endswith(("label_studio/server.py", "label_studio/manage.py"))
        or program.startswith("label_studio.")
    )


def given_data_dir(command: Sequence[str], environment: Mapping[str, str]) -> Path:
    """The data directory that a Label Studio uses, as it names it; by its own rules."""
    option = ""
    for index, word in enumerate(command):
        if word == "--data-dir":
            option = "".join(command[index + 1 : index + 2])
        elif word.startswith("--data-dir="):
            option = word.partition("=")[2]
    shared = environment.get("XDG_DATA_HOME") or f"{environment.get('HOME', '')}/.local/share"
    named = (
        environment.get("LABEL_STUDIO_BASE_DATA_DIR"),
        option,
        environment.get("HEARTEX_BASE_DATA_DIR"),
        environment.get("BASE_DATA_DIR"),
    )
    return Path(next(filter(None, named), f"{shared}/label-studio"))


def _is(data_dir: Path, process: Path, named: Path) -> bool:
    """Whether a process's `named` is `data_dir`, in a container too."""
    inside = Path("root", named.relative_to("/")) if named.is_absolute() else Path("cwd", named)
    there = process / inside
    return os.path.samestat(there.stat(), data_dir.stat())


def _is_older(pid: int, moment: str) -> bool:
    """Whether a process runs that began before `moment`: else it is another, with the same id."""
    first = began(pid)
    return bool(first) and bool(moment) and int(first) <= int(moment)


def _send(other: Other, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if began(other.pid) == other.began:
            os.kill(other.pid, number)


def _words(raw: bytes) -> list[str]:
    return os.fsdecode(raw).split("\0")[:-1]


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
