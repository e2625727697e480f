"""Containers with a Label Studio on a data directory that no gateway of this user made.

Processes of another user's container cannot be inspected, so the engines are asked. Not by Docker's SDK,
which takes time and memory in each gateway.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from ..problem import Problem

RESPONSE_SECONDS = 1.0
DOCKER = Path("/var/run/docker.sock")
# The data directory in Label Studio's image.
IMAGES_DATA_DIRECTORY = "/label-studio/data"
USER_LABEL = "labelstudio-proxy.user"  # of our containers


@dataclass(frozen=True)
class ForeignContainer:
    """A running container that uses the data directory."""

    name: str
    engine: Path  # its socket

    @property
    def stop(self) -> str:
        """The command that stops it."""
        name = shlex.quote(self.name)
        if "podman" in self.engine.name:
            return f"podman stop {name}"
        if self.engine == DOCKER.resolve():
            return f"docker stop {name}"
        return f"docker --host {shlex.quote(f'unix://{self.engine}')} stop {name}"


def usual_sockets(environment: Mapping[str, str]) -> list[Path]:
    """Return where engines listen by default; some do not exist."""
    runtime = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return [
        Path(path)
        for path in (
            DOCKER,
            f"{runtime}/docker.sock",
            f"{Path.home()}/.docker/run/docker.sock",
            f"{runtime}/podman/podman.sock",
            "/run/podman/podman.sock",
        )
    ]


async def find_foreign_containers(
    data_dir: Path, user: str, source: str = ""
) -> list[ForeignContainer]:
    """Return those in the engines that this user may use.

    `user`: the name in the labels of ours. `source`: the engines' path of the directory, if Jupyter
    runs in a container.
    """
    sockets = usual_sockets(os.environ)
    if (chosen := os.environ.get("DOCKER_HOST", "")).startswith("unix://"):
        sockets.append(Path(chosen.removeprefix("unix://")))
    engines = [each for each in {each.resolve() for each in sockets} if each.is_socket()]
    found = []
    for engine, running in zip(
        engines, await asyncio.gather(*map(_running_containers, engines)), strict=True
    ):
        for container in running:
            if _uses(container, data_dir, source) and not _is_ours(container, user):
                name = str((container.get("Names") or [container["Id"]])[0]).lstrip("/")
                found.append(ForeignContainer(name, engine))
    return found


async def ensure_none(data_dir: Path, user: str, source: str = "") -> None:
    """Raise Problem if there is one; see `find_foreign_containers`."""
    found = await find_foreign_containers(data_dir, user, source)
    if found:
        names = ", ".join(each.name for each in found)
        commands = " and ".join(f"`{each.stop}`" for each in found)
        raise Problem(
            f"Another Label Studio uses the data directory {data_dir}.",
            f"It runs in the container {names}. Two at a time could damage the database.",
            f"Stop it, with {commands} in a terminal. Then try again.",
        )


async def _running_containers(socket: Path) -> list[dict[str, Any]]:
    """Return the engine's list of running containers, an empty one if it does not respond."""
    with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError):
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(socket)),
                timeout=aiohttp.ClientTimeout(total=RESPONSE_SECONDS),
            ) as session,
            session.get("http://localhost/containers/json") as response,
        ):
            listed = await response.json()
            return [each for each in listed if isinstance(each, dict)]
    return []


def _uses(container: Mapping[str, Any], data_dir: Path, source: str) -> bool:
    """Return True if a container of Label Studio has the directory; others may have it, too."""
    about = f"{container.get('Image')} {container.get('Command')}"
    is_label_studio = "label-studio" in about or "label_studio" in about
    for mount in container.get("Mounts") or []:
        at_usual_place = str(mount.get("Destination", "")).rstrip("/") == IMAGES_DATA_DIRECTORY
        if not is_label_studio and not at_usual_place:
            continue
        place = str(mount.get("Source") or "")
        if place and place == source:
            return True
        with contextlib.suppress(OSError, ValueError):
            if not source and Path(place).samefile(data_dir):
                return True
    return False


def _is_ours(container: Mapping[str, Any], user: str) -> bool:
    """Return True for a container that this user's gateways adopt or replace."""
    labels = container.get("Labels") or {}
    return USER_LABEL in labels and labels[USER_LABEL] == user
