"""Installs Label Studio: makes an environment, fills it with uv or pip, and switches to it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from packaging.version import InvalidVersion, Version

from .. import own_interpreter
from .._version import LABEL_STUDIO_VERSION
from ..label_studio.programs import SERVER
from ..problem import Problem
from .folder import InstallFolder, no_space
from .problems import explain
from .progress import DOWNLOAD, ENVIRONMENT, UNPACK, Progress, Show
from .tools import base_environment, find_tool

# An environment has 0.8 to 1.0 GB.
NEEDED_BYTES = 1_000_000_000
KEPT_LINES = 400
STOP_SECONDS = 5.0


def installed_version(folder: InstallFolder) -> str:
    """Return the version of the Label Studio that is installed in the folder, or ""."""
    environment = folder.current()
    if environment is None:
        return ""
    names = environment.glob("lib/python3*/site-packages/label_studio-*.dist-info")
    found = [name.name.removeprefix("label_studio-").removesuffix(".dist-info") for name in names]
    return found[0] if folder.has_label_studio and found else ""


def wanted_version(present: str, version: str, *, upgrade: bool) -> str:
    """Return the version to install over the one that is present, "" for none.

    `version`: the user's, "" for none: then the one that this labelstudio-proxy was tested with, and
    never an older one than is present.
    """
    wanted = version or LABEL_STUDIO_VERSION
    if not present or not (version or upgrade):
        return "" if present else wanted
    if not version:
        with contextlib.suppress(InvalidVersion):
            return wanted if Version(present) < Version(wanted) else ""
    return "" if present == wanted else wanted


def install(
    folder: InstallFolder,
    version: str,
    *,
    show: Show,
    log: Callable[[str], None],
    python: str = "",
    tool: str = "",
) -> str:
    """Install this version, make it the current one, and return the version that is there now.

    An installation that is killed leaves the current one as it is. `show`: see `Progress`; `log` gets
    the lines that uv or pip prints. `python`: the interpreter for the environment, this one by
    default. `tool`: "uv", "pip" or "" for the best one. Raises Problem.
    """
    with folder.lock():
        folder.remove_unused()  # of an installation that was killed
        free = shutil.disk_usage(folder.path).free
        if free < NEEDED_BYTES:
            raise no_space(folder.path, free)
        with folder.new_environment(version) as environment:
            show(ENVIRONMENT[0])
            new_python = _make_environment(environment, python, log)
            temporary = environment / "tmp"
            temporary.mkdir()
            chosen = find_tool(new_python, tool, temporary)
            log(f"labelstudio-proxy: Installing Label Studio {version} with {chosen.name}.")
            show(DOWNLOAD[0])
            progress = Progress(show)
            lines: deque[str] = deque(maxlen=KEPT_LINES)

            def read(line: str) -> None:
                lines.append(line)
                log(line)
                progress.read(line)

            command = [*chosen.command, f"label-studio=={version}"]
            status = _run(command, chosen.environment, read)
            if status != 0:
                name = python or f"the Python {sys.version.split()[0]}"
                raise explain(list(lines), chosen.name, version, name, folder.path)
            show(UNPACK[0])
            found = _probe(new_python)
            shutil.rmtree(temporary, ignore_errors=True)
            folder.switch(environment)
        folder.remove_unused()
    return found


def _make_environment(folder: Path, python: str, log: Callable[[str], None]) -> Path:
    """Make an environment without pip and return its interpreter; raises Problem."""
    if python:
        interpreter = shutil.which(python)
        if interpreter is None:
            raise Problem(
                f"There is no {python}.",
                "",
                "Name the path of a Python interpreter, then try again.",
            )
        command, environment = [interpreter], base_environment()
    else:
        command = [sys.executable, *own_interpreter.options()]
        environment = {**base_environment(), **own_interpreter.variables(os.environ)}
    lines: list[str] = []
    arguments = ["-m", "venv", "--without-pip", str(folder)]
    if _run([*command, *arguments], environment, lines.append) != 0:
        for line in lines:
            log(line)
        raise Problem(
            f"{command[0]} cannot make an environment.",
            f"It says: {lines[-1] if lines else 'nothing'}.",
            "Install its module venv (on Debian and Ubuntu `sudo apt-get install python3-venv`), "
            "then try again.",
        )
    return folder / "bin" / "python"


def _probe(python: Path) -> str:
    """Return the version of Label Studio that this interpreter finds; raises Problem."""
    lines: list[str] = []
    _run([str(python), str(SERVER), "probe"], base_environment(), lines.append)
    with contextlib.suppress(ValueError, KeyError, IndexError):
        version: str = json.loads(lines[-1])["label-studio"]
        if python.with_name("label-studio").exists():
            return version
    raise Problem(
        "Label Studio is not complete after its installation.",
        f"{python} does not find it.",
        "Try again. If it happens again, report it with the log.",
    )


def _run(
    command: Sequence[str], environment: Mapping[str, str], read: Callable[[str], None]
) -> int:
    """Run a command, pass on each line that it prints, and return its exit status.

    Ends it with everything that it started, if this is interrupted.
    """
    with _ended(
        subprocess.Popen(  # noqa: S603 - Python, pip or uv
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            read(line.rstrip())
        return process.wait()


@contextlib.contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        if process.poll() is None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(process.pid, number)
                    process.wait(STOP_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
