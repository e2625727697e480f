"""The program that installs packages, uv or pip: its command line and its environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..problem import Problem
from . import pip_settings
from .running import run

ASK_SECONDS = 60.0
# The first pip that installs for another interpreter.
PIP_WITH_PYTHON = (22, 3)
# They would lead Python, pip or uv to another environment, or let them ask for a password.
_REMOVED = (
    *("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "__PYVENV_LAUNCHER__", "VIRTUAL_ENV"),
    *("CONDA_PREFIX", "PIP_PYTHON", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER"),
    *("UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_TARGET", "UV_PREFIX", "UV_PROJECT_ENVIRONMENT"),
)


@dataclass(frozen=True)
class Tool:
    """A program to install packages with."""

    name: str  # "uv" or "pip"
    command: Sequence[str]  # the requirements follow
    environment: Mapping[str, str]


def base_environment() -> dict[str, str]:
    """Return this process's environment, without what leads to another Python environment."""
    found = {name: value for name, value in os.environ.items() if name not in _REMOVED}
    found |= {"PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    # For the environment that this Python runs in; pip would look in the new one.
    own = Path(sys.prefix, "pip.conf")
    if own.is_file():
        found.setdefault("PIP_CONFIG_FILE", str(own))
    return found


def find_tool(python: Path, wanted: str, temporary: Path) -> Tool:
    """Return uv if it is there and knows what the settings of pip ask for, else pip.

    `python`: of the new environment. `wanted`: "uv" or "pip", "" for the best one. `temporary`: an
    own folder for temporary files, on the disk of the environment. Raises Problem.
    """
    base = base_environment() | {"TMPDIR": str(temporary)}
    uv = find_uv() if wanted != "pip" else ""
    if uv:
        pip = _pip_of_this_python(python, base)
        listed = _output([*pip, "config", "list"], base) if pip else ""
        translated = pip_settings.for_uv(pip_settings.parse(listed))
        if translated is not None:
            options, variables = translated
            if {"UV_DEFAULT_INDEX", "UV_INDEX", "UV_CONFIG_FILE"} & base.keys():
                variables.pop("UV_INDEX_URL", None)
            command = [uv, "pip", "install", "--python", str(python), *options]
            uvs = {"UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
            # As with pip, a setting of pip overrides the environment's certificate and proxy.
            own = {name: value for name, value in base.items() if name.startswith("UV_")}
            return Tool("uv", command, {**uvs, **base, **variables, **own})
    if wanted == "uv":
        raise Problem(
            "uv cannot be used." if uv else "uv was not found.",
            "pip has settings that uv does not have." if uv else "",
            "Leave the option `--tool` out, then try again.",
        )
    pip = _pip_of_this_python(python, base) or _pip_of_environment(python, base)
    # What Label Studio imports is compiled later, a third of all.
    options = ["install", "--no-input", "--no-compile", "--progress-bar", "off"]
    return Tool("pip", [*pip, *options], base)


def make_environment_with_uv(folder: Path, versions: str, log: Callable[[str], None]) -> bool:
    """Make an environment, or make it again, with a Python that uv finds or downloads.

    `versions`: such as `3.12` or `>=3.10,<3.14`. Return False if there is none, or no uv.
    """
    if not (uv := find_uv()):
        return False
    command = [uv, "venv", "--no-project", "--allow-existing", "--python", versions, str(folder)]
    return run(command, base_environment() | {"UV_NO_PROGRESS": "1", "NO_COLOR": "1"}, log) == 0


def find_uv() -> str:
    """Return the path of uv: beside this Python, on `PATH`, or where its installer puts it; or ""."""
    beside = str(Path(sys.executable).parent)
    usual = str(Path("~/.local/bin").expanduser())
    places = os.pathsep.join((beside, os.environ.get("PATH", os.defpath), usual))
    return shutil.which("uv", path=places) or ""


def _pip_of_this_python(python: Path, environment: Mapping[str, str]) -> list[str]:
    """Return this Python's pip, which has the user's settings; empty if it cannot do it."""
    command = [sys.executable, "-m", "pip"]
    found = re.match(r"pip (\d+)\.(\d+)", _output([*command, "--version"], environment))
    if found is None or tuple(map(int, found.groups())) < PIP_WITH_PYTHON:
        return []
    return [*command, "--python", str(python)]


def _pip_of_environment(python: Path, environment: Mapping[str, str]) -> list[str]:
    """Put the pip that comes with Python into the environment; raises Problem."""
    _output([str(python), "-m", "ensurepip", "--default-pip"], environment)
    command = [str(python), "-m", "pip"]
    if not _output([*command, "--version"], environment):
        raise Problem(
            "There is no program to install Label Studio with.",
            f"Neither uv nor pip was found for {sys.executable}.",
            f"Install pip (`{sys.executable} -m ensurepip`, on Debian and Ubuntu `sudo apt-get install "
            "python3-pip python3-venv`) or uv, then try again.",
        )
    return command


def _output(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return what a command prints, nothing if it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - Python and pip, with fixed arguments
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=ASK_SECONDS,
            text=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
