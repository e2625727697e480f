"""What the container is to be, by the settings, the engine, and where Jupyter is for that engine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from docker.errors import APIError

from ...data_directory.directory import DataDirectory
from ...problem import Problem
from .container_spec import DATA_DIR, Plan, check_paths
from .engine import Engine, engine_sockets
from .engine_problems import EngineFault
from .jupyter_container import Bind, Surroundings, look_around


@dataclass(frozen=True)
class DockerSettings:
    """The settings that only this backend has; see config."""

    image: str
    pull_policy: str
    memory_limit: str
    cpu_limit: float
    docker_network: str
    files_writable: bool


@dataclass(frozen=True)
class Site:
    """What an engine is like, and where Jupyter is for it."""

    around: Surroundings = field(default_factory=Surroundings)
    rootless: bool = False
    user_namespace: str = ""  # for the container; empty: the engine's own
    security: tuple[str, ...] = ()


async def look_at(engine: Engine) -> Site:
    """What there is to be known of the engine; raises EngineFault."""
    try:
        info = await engine.ask(lambda client: client.info())
        around = await look_around(engine)
    except APIError as error:
        raise EngineFault(
            "The container engine does not let Label Studio's container be made.",
            f"It said: {error.explanation or error}",
            "If a proxy stands before its socket, have it allow what containers, images, "
            "volumes and networks need.",
        ) from error
    options = {str(each).split(",")[0] for each in info.get("SecurityOptions") or []}
    user_namespace = around.user_namespace if around.inside else ""
    if not around.inside and "name=userns" in options:
        user_namespace = "host"  # else nothing on disk would be the user's
    return Site(
        around,
        # Podman 4.3 says it in a place of its own.
        rootless="name=rootless" in options or bool(info.get("Rootless")),
        user_namespace=user_namespace,
        # SELinux would keep the container from the user's files; to relabel a home is worse.
        security=("label=disable",) if "name=selinux" in options else (),
    )


@dataclass(frozen=True)
class Planner:
    """Makes the plan of one data directory's container."""

    settings: DockerSettings
    directory: DataDirectory
    files_root: Path | None
    environment: Mapping[str, str]  # what Label Studio gets, openly
    private: Mapping[str, str]  # and out of the engine's sight
    user_name: str  # for the container's name and labels
    user: str  # whom the files shall belong to, as `uid:gid`

    def check_folders(self, *, unquoted: bool) -> None:
        """Raises Problem for folders that a container cannot have; `unquoted`: see `check_paths`."""
        folders = [("data_dir", self.directory.path)]
        if self.files_root is not None:
            folders.append(("files_root", self.files_root))
            if not self.files_root.is_dir():
                raise Problem(
                    f"The folder {self.files_root} does not exist.",
                    "It is what Label Studio is to read as local files.",
                    "Make it, or set `files_root` to another folder and restart Jupyter.",
                )
        check_paths(folders, unquoted=unquoted)

    def plan(self, site: Site, image: str) -> Plan:
        """For an image, by its id. Looks at the disk; raises Problem."""
        # A rootless engine's root is the user, and has no more rights than the user has. In one of
        # its containers, users are already those that the next container has.
        around = site.around
        as_root = site.rootless and not around.inside
        user = "0:0" if as_root else self.user
        network, publish = self._network(around)
        return Plan(
            image=image,
            user_name=self.user_name,
            user=user,
            groups=() if site.rootless else self._groups(),
            user_namespace=site.user_namespace,
            binds=tuple(self._binds(around)),
            hidden=tuple(self._sockets_within()),
            environment=self.environment,
            private=self.private,
            memory=self.settings.memory_limit or None,
            cpus=self.settings.cpu_limit or None,
            network=network,
            security=site.security,
            publish=publish,
            directory=self.directory.path.stat().st_ino,
        )

    def _network(self, around: Surroundings) -> tuple[str | None, bool]:
        """The network to join, and whether to publish the port on the machine's loopback."""
        chosen = self.settings.docker_network
        if not around.inside or around.on_host:
            return chosen or None, True
        if chosen and chosen not in around.networks:
            raise Problem(
                f"Label Studio's container could not be reached in the network {chosen!r}.",
                f"Jupyter runs in the container {around.container}, which is not in it, but in: "
                f"{', '.join(around.networks) or 'none'}.",
                f"`docker network connect {chosen} {around.container}`, or change `docker_network` "
                "and restart Jupyter.",
            )
        if not around.networks:
            raise Problem(
                "Label Studio's container could not be reached.",
                f"Jupyter runs in the container {around.container}, which is in no network that "
                "another container could join.",
                "Make Jupyter's container with a network, for example `--network bridge`.",
            )
        return chosen or around.networks[0], False

    def _binds(self, around: Surroundings) -> list[Bind]:
        binds = around.binds(self.directory.path, DATA_DIR, "data_dir", read_only=False)
        if self.files_root is not None:
            binds += around.binds(
                self.files_root,
                str(self.files_root),
                "files_root",
                read_only=not self.settings.files_writable,
            )
        return binds

    def _groups(self) -> tuple[int, ...]:
        """The user's other groups, which may own shared folders; not the one of the engine."""
        left_out = {int(self.user.partition(":")[2])}
        for socket in engine_sockets():
            with contextlib.suppress(OSError):
                left_out.add(socket.stat().st_gid)
        return tuple(sorted(set(os.getgroups()) - left_out))

    def _sockets_within(self) -> list[str]:
        """Where in the container engines' sockets would appear, with all rights over the machine."""
        folders = [(self.directory.path.resolve(), DATA_DIR)]
        if self.files_root is not None:
            folders.append((self.files_root.resolve(), str(self.files_root)))
        return sorted(
            str(Path(target, real.relative_to(folder)))
            for real in {socket.resolve() for socket in engine_sockets() if socket.is_socket()}
            for folder, target in folders
            if real.is_relative_to(folder)
        )
