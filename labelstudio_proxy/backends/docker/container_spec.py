"""The specification of Label Studio's container: its name, labels, limits and folders."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from docker.types import LogConfig, Mount

from ..._version import __version__
from ...data_directory.directory import SOCKET
from ...data_directory.foreign_containers import USER_LABEL
from ...label_studio.environment import labelstudio_environment
from ...label_studio.programs import GUNICORN, MODULES, SERVER, SETTINGS
from ...problem import Problem
from .jupyter_container import Bind

PORT = 8080
DATA_DIR = "/label-studio/data"  # the data directory of Label Studio's image
VOLUME = "/labelstudio-proxy"  # a volume that is removed with the container
TEMPORARY = "temporary"  # a folder in the volume

BYTE_CODE = f"{VOLUME}/byte-code"

# The first line of the `label-studio` program names the interpreter that Label Studio is installed for.
NO_PROGRAM = "The image has no label-studio program."
LAUNCHER = f"""\
program=$(command -v label-studio) || {{ echo "labelstudio-proxy: {NO_PROGRAM}"; exit 127; }}
read -r line < "$program"
exec ${{line#"#!"}} "$0" "$@"
"""
ENVIRONMENT = {
    "HOME": "/tmp",  # noqa: S108 - inside the container
    "TMPDIR": f"{VOLUME}/{TEMPORARY}",  # on disk: /tmp is memory
    "LANG": "C.UTF-8",
    # The image has no byte code, and its files are read-only.
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONPYCACHEPREFIX": BYTE_CODE,
    "DJANGO_SETTINGS_MODULE": SETTINGS.stem,
}
INHERITED = ("TZ",)  # everything else describes this machine
# These labels identify the owner of a container, its settings, and the start that made it.
UID_LABEL = "labelstudio-proxy.uid"
DATA_LABEL = "labelstudio-proxy.data-dir"
SETTINGS_LABEL = "labelstudio-proxy.settings"
START_LABEL = "labelstudio-proxy.start"
# A container stops if no request has this header for this time; see SERVER.
GATEWAY_HEADER = "X-Labelstudio-Proxy"
ORPHAN_VARIABLE = "LABELSTUDIO_PROXY_ORPHAN_SECONDS"
ORPHAN_WORDS = "no gateway has contacted it"  # in the last line that it prints
STOP_SECONDS = 30  # then the engine sends SIGKILL
PROCESSES = 512  # Label Studio has some 30 threads
LOG_BYTES = "1m"  # of the engine's log; labelstudio-proxy keeps another one

# A notebook folder at or below these paths would hide files that the image needs.
RESERVED = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys"),
    *("/var/run", "/label-studio", VOLUME),
)
# The same for a folder at exactly these paths.
RESERVED_ITSELF = (
    *("/", "/opt", "/tmp", "/usr", "/usr/bin", "/usr/lib"),  # noqa: S108
    *("/usr/local", "/usr/local/bin", "/usr/local/lib", "/usr/sbin", "/var", "/var/lib"),
)


@dataclass(frozen=True)
class Plan:
    """Everything that determines a container."""

    image: str  # its id
    user_name: str
    user: str  # uid:gid, in the container
    groups: tuple[int, ...]  # the user's other groups
    user_namespace: str  # empty: the engine's default
    binds: tuple[Bind, ...]
    hidden: tuple[str, ...]  # paths in them to hide, such as engines' sockets
    environment: Mapping[str, str]  # every user of the engine can see these
    private: Mapping[str, str]  # only Label Studio sees these
    memory: str | None
    cpus: float | None
    network: str | None
    security: tuple[str, ...]
    publish: bool  # a port, on the machine's loopback; False: Label Studio listens on a socket
    byte_code: str = ""  # the folder for it, as the engine sees it; empty: none
    directory: int = 0  # the inode of the data directory, which a restore changes

    @property
    def data(self) -> str:
        """The path of the data directory for the engine."""
        return next(bind.source for bind in self.binds if bind.target == DATA_DIR)

    @property
    def name(self) -> str:
        """One name for each user and data directory; the digest distinguishes similar ones."""
        readable = re.sub(r"[^A-Za-z0-9_.-]+", "-", self.user_name).strip("-._")[:40] or "user"
        identity = json.dumps([self.user_name, self.user, self.data])
        return f"labelstudio-proxy-{readable}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"

    def labels(self, key: str) -> dict[str, str]:
        """The owner and a digest of the settings; `key`: a secret, so that nobody guesses them."""
        return {
            **self.owner_labels(),
            SETTINGS_LABEL: self.digest(key),
            "labelstudio-proxy.version": __version__,
        }

    def owner_labels(self) -> dict[str, str]:
        """The labels that identify the owner of a container."""
        return {
            USER_LABEL: self.user_name,
            UID_LABEL: self.user,
            DATA_LABEL: self.data,
        }

    def digest(self, key: str) -> str:
        """A digest of everything that determines the container, except for the cache."""
        same = replace(self, byte_code="")
        programs = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for _, path in _programs())
        parts = [asdict(same), same._options(), programs, __version__]
        text = json.dumps(parts, sort_keys=True, default=str)
        return hmac.new(key.encode(), text.encode(), "sha256").hexdigest()[:32]

    def options(self, key: str) -> dict[str, Any]:
        """The arguments for the SDK's `containers.create`."""
        return {**self._options(), "name": self.name, "labels": self.labels(key)}

    def short_options(self, command: str) -> dict[str, Any]:
        """The same for a container that runs `command` of labelstudio_server.py without any data."""
        environment = {**self.environment, "LABEL_STUDIO_BASE_DATA_DIR": f"{VOLUME}/{TEMPORARY}"}
        mine = {"command": [command], "environment": environment, "network_mode": "none"}
        return {**self._options(), **mine}

    def _options(self) -> dict[str, Any]:
        address = f"0.0.0.0:{PORT}" if self.publish else f"{DATA_DIR}/{SOCKET}"
        command = ["serve", address, "--gunicorn", f"{VOLUME}/{GUNICORN.name}"]
        mounts = [
            Mount(bind.target, bind.source, type="bind", read_only=bind.read_only)
            for bind in self.binds
        ]
        mounts += [Mount(path, os.devnull, type="bind", read_only=True) for path in self.hidden]
        mounts.append(Mount(VOLUME, None, type="volume"))
        if self.byte_code:
            mounts.append(Mount(BYTE_CODE, self.byte_code, type="bind"))
        options: dict[str, Any] = {
            "image": self.image,
            "command": command,
            "entrypoint": ["sh", "-c", LAUNCHER, f"{VOLUME}/{SERVER.name}"],
            "environment": dict(self.environment),
            "user": self.user,
            "group_add": [str(group) for group in self.groups],
            "working_dir": "/tmp",  # noqa: S108 - inside the container
            "init": True,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true", *self.security],
            "read_only": True,
            "tmpfs": {"/tmp": "mode=1777"},  # noqa: S108
            "pids_limit": PROCESSES,
            "mounts": mounts,
            "log_config": LogConfig(
                type=LogConfig.types.JSON, config={"max-size": LOG_BYTES, "max-file": "2"}
            ),
            # Docker's configuration file may hold the password of a proxy.
            "use_config_proxy": False,
        }
        if self.publish:
            options["ports"] = {f"{PORT}/tcp": ("127.0.0.1", None)}
        optional = {
            "mem_limit": self.memory,
            "nano_cpus": int(self.cpus * 1e9) if self.cpus else None,
            "network": self.network,
            "userns_mode": self.user_namespace or None,
        }
        return options | {name: value for name, value in optional.items() if value is not None}

    def files(self, extra: Mapping[str, str]) -> bytes:
        """Return a tar archive for VOLUME: our modules and the private variables."""
        uid, gid = (int(number) for number in self.user.split(":"))
        # An engine that maps users unpacks with its own mapping, not the container's. Only the
        # engine's root can enter a volume.
        mode = 0o444 if self.user_namespace else 0o400
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            folder = tarfile.TarInfo(TEMPORARY)
            folder.type, folder.mode, folder.uid, folder.gid = tarfile.DIRTYPE, 0o700, uid, gid
            if self.user_namespace:
                folder.mode = 0o1777
            archive.addfile(folder)

            def add(name: str, data: bytes, mtime: float = 0) -> None:
                entry = tarfile.TarInfo(name)
                entry.mtime = int(mtime)  # Python recognises outdated byte code by it
                entry.size, entry.mode, entry.uid, entry.gid = len(data), mode, uid, gid
                archive.addfile(entry, io.BytesIO(data))

            for name, path in _programs():
                add(name, path.read_bytes(), path.stat().st_mtime)
            add("environment.json", json.dumps({**self.private, **extra}).encode())
        return buffer.getvalue()


def _programs() -> Iterator[tuple[str, Path]]:
    """Yield our modules and gunicorn's, with their names in VOLUME."""
    for path in MODULES:
        yield path.name, path
    for path in sorted(GUNICORN.rglob("*.py")):
        yield str(path.relative_to(GUNICORN.parent)), path


def container_environment(
    inherited: Mapping[str, str],
    files_root: Path | None,
    private: Mapping[str, str],
    *,
    aws_credentials: bool = False,
) -> dict[str, str]:
    """Return Label Studio's environment in a container, without what `private` sets itself.

    `aws_credentials`: the setting. The credentials themselves are private.
    """
    complete = labelstudio_environment(
        {name: value for name, value in inherited.items() if name in INHERITED},
        data_dir=Path(DATA_DIR),
        files_root=files_root,
        extra=private,
        aws_credentials=aws_credentials,
    )
    return {name: value for name, value in complete.items() if name not in private} | ENVIRONMENT


def check_paths(paths: Sequence[tuple[str, Path]], *, unquoted: bool = False) -> None:
    """Raise Problem for a folder that no container can have; `paths`: pairs of setting and path.

    `unquoted`: the engine joins mounts with commas and does not quote them, as Podman 4.3 does.
    """
    for setting, path in paths:
        text = str(path)
        remedy = f"Set `{setting}` to another folder and restart Jupyter."
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise Problem(
                f"The folder {path} cannot be given to a container.",
                "Its name is not valid UTF-8, which container engines need.",
                remedy,
            ) from None
        if any(ord(character) < 32 for character in text):
            raise Problem(
                f"The folder {text!r} cannot be given to a container.",
                "Its name contains a line end or another control character.",
                remedy,
            )
        if unquoted and re.search('[,"]', f"{text} {path.resolve()}"):
            raise Problem(
                f"Podman cannot give the folder {path} to a container.",
                "Its name contains a comma or a quotation mark.",
                remedy,
            )
    for setting, path in paths:
        if setting == "data_dir":  # it is always at DATA_DIR
            continue
        place = Path(os.path.normpath(path))  # as the engine resolves `..`
        if str(place) in RESERVED_ITSELF or any(map(place.is_relative_to, RESERVED)):
            raise Problem(
                f"The folder {path} cannot be given to Label Studio's container.",
                "In the container, this path belongs to the system or to Label Studio itself.",
                f"Set `{setting}` to a folder with notebooks, or to `''` for none, and restart Jupyter.",
            )
