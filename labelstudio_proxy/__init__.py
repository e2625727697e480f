"""A Label Studio tile in the JupyterLab launcher, and labels in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from .client.api import connect, label, project, projects
    from .client.project import Project
    from .problem import Problem

__all__ = ["Problem", "Project", "__version__", "connect", "label", "project", "projects"]


def __dir__() -> list[str]:
    # For completion in notebooks.
    return __all__


def __getattr__(name: str) -> Any:
    # Imported when used: Jupyter's process needs none of it.
    if name in {"connect", "label", "project", "projects"}:
        from .client import api

        return getattr(api, name)
    if name == "Project":
        from .client.project import Project

        return Project
    if name == "Problem":
        from .problem import Problem

        return Problem
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "labelstudio_proxy"}]


def _link_jupyter_server_extension(serverapp: ServerApp) -> None:
    from .jupyter.extension import link

    link(serverapp)


def _load_jupyter_server_extension(serverapp: ServerApp) -> None:
    from .jupyter.extension import load

    load(serverapp)
