"""An older Label Studio, installed once into a separate environment in the user's cache."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import label_studio

VERSION = "1.20.0"
REQUIREMENTS = [f"label-studio=={VERSION}"]


class CannotInstall(Exception):
    """Raised if there is no package index to install it from."""


def install() -> tuple[Path, Path]:
    """Return its executable, and a data directory that it has migrated. Copy that one.

    The first call takes 1 GB and three minutes. Raises CannotInstall.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "labelstudio-proxy-tests" / VERSION
    folder.mkdir(parents=True, exist_ok=True)
    environment, data_dir = folder / "venv", folder / "data"
    executable, installed = environment / "bin" / "label-studio", environment / "installed"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists():
            shutil.rmtree(environment, ignore_errors=True)
            for command in (
                [sys.executable, "-m", "venv", str(environment)],
                [str(environment / "bin" / "python"), "-m", "pip", "install", *REQUIREMENTS],
            ):
                done = subprocess.run(command, check=False, capture_output=True, text=True)
                if done.returncode != 0:
                    raise CannotInstall(done.stderr.strip()[-500:])
            installed.touch()
        if not data_dir.exists():
            with tempfile.TemporaryDirectory(dir=folder) as temporary:
                fresh = Path(temporary, "data")
                label_studio.migrate(fresh, Path(temporary, "home"), executable)
                fresh.rename(data_dir)
    return executable, data_dir
