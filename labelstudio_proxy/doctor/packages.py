"""The packages: their versions, and files that Python imports in their place."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from .._version import __version__
from ..shell_command import pip_install
from .finding import Finding, error, ok
from .situation import Situation

SHOWN = ("jupyter_server", "jupyterlab", "notebook", "jupyterhub", "label-studio")
PROXY = "jupyter-server-proxy"


def check(situation: Situation) -> Iterator[Finding]:
    """Check the versions of what labelstudio-proxy requires, and which files Python finds for it."""
    shown = [f"{name} {found}" for name in SHOWN if (found := version_of(name))]
    yield ok(
        "Versions",
        f"labelstudio-proxy {__version__}, Python {platform.python_version()} ({sys.executable}), "
        f"{', '.join(shown)}, {platform.platform()}",
    )
    met = 0
    for requirement in requirements():
        found = version_of(requirement.name)
        subject = requirement.name if requirement.name == PROXY else "Packages"
        if found and requirement.specifier.contains(found, prereleases=True):
            met += 1
            if requirement.name == PROXY:
                yield ok(PROXY, f"version {found}")
            continue
        what = f"version {found} is installed" if found else "it is not installed"
        yield error(
            subject,
            f"labelstudio-proxy needs {requirement}, and {what}.",
            f"Run `{pip_install(repr(str(requirement)))}`, then restart Jupyter.",
        )
    yield ok("Packages", f"{met} required packages have a version that works")
    for requirement in requirements():
        if shadow := shadow_of(requirement.name):
            yield error(
                "Packages",
                f"Python imports {shadow} in place of the package {requirement.name}.",
                "Rename it, or remove its folder from `PYTHONPATH`, then restart Jupyter.",
            )


def version_of(name: str) -> str:
    """Return the version of an installed package, or an empty string."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def requirements() -> list[Requirement]:
    """Return what labelstudio-proxy requires here, without its extras."""
    try:
        listed = [Requirement(each) for each in requires("labelstudio-proxy") or []]
    except PackageNotFoundError:  # it runs from a folder
        return []
    return [each for each in listed if each.marker is None or each.marker.evaluate({"extra": ""})]


def shadow_of(package: str) -> str:
    """Return the file that Python imports in place of a package, or an empty string."""
    module = package.replace("-", "_").lower()
    with contextlib.suppress(PackageNotFoundError, ImportError, ValueError):
        listed = {str(file) for file in distribution(package).files or ()}
        for name in (f"{module}/__init__.py", f"{module}.py"):
            spec = importlib.util.find_spec(module)
            if name not in listed or spec is None or spec.origin is None:
                continue
            installed = Path(str(distribution(package).locate_file(name)))
            if os.path.realpath(spec.origin) != os.path.realpath(installed):
                return spec.origin
    return ""
