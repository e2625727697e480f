"""Where an engine may be, and what is told where it cannot be used there."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...problem import Problem

# By which programs know that they are in a container of Docker's or Podman's.
MARKS_OF_CONTAINERS = (Path("/.dockerenv"), Path("/run/.containerenv"))


class EngineFault(Problem):
    """The engine cannot be reached, does not answer, or answers nonsense."""


class NotThere(EngineFault):
    """There is no engine at this place for this user; there may be one at another."""


@dataclass(frozen=True)
class Address:
    """Where an engine may be, and who says so."""

    url: str
    origin: str
    options: Mapping[str, Any] = field(default_factory=dict)  # DockerClient's, for TLS

    @property
    def socket(self) -> Path | None:
        """The unix socket, where it is one."""
        kind, _, path = self.url.partition("://")
        return Path(path) if kind in {"unix", "http+unix"} else None


def service(address: Address, verb: str) -> str:
    """The command that starts (or restarts) the service behind the address."""
    path = str(address.socket or "")
    unit = "podman.socket" if "podman" in path else "docker"
    user = path.startswith("/run/user/")
    return f"`systemctl --user {verb} {unit}`" if user else f"`sudo systemctl {verb} {unit}`"


def absent(places: list[Address]) -> EngineFault:
    """There is no socket at any of the places."""
    if len(places) == 1:
        (address,) = places
        return NotThere(
            "No container engine is running.",
            f"Its socket {address.socket} does not exist; {address.origin}.",
            f"Start the engine, for example with {service(address, 'start')}, or correct "
            "DOCKER_HOST and restart Jupyter.",
        )
    sockets = ", ".join(str(address.socket) for address in places)
    return NotThere(
        "No container engine was found.",
        f"There is no socket of one ({sockets}), and DOCKER_HOST is not set.",
        "Install Docker or Podman (on Debian and Ubuntu `sudo apt-get install docker.io`); if one "
        f"is installed, start it with {service(places[0], 'start')}.",
    )


def not_running(address: Address) -> EngineFault:
    """Nobody listens."""
    return EngineFault(
        "The container engine is not running.",
        f"Nobody answers at {address.url}; {address.origin}.",
        f"Start it, for example with {service(address, 'start')}, then try again.",
    )


def not_known(address: Address) -> EngineFault:
    """Nothing that the user has set leads there any more."""
    return EngineFault(
        "The container engine is not among those that are set.",
        f"It was at {address.url} when a gateway used it.",
        "Set DOCKER_HOST, or choose the Docker context, as it was then, and try again.",
    )


def hung(address: Address) -> EngineFault:
    """Somebody listens, and says nothing."""
    return EngineFault(
        "The container engine does not answer.",
        f"It is at {address.url}, but gave no answer in time.",
        f"Wait a little and try again. If it stays, restart it: {service(address, 'restart')}.",
    )


def denied(path: Path) -> EngineFault:
    """This user may not open the socket."""
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:  # an arbitrary one, in a container
        user = f"the user with the number {uid}"
    number: int | None = None
    group = "docker"
    with contextlib.suppress(OSError):  # its folder is closed, too
        number = path.stat().st_gid
        group = str(number)
        with contextlib.suppress(KeyError):
            group = grp.getgrgid(number).gr_name
    if number == 0:
        why, remedy = (
            f"The socket {path} is closed to {user}: it is root's alone.",
            (
                "Use a rootless engine, or have an administrator give the socket to a group "
                "(Docker's is `docker`)."
            ),
        )
    else:
        why = f"The socket {path} is closed to {user}, who is not in the group {group}."
        remedy = (
            f"`sudo usermod -aG {group} {user}`, then log in again and restart Jupyter. Members of "
            "that group can do anything on this machine: a rootless engine is the safer way."
        )
    if any(map(exists, MARKS_OF_CONTAINERS)):
        remedy = (
            "Jupyter runs in a container: have it made with "
            f"`--group-add {'<the group of the socket>' if number is None else number}`."
        )
    return NotThere("This user may not use the container engine.", why, remedy)


def no_context(name: str, reason: str) -> EngineFault:
    """The user has chosen a context that is not there or damaged."""
    return EngineFault(
        f"The Docker context {name!r} cannot be used.",
        f"{reason}.",
        "`docker context ls` shows those there are; choose one with `docker context use`, or set "
        "DOCKER_HOST and restart Jupyter.",
    )


def exists(path: Path | None) -> bool:
    """Whether there is something that this user may see."""
    try:
        return path is not None and path.exists()
    except OSError:  # in a folder of another user
        return False
