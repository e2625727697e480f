"""Label Studio's containers in an engine."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from .engine import Engine

LABEL = "labelstudio-proxy.data-dir"


def on(engine: Engine, data_dir: Path, address: str = "", **settings: Any) -> dict[str, Any]:
    """Return the arguments for a `JupyterLab` with Label Studio in a container of the engine.

    `address`: of the engine, if it is not the usual one. All such Jupyters share a cache.
    """
    return {
        "config": {"backend": "docker", "data_dir": str(data_dir), **settings},
        "env": {
            "DOCKER_HOST": address or engine.address,
            "XDG_CACHE_HOME": str(engine.cache),
        },
    }


def containers_of(engine: Engine, data_dir: Path) -> list[Container]:
    """Return our containers of the data directory, in any state."""
    wanted = {"label": f"{LABEL}={data_dir.resolve()}"}
    found: list[Container] = engine.client.containers.list(
        all=True, filters=wanted, ignore_removed=True
    )
    return found


def container_of(engine: Engine, data_dir: Path) -> Container:
    (container,) = containers_of(engine, data_dir)
    return container


def volume_of(container: Container) -> str:
    """Return the name of its only volume."""
    (name,) = (mount["Name"] for mount in container.attrs["Mounts"] if mount["Type"] == "volume")
    return str(name)


def volumes(engine: Engine) -> set[str]:
    return {volume.name for volume in engine.client.volumes.list()}


def processes_of(container: Container) -> list[Path]:
    """Return the folders in this machine's /proc of the processes in the container."""

    def namespace(process: Path) -> str:
        with contextlib.suppress(OSError):  # it is gone
            return str((process / "ns" / "mnt").readlink())
        return ""

    container.reload()
    first = Path(f"/proc/{container.attrs['State']['Pid']}")
    return [p for p in Path("/proc").glob("[0-9]*") if namespace(p) == namespace(first)]


def inside(container: Container, path: str | Path) -> Path:
    """Return the path on this machine of a path in the container; only root can use it."""
    container.reload()
    return Path(f"/proc/{container.attrs['State']['Pid']}/root{path}")
