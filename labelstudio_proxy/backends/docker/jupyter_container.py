"""The container that Jupyter itself runs in, if any, as the engine sees it.

There, the engine knows a folder by another path than Jupyter does, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from docker.errors import NotFound

from ...problem import Problem
from .engine import Engine

# An engine binds these files into each container. The path of their source, and older
# cgroups' paths, have the id of the container.
OWN_FILES = {"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"}
CONTAINER_ID = re.compile(
    r"/(?:[a-z]+-)?containers/([0-9a-f]{64})/(?:userdata/)?(?:hostname|hosts|resolv\.conf)"
    r"|/(?:docker[/-]|libpod-)([0-9a-f]{64})"
)


@dataclass(frozen=True)
class Bind:
    """A folder for Label Studio's container; `source` is its path for the engine."""

    source: str
    target: str
    read_only: bool


@dataclass(frozen=True)
class ContainerMount:
    """A mount in Jupyter's container; `source` is empty if the engine has no path for it."""

    source: str
    destination: str
    writable: bool


@dataclass(frozen=True)
class JupyterContainer:
    """Jupyter's own container; every field is empty if Jupyter runs in none."""

    name: str = ""
    mounts: tuple[ContainerMount, ...] = ()
    user_namespace: str = ""  # empty: the engine's default

    def __bool__(self) -> bool:
        """Return True if Jupyter runs in a container of the engine."""
        return bool(self.name)

    def binds(self, path: Path, target: str, setting: str, *, read_only: bool) -> list[Bind]:
        """Return the binds that show the folder `path` at `target`, with the mounts in it.

        Raises Problem if the engine does not see it; `setting` is the one to change then.
        """
        real = path.resolve()
        if not self:
            # Before Docker 25, and on older kernels, a mount in a read-only folder is writable
            # unless it is bound read-only as well.
            within = mounted_within(real) if read_only else []
            return [Bind(str(real), target, read_only)] + [
                Bind(str(place), str(Path(target, place.relative_to(real))), read_only=True)
                for place in within
            ]
        found = self._mount_of(real)
        if found is None:
            folders = sorted(mount.destination for mount in self.mounts if mount.source)
            seen = ", ".join(folder for folder in folders if not Path(folder).is_socket())
            raise Problem(
                f"The folder {path} cannot be given to Label Studio's container.",
                f"Jupyter runs in the container {self.name}, and the container engine does not see "
                f"this folder inside it. It sees: {seen or 'nothing, since no volume is mounted'}.",
                f"Mount a volume there when Jupyter's container is made, or set `{setting}` to a "
                "folder on one, and restart Jupyter.",
            )
        source = Path(found.source, real.relative_to(found.destination))
        binds = [Bind(str(source), target, read_only or not found.writable)]
        for mount in self.mounts:
            inner = Path(mount.destination)
            if not mount.source or inner == real or not inner.is_relative_to(real):
                continue
            if not inner.is_socket():  # most likely the engine's
                place = str(Path(target, inner.relative_to(real)))
                binds.append(Bind(mount.source, place, read_only or not mount.writable))
        return binds

    def _mount_of(self, path: Path) -> ContainerMount | None:
        outer = [mount for mount in self.mounts if path.is_relative_to(mount.destination)]
        innermost = max(outer, key=lambda mount: len(mount.destination), default=None)
        return innermost if innermost is not None and innermost.source else None


def mounted_within(folder: Path) -> list[Path]:
    """Return the mount points below the folder that the engine can bind.

    Not the FUSE mounts, which belong to one user: the engine's root may not read them.
    """
    mounts = {
        Path(mount.mountpoint)
        for mount in psutil.disk_partitions(all=True)
        if not mount.fstype.startswith(("fuse", "autofs"))
    }
    return sorted(place for place in mounts if place != folder and place.is_relative_to(folder))


async def find_jupyter_container(
    engine: Engine, proc: Path = Path("/proc/self")
) -> JupyterContainer:
    """Return the container of the engine in which this process runs; raises EngineProblem, APIError."""
    for identifier in own_container_ids(proc):
        try:
            own = await _inspect(engine, identifier)
        except NotFound:  # a container of another engine
            continue
        return jupyter_container_of(own)
    return JupyterContainer()


async def _inspect(engine: Engine, identifier: str) -> dict[str, Any]:
    attributes: dict[str, Any] = await engine.ask(
        lambda client: client.api.inspect_container(identifier)
    )
    return attributes


def own_container_ids(proc: Path) -> list[str]:
    """Return possible ids of this process's container, the likeliest first; see proc(5)."""
    found: dict[str, None] = {}
    for name in ("mountinfo", "cgroup"):
        try:
            lines = (proc / name).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        if name == "mountinfo":
            # The machine of an engine shows the mounts of all its containers: take only ours.
            lines = [line for line in lines if OWN_FILES.intersection(line.split()[4:5])]
        for line in lines:
            for match in CONTAINER_ID.finditer(line):
                found[match[1] or match[2]] = None
    return list(found)


def jupyter_container_of(own: Mapping[str, Any]) -> JupyterContainer:
    """Return what `docker inspect` says of Jupyter's container."""
    return JupyterContainer(
        name=str(own.get("Name") or own["Id"][:12]).lstrip("/"),
        mounts=tuple(
            ContainerMount(
                str(mount.get("Source") or ""),
                str(mount["Destination"]),
                bool(mount.get("RW", True)),
            )
            for mount in own.get("Mounts") or []
        ),
        user_namespace=str(own["HostConfig"].get("UsernsMode") or ""),
    )
