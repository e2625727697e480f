"""Label Studio's containers, as a container engine sees them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from .engine import Engine

LABEL = "labelstudio-proxy.data-dir"


def on(engine: Engine, data_dir: Path, **settings: Any) -> dict[str, Any]:
    """Arguments for `JupyterLab`: Label Studio as a container of the engine's."""
    return {
        "config": {"backend": "docker", "data_dir": str(data_dir), **settings},
        "env": {"DOCKER_HOST": engine.address},
    }


def containers_of(engine: Engine, data_dir: Path) -> list[Container]:
    """Those that labelstudio-proxy has made for the data directory, running or not."""
    wanted = {"label": f"{LABEL}={data_dir.resolve()}"}
    found: list[Container] = engine.client.containers.list(
        all=True, filters=wanted, ignore_removed=True
    )
    return found


def container_of(engine: Engine, data_dir: Path) -> Container:
    (container,) = containers_of(engine, data_dir)
    return container


def volume_of(container: Container) -> str:
    """The name of the one volume that it has."""
    (name,) = (mount["Name"] for mount in container.attrs["Mounts"] if mount["Type"] == "volume")
    return str(name)


def volumes(engine: Engine) -> set[str]:
    return {volume.name for volume in engine.client.volumes.list()}


def processes_of(container: Container) -> list[Path]:
    """What this machine has in /proc of each process in the container."""

    def namespace(process: Path) -> str:
        with contextlib.suppress(OSError):  # it exited
            return str((process / "ns" / "mnt").readlink())
        return ""

    container.reload()
    first = Path(f"/proc/{container.attrs['State']['Pid']}")
    return [p for p in Path("/proc").glob("[0-9]*") if namespace(p) == namespace(first)]


def inside(container: Container, path: str | Path) -> Path:
    """The path as the container sees it, for root on this machine; needs no `exec`."""
    container.reload()
    return Path(f"/proc/{container.attrs['State']['Pid']}/root{path}")
