"""Label Studio processes on a data directory that no gateway manages, on this machine.

They are found by command line and environment: Label Studio opens its database for moments only, so
open files would not show them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from ..problem import Problem

# In the environment of our processes: the gateway's process id; a container's settings.
PARENT = "LABELSTUDIO_PROXY_PARENT"
CONTAINER = ("DJANGO_SETTINGS_MODULE", "labelstudio_settings")
# A leftover of a killed gateway stops without help, which takes up to 25 s for open requests.
END_SECONDS = 30.0
POLL_SECONDS = 0.2
SHOWN_CHARACTERS = 200
INTERPRETERS = ("python", "pypy")
SERVERS = ("gunicorn", "uwsgi")


@dataclass(frozen=True)
class ForeignProcess:
    """A process that uses the data directory; `leftover`: a killed gateway of ours started it."""

    process: psutil.Process
    user: str
    command: str
    leftover: bool


def find_foreign_processes(data_dir: Path) -> list[ForeignProcess]:
    """Return those on `data_dir`, of any user and container that this user may inspect. Blocks."""
    found = []
    for process in psutil.process_iter():
        # The process is gone, or this user may not inspect it.
        with contextlib.suppress(psutil.Error, OSError):
            if foreign := _inspect(process, data_dir):
                found.append(foreign)
    return found


async def ensure_none(data_dir: Path) -> None:
    """End what a killed gateway left on `data_dir`; raise Problem if anything else uses it."""
    deadline = time.monotonic() + END_SECONDS
    asked = False
    while found := await asyncio.to_thread(find_foreign_processes, data_dir):
        if others := [each for each in found if not each.leftover]:
            raise problem(data_dir, others)
        late = time.monotonic() > deadline
        for each in found:
            with contextlib.suppress(psutil.Error):
                if late:
                    each.process.kill()
                elif not asked:
                    each.process.terminate()
                    each.process.resume()  # a suspended process would not act on the signal
        asked = True
        if time.monotonic() > deadline + END_SECONDS:
            raise problem(data_dir, found)
        await asyncio.sleep(POLL_SECONDS)


def problem(data_dir: Path, found: Sequence[ForeignProcess]) -> Problem:
    """Return the Problem for a directory that these processes use."""
    listed = ", ".join(
        f"process {each.process.pid} of the user {each.user} (`{each.command}`)" for each in found
    )
    pids = " ".join(str(each.process.pid) for each in found)
    return Problem(
        f"Another Label Studio uses the data directory {data_dir}.",
        f"labelstudio-proxy did not start it: {listed}. Two at a time could damage the database.",
        f"Stop it where it was started, or with `kill {pids}`. Then try again.",
    )


def is_label_studio(command: Sequence[str]) -> bool:
    """Return True if a command line runs Label Studio, and not, say, an editor or pip on it."""
    program, *words = command or ("",)
    if Path(program).name.startswith(INTERPRETERS):
        # The script, or the module after -m. Some options have a value.
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


def data_dir_of(command: Sequence[str], environment: Mapping[str, str]) -> Path:
    """Return the data directory that a Label Studio uses, by Label Studio's own rules."""
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


def _inspect(process: psutil.Process, data_dir: Path) -> ForeignProcess | None:
    """Return the process if it is a Label Studio on `data_dir` that no gateway manages."""
    command = process.cmdline()
    if not is_label_studio(command):
        return None
    environment = process.environ()
    gateway = environment.get(PARENT, "")
    # A process in another container names its gateway by an id that means nothing here. And a
    # wrapper may have removed the variable from the environment of a child of ours.
    elsewhere = bool(gateway) and _pid_namespace(process.pid) != _pid_namespace(os.getpid())
    in_our_container = environment.get(CONTAINER[0]) == CONTAINER[1]
    child = os.getpid() in [parent.pid for parent in process.parents()]
    if elsewhere or in_our_container or child or started_by(gateway, process):
        return None
    # As the process sees it, in a container too (Linux).
    root = Path(f"/proc/{process.pid}/root")
    seen = Path(process.cwd(), data_dir_of(command, environment))
    there = root / seen.relative_to("/") if root.exists() else seen
    if not os.path.samestat(there.stat(), data_dir.stat()):
        return None
    shown = " ".join(command)[:SHOWN_CHARACTERS]
    return ForeignProcess(process, process.username(), shown, leftover=bool(gateway))


def started_by(pid: str, process: psutil.Process) -> bool:
    """Return True if process `pid` runs and is older; else its id belongs to another one now."""
    try:
        gateway = psutil.Process(int(pid))
        alive = gateway.status() not in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
        return alive and gateway.create_time() <= process.create_time()
    except (ValueError, OverflowError, psutil.NoSuchProcess):
        return False


def _pid_namespace(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return ""
