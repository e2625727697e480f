"""The address of an engine, and the Problems of an engine that cannot be used."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker.utils.config import find_config_file

from ...problem import Problem
from ..base import NotInstalled

# They exist in a container of Docker or Podman.
CONTAINER_MARKERS = (Path("/.dockerenv"), Path("/run/.containerenv"))


class EngineProblem(Problem):
    """The engine cannot be reached, does not respond, or sends an invalid response."""


class EngineMissing(EngineProblem):
    """There is no engine for this user at this address; there may be one at another."""


@dataclass(frozen=True)
class Address:
    """The address of a possible engine, and why it was chosen (a clause for people)."""

    url: str
    origin: str
    options: Mapping[str, Any] = field(default_factory=dict)  # DockerClient's, for TLS

    @property
    def socket(self) -> Path | None:
        """The unix socket, None for another kind of address."""
        kind, _, path = self.url.partition("://")
        return Path(path) if kind in {"unix", "http+unix"} else None


def service(address: Address, verb: str) -> str:
    """Return the shell command that starts or restarts the engine, in backticks."""
    path = str(address.socket or "")
    unit = "podman.socket" if "podman" in path else "docker"
    user = path.startswith("/run/user/")
    return f"`systemctl --user {verb} {unit}`" if user else f"`sudo systemctl {verb} {unit}`"


def absent(places: list[Address]) -> EngineProblem:
    """None of the addresses has a socket."""
    if len(places) == 1:
        (address,) = places
        return EngineMissing(
            "No container engine is running.",
            f"Its socket {address.socket} does not exist; {address.origin}.",
            f"Start the engine, for example with {service(address, 'start')}, then try again. Or "
            "correct DOCKER_HOST and restart Jupyter.",
        )
    sockets = ", ".join(str(address.socket) for address in places)
    return EngineMissing(
        "No container engine was found.",
        f"Neither Docker nor Podman has a socket at {sockets}, and DOCKER_HOST is not set.",
        "Install Docker or Podman (on Debian and Ubuntu `sudo apt-get install docker.io`); if one "
        f"is installed, start it with {service(places[0], 'start')}. Then try again.",
    )


def not_installed(fault: EngineProblem, without_engine: str, *, can_install: bool) -> Problem:
    """There is neither a Label Studio nor an engine.

    `without_engine`: how to install the former; `can_install`: whether the page can.
    """
    engine = (
        "there is no container engine"
        if isinstance(fault, EngineMissing)
        else "the container engine cannot be used"
    )
    return NotInstalled(
        f"Label Studio is not installed, and {engine}.",
        f"{fault.what} {fault.why}",
        f"{without_engine}\nTo run it in a container instead: {fault.remedy}",
        can_install=can_install,
    )


def not_running(address: Address) -> EngineProblem:
    """The socket is there, and nothing listens on it."""
    return EngineProblem(
        "The container engine is not running.",
        f"Nothing listens at {address.url}; {address.origin}.",
        f"Start it, for example with {service(address, 'start')}, then try again.",
    )


def not_known(address: Address) -> EngineProblem:
    """The settings do not name this address any more."""
    return EngineProblem(
        "The container engine is not in the settings any more.",
        f"An earlier gateway used it at {address.url}.",
        "Choose the Docker context of before, then try again. Or set DOCKER_HOST as before and "
        "restart Jupyter.",
    )


def hung(address: Address) -> EngineProblem:
    """The engine accepts connections and does not respond."""
    return EngineProblem(
        "The container engine does not respond.",
        f"It is at {address.url}, but sent no response in time.",
        f"Wait a little and try again. If that fails, restart it: {service(address, 'restart')}.",
    )


def denied(path: Path) -> EngineProblem:
    """This user has no permission for the socket."""
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container can run with any uid
        user = f"the user with uid {uid}"
    number: int | None = None
    group = "docker"
    with contextlib.suppress(OSError):  # its folder is closed as well
        number = path.stat().st_gid
        group = str(number)
        with contextlib.suppress(KeyError):
            group = grp.getgrgid(number).gr_name
    if number == 0:
        why, remedy = (
            f"Only root may use the socket {path}, not {user}.",
            (
                "Use a rootless engine, or ask an administrator to give the socket to a group, for "
                "example `docker`. Then restart Jupyter."
            ),
        )
    else:
        why = f"The socket {path} is closed to {user}, which is not in the group {group}."
        remedy = (
            f"Run `sudo usermod -aG {group} {user}`, then log in again and restart Jupyter. Members of "
            "that group have all rights on this machine; a rootless engine is safer."
        )
    if any(map(exists, CONTAINER_MARKERS)):
        remedy = (
            "Jupyter runs in a container: start that container with "
            f"`--group-add {'<the group of the socket>' if number is None else number}`."
        )
    return EngineMissing("This user may not use the container engine.", why, remedy)


def no_context(name: str, reason: str) -> EngineProblem:
    """The chosen Docker context is missing or damaged."""
    return EngineProblem(
        f"The Docker context {name!r} cannot be used.",
        f"{reason}.",
        "List contexts with `docker context ls` and choose one with `docker context use`, then try "
        "again. Or set DOCKER_HOST and restart Jupyter.",
    )


def no_login(error: Exception) -> EngineProblem:
    """The SDK cannot read the logins in Docker's configuration file, and so makes no client."""
    return EngineProblem(
        "Docker's configuration file cannot be read.",
        f"{find_config_file()} has a login that is damaged: {error}.",
        "Correct the file, or remove the login and run `docker login` again. Then try again.",
    )


def exists(path: Path | None) -> bool:
    """Return True if something is at the path that this user can see."""
    try:
        return path is not None and path.exists()
    except OSError:  # in a folder of another user
        return False
