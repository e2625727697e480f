"""A Label Studio tile in the JupyterLab launcher."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

__all__ = ["__version__"]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "labelstudio_proxy"}]


def _link_jupyter_server_extension(serverapp: ServerApp) -> None:
    from .jupyter.extension import link

    link(serverapp)


def _load_jupyter_server_extension(serverapp: ServerApp) -> None:
    from .jupyter.extension import load

    load(serverapp)
