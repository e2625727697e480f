"""Where Jupyter itself runs, as the engine sees it: beside the engine, or in one of its containers.

In a container, a folder has another path for the engine than for Jupyter, or none at all; and a
port that the engine publishes on its machine's loopback is out of reach.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.errors import NotFound

from ...problem import Problem
from .engine import Engine

# How an engine's own files, bound into each of its containers, name the container.
CONTAINER_ID = re.compile(
    r"/(?:[a-z]+-)?containers/([0-9a-f]{64})/(?:userdata/)?(?:hostname|hosts|resolv\.conf)"
    r"|/(?:docker[/-]|libpod-)([0-9a-f]{64})"
)


@dataclass(frozen=True)
class Bind:
    """A folder for the container: `source` is the engine's name for it."""

    source: str
    target: str
    read_only: bool


@dataclass(frozen=True)
class ContainerMount:
    """What is mounted in Jupyter's container; `source` is empty where the engine has no path."""

    source: str
    destination: str
    writable: bool


@dataclass(frozen=True)
class Surroundings:
    """What is known of Jupyter's own container; all of it empty where there is none."""

    container: str = ""  # its name
    mounts: tuple[ContainerMount, ...] = ()
    networks: tuple[str, ...] = ()  # that it can reach other containers in
    on_host: bool = False  # it shares the machine's own network
    user_namespace: str = ""  # empty: the engine's own

    @property
    def inside(self) -> bool:
        """Whether Jupyter runs in a container of the engine's."""
        return bool(self.container)

    def binds(self, path: Path, target: str, setting: str, *, read_only: bool) -> list[Bind]:
        """What makes the folder `path` appear at `target`, folders mounted within it included.

        Raises Problem where the engine cannot see it. `setting` is the one to change then.
        """
        real = path.resolve()
        if not self.inside:
            # What is mounted in a folder that is bound read-only can be written unless it is
            # bound so itself (older engines and kernels).
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
                f"Jupyter runs in the container {self.container}, and this folder is inside it, "
                "where the container engine does not see it. It sees: "
                f"{seen or 'nothing, since no volume is mounted'}.",
                f"Mount a volume there when Jupyter's container is made, or set `{setting}` to a "
                "folder on one, and restart Jupyter.",
            )
        source = Path(found.source, real.relative_to(found.destination))
        binds = [Bind(str(source), target, read_only or not found.writable)]
        for mount in self.mounts:
            inner = Path(mount.destination)
            if not mount.source or inner == real or not inner.is_relative_to(real):
                continue
            if not inner.is_socket():  # the engine's, most likely
                place = str(Path(target, inner.relative_to(real)))
                binds.append(Bind(mount.source, place, read_only or not mount.writable))
        return binds

    def _mount_of(self, path: Path) -> ContainerMount | None:
        around = [mount for mount in self.mounts if path.is_relative_to(mount.destination)]
        innermost = max(around, key=lambda mount: len(mount.destination), default=None)
        return innermost if innermost is not None and innermost.source else None


def mounted_within(folder: Path, proc: Path = Path("/proc/self")) -> list[Path]:
    """What is mounted below the folder and the engine can be asked to bind, see proc(5).

    Not what belongs to one user's program (FUSE), which the engine's root may not look at.
    """
    found = []
    try:
        lines = (proc / "mountinfo").read_bytes().splitlines()
    except OSError:  # not Linux
        return []
    for line in lines:
        fields, _, kind = line.partition(b" - ")
        escaped = fields.split()[4]
        name = re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), escaped)
        place = Path(os.fsdecode(name))
        if kind.startswith((b"fuse", b"autofs")) or place == folder:
            continue
        if place.is_relative_to(folder) and place not in found:
            found.append(place)
    return found


async def look_around(engine: Engine, proc: Path = Path("/proc/self")) -> Surroundings:
    """Find out whether this process runs in a container of the engine's.

    Raises EngineFault, and docker's APIError where the engine does not let itself be asked.
    """
    for identifier in own_container_ids(proc):
        try:
            own = await _inspect(engine, identifier)
        except NotFound:  # a container of another engine's
            continue
        kind, _, other = str(own["HostConfig"].get("NetworkMode", "")).partition(":")
        return surroundings_of(own, await _inspect(engine, other) if kind == "container" else own)
    return Surroundings()


async def _inspect(engine: Engine, identifier: str) -> dict[str, Any]:
    attributes: dict[str, Any] = await engine.ask(
        lambda client: client.api.inspect_container(identifier)
    )
    return attributes


def own_container_ids(proc: Path) -> list[str]:
    """The ids that this process's container may have, the likeliest first; none outside of one."""
    found: dict[str, None] = {}
    for name in ("mountinfo", "cgroup"):
        try:
            text = (proc / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        lines = text.splitlines()
        if name == "mountinfo":
            # Only what is mounted over the container's own files: an engine's machine shows the
            # mounts of all its containers.
            lines = [line for line in lines if _mount_point(line) in OWN_FILES]
        for line in lines:
            for match in CONTAINER_ID.finditer(line):
                found[match[1] or match[2]] = None
    return list(found)


OWN_FILES = {"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"}


def _mount_point(line: str) -> str:
    """The mount point in a line of mountinfo, see proc(5)."""
    fields = line.split()
    return fields[4] if len(fields) > 4 else ""


def surroundings_of(own: Mapping[str, Any], connected: Mapping[str, Any]) -> Surroundings:
    """What the engine says of Jupyter's own container, and of the one whose network it is in."""
    networks = sorted(connected["NetworkSettings"].get("Networks") or {})
    # One that somebody has made comes first: there, containers are meant to meet.
    defaults = ("bridge", "podman")
    usable = [name for name in networks if name not in {"host", "none", *defaults}]
    usable += [name for name in networks if name in defaults]
    return Surroundings(
        container=str(own.get("Name") or own["Id"][:12]).lstrip("/"),
        mounts=tuple(
            ContainerMount(
                str(mount.get("Source") or ""),
                str(mount["Destination"]),
                bool(mount.get("RW", True)),
            )
            for mount in own.get("Mounts") or []
        ),
        networks=tuple(usable),
        on_host=str(own["HostConfig"].get("NetworkMode", "")) == "host",
        user_namespace=str(own["HostConfig"].get("UsernsMode") or ""),
    )
