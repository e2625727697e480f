"""A user without root's rights who runs JupyterLab, and may use a container engine. Needs root."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import labelstudio_proxy

from .engine import Engine

UID = GID = 4711
DOCKER = 4712  # the group of the engine's socket
# How Popen runs a program as this user.
USER: dict[str, Any] = {"user": UID, "group": GID, "extra_groups": [DOCKER]}
needed = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can run JupyterLab as another user"
)
PACKAGES = ("labelstudio-proxy", "jupyterlab")


@contextlib.contextmanager
def in_group_of(engine: Engine) -> Iterator[None]:
    """Let the user's group use the socket of the engine."""
    status = engine.socket.stat()
    os.chown(engine.socket, 0, DOCKER)
    engine.home.chmod(0o711)
    try:
        yield
    finally:
        engine.home.chmod(0o700)
        os.chown(engine.socket, status.st_uid, status.st_gid)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Make a folder that other users can reach; in memory if there is room.

    Its files are many, and a busy disk takes a minute to remove them.
    """
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2 * 10**9
    with tempfile.TemporaryDirectory(prefix="plain-", dir=memory if roomy else "/tmp") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@contextlib.contextmanager
def environment() -> Iterator[Path]:
    """Make an environment with JupyterLab and this checkout, without Label Studio; yield its Python.

    It is a copy that the user can read: this one may be in root's home folder.
    """
    with folder() as made:
        subprocess.run([_python(), "-m", "venv", "--without-pip", made], check=True)
        (site,) = made.glob("lib/python3*/site-packages")
        here = Path(sysconfig.get_path("purelib"))
        for package in _with_requirements(PACKAGES):
            for file in package.files or []:
                source = Path(os.path.normpath(here / file))
                target = Path(os.path.normpath(site / file))
                if source.is_file() and "__editable__" not in file.name:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(source, target)
        checkout = Path(labelstudio_proxy.__file__).parent
        shutil.copytree(checkout, site / checkout.name, dirs_exist_ok=True)
        name = "etc/jupyter/jupyter_server_config.d/labelstudio_proxy.json"
        shutil.copy2(Path(sys.prefix, name), made / name)
        yield made / "bin" / "python"


def _python() -> str:
    """Return a Python of this version that the user can run."""
    wanted = f"{sys.version_info.major}.{sys.version_info.minor}"
    for python in (os.path.realpath(sys.executable), f"/usr/bin/python{wanted}"):
        with contextlib.suppress(OSError):  # the user cannot reach it
            done = subprocess.run([python, "-c", ""], check=False, cwd="/", env={}, **USER)
            if done.returncode == 0:
                return python
    msg = f"no Python {wanted} that other users can run: apt-get install python3-venv"
    raise AssertionError(msg)


def _with_requirements(names: tuple[str, ...]) -> list[Distribution]:
    """Return the installed distributions of these names, and those that they require."""
    found: dict[str, Distribution] = {}
    wanted = list(names)
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name in found:
            continue
        with contextlib.suppress(PackageNotFoundError):
            found[name] = distribution(name)
            requirements = map(Requirement, found[name].requires or [])
            wanted += [
                each.name
                for each in requirements
                if each.marker is None or each.marker.evaluate({"extra": ""})
            ]
    return list(found.values())
