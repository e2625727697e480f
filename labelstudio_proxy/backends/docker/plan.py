"""Plans Label Studio's container from the settings, the engine, and where Jupyter runs."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from docker.errors import APIError

from ...config.notebook_files import check_files_root
from ...data_directory.directory import DataDirectory
from ...data_directory.local_storages import all_storages
from ...label_studio.environment import external_database
from ...problem import Problem
from ...socket_folder import check_sockets
from . import byte_code
from .container_spec import DATA_DIR, Plan, check_paths
from .engine import Engine, engine_sockets
from .engine_problems import EngineProblem
from .jupyter_container import Bind, JupyterContainer, find_jupyter_container


@dataclass(frozen=True)
class DockerSettings:
    """The settings of this backend only; see config.settings."""

    image: str
    pull_policy: str
    memory_limit: str
    cpu_limit: float
    docker_network: str
    files_writable: bool


@dataclass(frozen=True)
class Site:
    """The traits of an engine, and where Jupyter runs."""

    jupyter: JupyterContainer = field(default_factory=JupyterContainer)
    rootless: bool = False
    user_namespace: str = ""  # for Label Studio's container; empty: the engine's default
    security: tuple[str, ...] = ()
    local: bool = False  # on this kernel, so that unix sockets lead from a container to Jupyter
    measures_memory: bool = True  # of each container
    changes_shares: bool = True  # of the processors, while a container runs


async def find_site(engine: Engine) -> Site:
    """Ask the engine for its traits; raises EngineProblem."""
    try:
        info = await engine.ask(lambda client: client.info())
        jupyter = await find_jupyter_container(engine)
    except APIError as error:
        raise EngineProblem(
            "The container engine does not allow Label Studio's container.",
            f"It said: {error.explanation or error}",
            "If a proxy protects its socket, allow requests for containers, images, volumes and "
            "networks there, then try again.",
        ) from error
    options = {str(each).split(",")[0] for each in info.get("SecurityOptions") or []}
    # Podman 4.3 reports it in another field.
    rootless = "name=rootless" in options or bool(info.get("Rootless"))
    user_namespace = jupyter.user_namespace if jupyter else ""
    if not jupyter and "name=userns" in options:
        user_namespace = "host"  # with mapped users, nothing on disk would belong to the user
    return Site(
        jupyter,
        rootless=rootless,
        user_namespace=user_namespace,
        # SELinux blocks the user's files. The alternative, new labels for a home folder, is worse.
        security=("label=disable",) if "name=selinux" in options else (),
        # An engine in a virtual machine, such as Docker Desktop's, has its own kernel.
        local=sys.platform == "linux"
        and engine.address.socket is not None
        and info.get("KernelVersion") == platform.release(),
        # Otherwise the engine reports the memory of all processes in its own control group. Podman
        # says that it can limit memory even where it cannot.
        measures_memory=bool(info.get("MemoryLimit"))
        and not (rootless and info.get("CgroupVersion") == "1"),
        # Podman 4.3 can set them only for a new container.
        changes_shares=engine.name == "Docker" and bool(info.get("CPUShares")),
    )


@dataclass(frozen=True)
class Planner:
    """Plans the container of one data directory."""

    settings: DockerSettings
    directory: DataDirectory
    files_root: Path | None  # the part of the document root that the container gets
    environment: Mapping[str, str]  # what every user of the engine may see
    private: Mapping[str, str]  # what only Label Studio may see
    user_name: str
    user: str  # uid:gid
    document_root: Path | None = None  # None: `files_root` itself
    read_only: Mapping[str, Path] = field(default_factory=dict)  # more files, by their new path

    def check_folders(self, *, unquoted: bool) -> None:
        """Raise Problem if a folder is missing or no container can have it; see `check_paths`."""
        folders = [("data_dir", self.directory.path)]
        if self.files_root is not None:
            folders.append(("files_root", self.files_root))
            check_files_root(self.files_root)
        check_paths(folders, unquoted=unquoted)

    def plan(self, site: Site, image: str) -> Plan:
        """Return the plan for an image, by its id. It reads from disk; raises Problem."""
        user = self.container_user(site)
        used = self._used_folders()
        return Plan(
            image=image,
            user_name=self.user_name,
            user=user,
            groups=() if site.rootless else self._groups(user),
            user_namespace=site.user_namespace,
            binds=tuple(self._binds(site.jupyter, used)),
            hidden=tuple(self._sockets_within(used)),
            environment=self.environment,
            private=self.private,
            memory=self.settings.memory_limit or None,
            cpus=self.settings.cpu_limit or None,
            network=self.settings.docker_network or None,
            security=site.security,
            publish=self._needs_port(site),
            byte_code=byte_code.source(site.jupyter, image, user),
            directory=self.directory.path.stat().st_ino,
        )

    def container_user(self, site: Site) -> str:
        """Return the user of the container, uid:gid. It reads from disk."""
        # In a rootless engine, root is the user, with no more rights than the user has. If Jupyter
        # runs in one of its containers, its uid is valid in other containers, too.
        if site.rootless and not site.jupyter:
            return "0:0"
        if self.user.startswith("0:"):
            # Without capabilities, root reads no private files of others.
            with contextlib.suppress(OSError):
                owner = self.directory.path.stat()
                return f"{owner.st_uid}:{owner.st_gid}"
        return self.user

    def _needs_port(self, site: Site) -> bool:
        """Return True if Label Studio cannot be reached by a socket in the data directory."""
        folder = self.directory.socket.parent
        if site.local:
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                check_sockets(folder)
                return False
            except OSError as error:
                reason = error.strerror or str(error)
        else:
            reason = "the engine runs on another machine, or in a virtual one"
        if site.jupyter:
            raise Problem(
                "Label Studio's container could not be reached.",
                f"Jupyter runs in the container {site.jupyter.name}, and no socket can listen in "
                f"{folder}: {reason}.",
                "Set `data_dir` to a folder in a volume of the engine, and restart Jupyter.",
            )
        return True

    def _binds(self, jupyter: JupyterContainer, used: Sequence[Path]) -> list[Bind]:
        binds = jupyter.binds(self.directory.path, DATA_DIR, "data_dir", read_only=False)
        read_only, name = not self.settings.files_writable, "files_root"
        if self.files_root is not None:
            binds += jupyter.binds(self.files_root, str(self.files_root), name, read_only=read_only)
        for folder in used:
            targets = {bind.target for bind in binds}
            with contextlib.suppress(Problem):  # the engine of Jupyter's container does not see it
                made = jupyter.binds(folder, str(folder), name, read_only=read_only)
                binds += [bind for bind in made if bind.target not in targets]
        for target, path in self.read_only.items():
            # Without them, Label Studio says what it lacks when it needs it.
            with contextlib.suppress(Problem, OSError):
                if path.exists():
                    binds += jupyter.binds(path, target, name, read_only=True)
        return binds

    def _used_folders(self) -> list[Path]:
        """Return the folders of projects that are in the document root, but not in `files_root`.

        People added them when Jupyter started in another folder.
        """
        root, shown = self.document_root, self.files_root
        if root is None or shown is None or external_database(self.private):
            return []
        found: list[Path] = []
        for folder in sorted({storage.path for storage in all_storages(self.directory)}):
            outside = not folder.is_relative_to(root) or not folder.resolve().is_relative_to(
                root.resolve()
            )
            if outside or any(folder.is_relative_to(each) for each in (shown, *found)):
                continue
            with contextlib.suppress(Problem):  # the gateway shows its pictures all the same
                check_files_root(folder)
                check_paths([("files_root", folder)], unquoted=True)
                found.append(folder)
        return found

    def _groups(self, user: str) -> tuple[int, ...]:
        """Return the user's other groups, which may own shared folders, without the engine's."""
        left_out = {int(user.partition(":")[2])}
        for socket in engine_sockets():
            with contextlib.suppress(OSError):
                left_out.add(socket.stat().st_gid)
        return tuple(sorted(set(os.getgroups()) - left_out))

    def _sockets_within(self, used: Sequence[Path]) -> list[str]:
        """Return the engines' sockets in the folders: they give all rights on the machine."""
        folders = [(self.directory.path.resolve(), DATA_DIR)]
        if self.files_root is not None:
            for folder in (self.files_root, *used):
                folders.append((folder.resolve(), str(folder)))
        return sorted(
            str(Path(target, real.relative_to(folder)))
            for real in {socket.resolve() for socket in engine_sockets() if socket.is_socket()}
            for folder, target in folders
            if real.is_relative_to(folder)
        )
