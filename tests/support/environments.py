"""Environments with a part of the packages that are installed here."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Callable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

import labelstudio_proxy


def install(
    environment: Path, *packages: str, copy: Callable[[Path, Path], object] = shutil.copy2
) -> None:
    """Put installed packages, what they require, and this checkout into an environment.

    `copy` can also make links (`os.symlink`).
    """
    (site,) = environment.glob("lib/python3*/site-packages")
    here = Path(sysconfig.get_path("purelib"))
    for package in _with_requirements(("labelstudio-proxy", *packages)):
        for file in package.files or []:
            source = Path(os.path.normpath(here / file))
            target = Path(os.path.normpath(site / file))
            if source.is_file() and "__editable__" not in file.name and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                copy(source, target)
    checkout = Path(labelstudio_proxy.__file__).parent
    shutil.copytree(checkout, site / checkout.name, dirs_exist_ok=True)
    name = "etc/jupyter/jupyter_server_config.d/labelstudio_proxy.json"
    shutil.copy2(Path(sys.prefix, name), environment / name)
    name = "share/jupyter/labextensions/labelstudio-proxy"
    shutil.copytree(Path(sys.prefix, name), environment / name, dirs_exist_ok=True)


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
