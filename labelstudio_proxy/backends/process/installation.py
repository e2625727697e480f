"""Finds a Label Studio that can run as a local process."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ... import own_interpreter
from ...config.settings import absolute
from ...label_studio.build import Build
from ...label_studio.programs import SERVER
from ...label_studio.programs.labelstudio_server import installed
from ...problem import Problem
from ...shell_command import pip_install
from ..base import NotInstalled
from .launcher import command_of

PROBE_SECONDS = 30.0

INSTALL = pip_install("'labelstudio-proxy[local]'")
HOW_TO_INSTALL = (
    f"Install it into the notebook's environment, `{INSTALL}`, then try again. Or install "
    "it into a separate environment, set `label_studio` to the path of its `label-studio` "
    "executable, and restart Jupyter."
)


@dataclass(frozen=True)
class Installation:
    """A Label Studio that is installed for an interpreter."""

    python: Path
    version: str
    build: Build
    options: Sequence[str] = ()  # of the interpreter
    variables: Mapping[str, str] = field(default_factory=dict)  # that the interpreter needs
    origin: str = ""  # why this one, as a sentence without its full stop

    @property
    def command(self) -> list[str]:
        """The interpreter and its options."""
        return [str(self.python), *self.options]


def is_installed(label_studio: str) -> bool:
    """Return True if there is a Label Studio to try; `label_studio` is the setting."""
    return bool(label_studio or _is_importable() or shutil.which("label-studio"))


def _is_importable() -> bool:
    spec = importlib.util.find_spec("label_studio")
    return spec is not None and spec.origin is not None  # no origin: only a folder of that name


async def find_installation(label_studio: str, environment: Mapping[str, str]) -> Installation:
    """Find Label Studio: the executable `label_studio`, else this environment's, else on `PATH`.

    `environment`: Label Studio's, without what only the notebook's interpreter needs. Raises Problem
    if there is no Label Studio, or if it cannot run.
    """
    if label_studio:
        executable, origin = absolute(label_studio), "The setting `label_studio` names it"
    elif _is_importable():
        return _own(Path(sys.executable), installed(), "It is in the notebook's environment")
    elif found := shutil.which("label-studio"):
        executable, origin = Path(found), "It is the first on `PATH`"
    else:
        raise NotInstalled(
            "Label Studio is not installed.",
            "It is neither in the notebook's environment nor on `PATH`, and the setting "
            "`label_studio` is empty.",
            HOW_TO_INSTALL,
        )
    python, *options = await asyncio.to_thread(_command_of, executable, origin, environment)
    if _is_this_interpreter(python):
        return _own(Path(python), installed(), origin)
    versions = await _probe([python, *options], environment)
    return _usable(Path(python), versions, options, origin=origin)


def _own(python: Path, versions: dict[str, str], origin: str) -> Installation:
    """Return the Label Studio of the notebook's interpreter; raises Problem."""
    variables = own_interpreter.variables(os.environ)
    return _usable(python, versions, own_interpreter.options(), variables, origin)


def _is_this_interpreter(python: str) -> bool:
    """Return True for another name of this one, such as `python` beside `python3`.

    Two virtual environments have links to the same file, in different folders.
    """

    def place(path: str) -> tuple[str, str]:
        return os.path.realpath(path), os.path.realpath(Path(path).parent)

    return place(python) == place(sys.executable)


def _usable(
    python: Path,
    versions: dict[str, str] | None,
    options: Sequence[str],
    variables: Mapping[str, str] | None = None,
    origin: str = "",
) -> Installation:
    """Return the installation that `labelstudio_server.py probe` found; raises Problem."""
    if versions is None:
        raise Problem(
            f"{python} does not run.",
            "It did not say which version of Label Studio is installed for it.",
            f"Run `{shlex.quote(str(python))} --version` in a terminal, repair that environment, then try again.",
        )
    if "label-studio" not in versions:
        raise Problem(
            f"label-studio is not installed for {python}.",
            "That environment has no package of this name.",
            f"Run `{pip_install('label-studio', python)}`, then try again.",
        )
    build = Build.of_package(Path(versions["folder"])) if "folder" in versions else Build()
    version = versions["label-studio"]
    return Installation(python, version, build, options, variables or {}, origin)


def _command_of(executable: Path, origin: str, environment: Mapping[str, str]) -> list[str]:
    """Return the interpreter of a `label-studio` executable, and its options; raises Problem."""
    if not executable.is_file():
        raise Problem(
            f"There is no Label Studio at {executable}.",
            f"{origin}, but {'it is a folder' if executable.is_dir() else 'nothing is there'}.",
            "Correct the setting `label_studio` and restart Jupyter. Or install Label Studio there, "
            "then try again.",
        )
    if not os.access(executable, os.X_OK):
        raise Problem(
            f"{executable} cannot be run.",
            f"{origin}, but the file is not executable for this user.",
            f"Run `chmod +x {shlex.quote(str(executable))}`, then try again. Or correct the setting `label_studio` and "
            "restart Jupyter.",
        )
    command = command_of(executable, environment)
    if not command:
        raise Problem(
            f"{executable} is not the `label-studio` executable of a Python environment.",
            f"{origin}, but its first line names no Python interpreter that can be run. A wrapper "
            "such as `conda run` does not work.",
            "Set `label_studio` to the `label-studio` that pip or conda installed into its "
            "environment, and restart Jupyter.",
        )
    return command


async def _probe(command: list[str], environment: Mapping[str, str]) -> dict[str, str] | None:
    """Return what `labelstudio_server.py probe` prints; None if it fails."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(*command, str(SERVER), "probe"),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    try:
        output, _ = await asyncio.wait_for(process.communicate(), PROBE_SECONDS)
        found: dict[str, str] = json.loads(output)
    except (asyncio.TimeoutError, ValueError):
        return None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    return found
