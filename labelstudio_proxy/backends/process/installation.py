"""Finds a Label Studio that can run as a local process."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ... import own_interpreter
from ...config.settings import absolute
from ...installation.folder import InstallFolder, is_own_environment
from ...label_studio.build import Build
from ...label_studio.programs import SERVER
from ...label_studio.programs.labelstudio_server import installed
from ...problem import Problem
from ...shell_command import pip_install, shell_command
from ..base import NotInstalled
from .launcher import command_of

PROBE_SECONDS = 30.0
OWN = "It is in the notebook's environment"

INSTALL = shell_command("labelstudio-proxy install")


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


def is_installed(label_studio: str, folder: InstallFolder) -> bool:
    """Return True if there is a Label Studio to try; `label_studio` is the setting."""
    here = label_studio or _is_importable() or shutil.which("label-studio")
    return bool(here) or folder.has_label_studio


def _is_importable() -> bool:
    spec = importlib.util.find_spec("label_studio")
    return spec is not None and spec.origin is not None  # no origin: only a folder of that name


async def find_installation(
    label_studio: str, environment: Mapping[str, str], folder: InstallFolder, *, can_install: bool
) -> Installation:
    """Find Label Studio.

    It is the executable `label_studio`, else this environment's, else on `PATH`, else in `folder`.
    `environment`: Label Studio's, without what only the notebook's interpreter needs. `can_install`:
    whether the page can install it. Raises Problem if there is no Label Studio, or if it cannot run.
    """
    if label_studio:
        executable, origin = absolute(label_studio), "The setting `label_studio` names it"
    elif _is_importable():
        return _own(Path(sys.executable), OWN)
    elif found := shutil.which("label-studio"):
        executable, origin = Path(found), "It is the first on `PATH`"
    elif folder.has_label_studio:
        executable, origin = folder.executable, "`labelstudio-proxy install` has put it there"
    else:
        raise NotInstalled(
            "Label Studio is not installed.",
            "It is neither in the notebook's environment nor on `PATH` nor in "
            f"{folder.path}, and the setting `label_studio` is empty.",
            how_to_install(folder, can_install=can_install),
            can_install=can_install,
        )
    python, *options = await asyncio.to_thread(_command_of, executable, origin, environment)
    if _is_this_interpreter(python):
        return _own(Path(python), origin)
    return _usable(Path(python), await _probe([python, *options], environment), options, origin)


def how_to_install(folder: InstallFolder, *, can_install: bool) -> str:
    """Return what a user must do to get a Label Studio here."""
    command = f"`{INSTALL}`"
    first = (
        f"Press Install Label Studio, or run {command} and try again."
        if can_install
        else f"Run {command}, then try again."
    )
    return f"{first} It takes about 1 GB, in a separate environment in {folder.path}."


def command_to_install(requirements: str, python: Path) -> str:
    """Return the command that installs into the environment of `python`.

    `requirements`: pip's arguments, for example `label-studio==1.23.2`.
    """
    if not is_own_environment(python):
        return pip_install(requirements, python)
    if found := re.search(r"label-studio==(\S+)", requirements):
        return f"{INSTALL} --version {found[1]}"
    if "--upgrade" in requirements:
        return f"{INSTALL} --upgrade"
    return f"{shell_command('labelstudio-proxy uninstall')} && {INSTALL}"


def _own(python: Path, origin: str) -> Installation:
    """Return the Label Studio of the notebook's interpreter; raises Problem."""
    variables = own_interpreter.variables(os.environ)
    return _usable(python, installed(), own_interpreter.options(), origin, variables)


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
    origin: str,
    variables: Mapping[str, str] | None = None,
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
            f"Run `{command_to_install('label-studio', python)}`, then try again.",
        )
    build = Build.of_package(Path(versions["folder"])) if "folder" in versions else Build()
    return Installation(python, versions["label-studio"], build, options, variables or {}, origin)


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
