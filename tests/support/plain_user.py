"""A user without root's rights who runs JupyterLab, and may use a container engine. Needs root."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .engine import Engine
from .environments import install

UID = GID = 4711
DOCKER = 4712  # the group of the engine's socket
# How Popen runs a program as this user.
USER: dict[str, Any] = {"user": UID, "group": GID, "extra_groups": [DOCKER]}
needed = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can run JupyterLab as another user"
)


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
        install(made, "jupyterlab")
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
