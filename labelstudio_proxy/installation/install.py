"""Installs Label Studio: makes an environment, fills it with uv or pip, and switches to it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from packaging.version import InvalidVersion, Version

from .. import own_interpreter
from .._version import LABEL_STUDIO_VERSION
from ..label_studio.environment import labelstudio_environment, only_in
from ..label_studio.programs import SERVER
from ..problem import Problem
from .folder import InstallFolder, no_space
from .installer import Installer
from .problems import WrongPython
from .progress import ENVIRONMENT, UNPACK, Show
from .running import run
from .tools import base_environment, make_environment_with_uv

# An environment has 0.8 to 1.0 GB.
NEEDED_BYTES = 1_000_000_000
SHOWN_LINES = 3


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
            installer = Installer(version, folder.path, temporary, tool, show, log)
            name = f"Python {python or sys.version.split()[0]}"
            try:
                installer.install_for(new_python, name)
            except WrongPython as problem:
                fixed = bool(python) or tool == "pip"
                if fixed or not make_environment_with_uv(environment, problem.versions, log):
                    raise
                installer.install_for(new_python, f"Python {problem.versions}")
            show(UNPACK[0])
            found = _probe(new_python)
            _compile(new_python, temporary, log)
            shutil.rmtree(temporary, ignore_errors=True)
            folder.switch(environment)
        folder.remove_unused()
    return found


def _make_environment(folder: Path, python: str, log: Callable[[str], None]) -> Path:
    """Make an environment without pip and return its interpreter; raises Problem."""
    if python:
        interpreter = shutil.which(python) or shutil.which(f"python{python}")
        if interpreter is None:
            if make_environment_with_uv(folder, python, log):
                return folder / "bin" / "python"
            raise Problem(
                f"There is no {python}.",
                "",
                "Name the path of a Python interpreter, or install uv, which downloads one. Then try again.",
            )
        command, environment = [interpreter], base_environment()
    else:
        command = [sys.executable, *own_interpreter.options()]
        environment = {**base_environment(), **own_interpreter.variables(os.environ)}
    lines: list[str] = []
    arguments = ["-m", "venv", "--without-pip", str(folder)]
    if run([*command, *arguments], environment, lines.append) != 0:
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
    run([str(python), str(SERVER), "probe"], base_environment(), lines.append)
    with contextlib.suppress(ValueError, KeyError, IndexError):
        version: str = json.loads(lines[-1])["label-studio"]
        if python.with_name("label-studio").exists():
            return version
    raise Problem(
        "Label Studio is not complete after its installation.",
        f"{python} does not find it.",
        "Try again. If it happens again, report it with the log.",
    )


def _compile(python: Path, temporary: Path, log: Callable[[str], None]) -> None:
    """Compile what Label Studio imports; raises Problem if it cannot be imported."""
    lines: list[str] = []
    label_studio = labelstudio_environment(
        os.environ, data_dir=temporary, files_root=None, extra={}
    )
    environment = label_studio | only_in(temporary)
    if run([str(python), str(SERVER), "compile"], environment, lines.append) != 0:
        for line in lines:
            log(line)
        raise Problem(
            "Label Studio does not start after its installation.",
            "\n".join(lines[-SHOWN_LINES:]),
            "Try again. If it happens again, report it with the log.",
        )
