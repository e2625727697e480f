"""Environments with a part of the packages that are installed here, or with others on top."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

import labelstudio_proxy

CHECKOUT = Path(labelstudio_proxy.__file__).parents[1]

# Notebook 7.0 needs this JupyterLab.
OLDEST_JUPYTERLAB = ("jupyterlab==4.0.2", "notebook==7.0.0")

# The folders that files of several packages are in; the inner ones first.
PARTS = (
    "etc/jupyter/jupyter_server_config.d",
    "etc/jupyter",
    "share/jupyter/labextensions",
    "share/jupyter",
)


def install(
    environment: Path, *packages: str, copy: Callable[[Path, Path], object] = shutil.copy2
) -> None:
    """Put installed packages, what they require, and this checkout into an environment.

    `copy` can also make links (`os.symlink`).
    """
    (site,) = environment.glob("lib/python3*/site-packages")
    here = Path(sysconfig.get_path("purelib"))
    for package in with_requirements(("labelstudio-proxy", *packages)):
        for file in package.files or []:
            source = Path(os.path.normpath(here / file))
            target = Path(os.path.normpath(site / file))
            if "__editable__" in file.name:
                continue
            for each in source, _byte_code(source):  # uv does not list the byte code
                there = target.parent / each.relative_to(source.parent)
                if each.is_file() and not there.exists():
                    there.parent.mkdir(parents=True, exist_ok=True)
                    copy(each, there)
    checkout = Path(labelstudio_proxy.__file__).parent
    shutil.copytree(checkout, site / checkout.name, dirs_exist_ok=True)
    name = "etc/jupyter/jupyter_server_config.d/labelstudio_proxy.json"
    shutil.copy2(Path(sys.prefix, name), environment / name)
    name = "share/jupyter/labextensions/labelstudio-proxy"
    shutil.copytree(Path(sys.prefix, name), environment / name, dirs_exist_ok=True)


def _byte_code(source: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(source))) if source.suffix == ".py" else source


class CannotInstall(Exception):
    """Raised if pip cannot install packages, for example because there is no package index."""


def overlay(folder: Path, *packages: str | Path, checkout: bool = True) -> Path:
    """Make an environment with these packages, and return its Python.

    Everything else comes from the running environment: installing it would take minutes.
    `checkout`: whether that includes this checkout and its extensions.
    """
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    done = subprocess.run(
        [*pip, "install", "--no-deps", *map(str, packages)],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise CannotInstall(done.stderr.strip()[-500:])
    (site,) = folder.glob("lib/python3*/site-packages")
    # Python does not follow the path files there, such as an editable install's. This one is ours.
    for own in Path(sysconfig.get_path("purelib")).glob("without_slow_import.pth"):
        shutil.copy2(own, site)
    paths = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    if checkout:
        paths.append(str(CHECKOUT))
    (site / "running.pth").write_text("\n".join(dict.fromkeys(paths)))
    for part in PARTS:
        (folder / part).mkdir(parents=True, exist_ok=True)
        for source in Path(sys.prefix, part).iterdir():
            target = folder / part / source.name
            if not target.exists() and (checkout or "labelstudio" not in source.name):
                target.symlink_to(source)
    return python


def with_requirements(names: tuple[str, ...]) -> list[Distribution]:
    """Return the installed distributions of these names, and those that they require."""
    found: dict[str, Distribution] = {}
    wanted = [(name, "") for name in names]
    seen = set()
    while wanted:
        name, extra = wanted.pop()
        name = re.sub(r"[-_.]+", "-", name).lower()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        with contextlib.suppress(PackageNotFoundError):
            found[name] = distribution(name)
            for each in map(Requirement, found[name].requires or []):
                if each.marker is None or each.marker.evaluate({"extra": extra}):
                    wanted += [(each.name, extra) for extra in ("", *each.extras)]
    return list(found.values())
