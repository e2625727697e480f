"""Label Studio's container, as it is asked for: its name, its labels, its limits, its folders."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
import re
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from docker.types import LogConfig, Mount

from ..._version import __version__
from ...label_studio import programs
from ...label_studio.environment import labelstudio_environment
from ...problem import Problem
from .jupyter_container import Bind

PORT = 8080
DATA_DIR = "/label-studio/data"  # where Label Studio's image has its data directory
VOLUME = "/labelstudio-proxy"  # a volume that lives as long as the container
TEMPORARY = "temporary"  # a folder in it
SETTINGS = Path(programs.__file__).with_name("labelstudio_settings.py")

COMMAND = ["start", "--no-browser", "--internal-host", "0.0.0.0", "--port", str(PORT)]  # noqa: S104 - in a container
ENVIRONMENT = {
    "HOME": "/tmp",  # noqa: S108 - the container's own
    "TMPDIR": f"{VOLUME}/{TEMPORARY}",  # on disk: uploads pass through it, and /tmp is memory
    "LANG": "C.UTF-8",
    "PYTHONPATH": VOLUME,
    "DJANGO_SETTINGS_MODULE": SETTINGS.stem,
}
INHERITED = ("TZ",)  # all else is about another machine
# By which a container is known to be ours; with which settings it was made, and by which start.
USER_LABEL = "labelstudio-proxy.user"
UID_LABEL = "labelstudio-proxy.uid"
DATA_LABEL = "labelstudio-proxy.data-dir"
SETTINGS_LABEL = "labelstudio-proxy.settings"
START_LABEL = "labelstudio-proxy.start"
# A container stops if no request has this header for this time; see SETTINGS.
GATEWAY_HEADER = "X-Labelstudio-Proxy"
ORPHAN_VARIABLE = "LABELSTUDIO_PROXY_ORPHAN_SECONDS"
ORPHAN_SECONDS = 30 * 60
ORPHAN_WORDS = "no gateway has contacted it"  # in the last line that it prints
PROCESSES = 512  # Label Studio has some 30 threads
LOG_BYTES = "1m"  # what the engine keeps; labelstudio-proxy has a log of its own

# Paths at which a folder of the notebook's would hide what Label Studio's image needs, and those
# where only the folder itself would, not one in it.
TAKEN = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys"),
    *("/var/run", "/label-studio", VOLUME),
)
TAKEN_ITSELF = (
    *("/", "/opt", "/tmp", "/usr", "/usr/bin", "/usr/lib"),  # noqa: S108
    *("/usr/local", "/usr/local/bin", "/usr/local/lib", "/usr/sbin", "/var", "/var/lib"),
)


@dataclass(frozen=True)
class Plan:
    """All that a container is made of."""

    image: str  # its id
    user_name: str
    user: str  # uid:gid, in the container
    groups: tuple[int, ...]  # the user's other ones
    user_namespace: str  # empty: the engine's own
    binds: tuple[Bind, ...]
    hidden: tuple[str, ...]  # what in them the container must not have, such as engines' sockets
    environment: Mapping[str, str]  # what anybody who may ask the engine may see
    private: Mapping[str, str]  # and what only Label Studio may
    memory: str | None
    cpus: float | None
    network: str | None
    security: tuple[str, ...]
    publish: bool  # on the machine's loopback
    directory: int = 0  # the data directory's inode: a restore puts another in its place

    @property
    def data(self) -> str:
        """The data directory, by the engine's name for it."""
        return next(bind.source for bind in self.binds if bind.target == DATA_DIR)

    @property
    def name(self) -> str:
        """One for each user and data directory; the digest keeps apart what looks alike."""
        readable = re.sub(r"[^A-Za-z0-9_.-]+", "-", self.user_name).strip("-._")[:40] or "user"
        whose = json.dumps([self.user_name, self.user, self.data])
        return f"labelstudio-proxy-{readable}-{hashlib.sha256(whose.encode()).hexdigest()[:12]}"

    def labels(self, key: str) -> dict[str, str]:
        """Whose it is, and with which settings; `key` keeps those from being guessed."""
        return {
            **self.owner_labels(),
            SETTINGS_LABEL: self.digest(key),
            "labelstudio-proxy.version": __version__,
        }

    def owner_labels(self) -> dict[str, str]:
        """By which a container is known to be ours."""
        return {
            USER_LABEL: self.user_name,
            UID_LABEL: self.user,
            DATA_LABEL: self.data,
        }

    def digest(self, key: str) -> str:
        """Of everything that the container is made of."""
        settings = SETTINGS.read_text(encoding="utf-8")
        made_of = [asdict(self), self._made_of(), settings, __version__]
        whole = json.dumps(made_of, sort_keys=True, default=str)
        return hmac.new(key.encode(), whole.encode(), "sha256").hexdigest()[:32]

    def options(self, key: str) -> dict[str, Any]:
        """The arguments for the SDK's `containers.create`."""
        return {**self._made_of(), "labels": self.labels(key)}

    def _made_of(self) -> dict[str, Any]:
        mounts = [
            Mount(bind.target, bind.source, type="bind", read_only=bind.read_only)
            for bind in self.binds
        ]
        mounts += [Mount(path, os.devnull, type="bind", read_only=True) for path in self.hidden]
        mounts.append(Mount(VOLUME, None, type="volume"))
        options: dict[str, Any] = {
            "image": self.image,
            "command": COMMAND,
            "entrypoint": ["label-studio"],
            "name": self.name,
            "environment": dict(self.environment),
            "user": self.user,
            "group_add": [str(group) for group in self.groups],
            "working_dir": "/tmp",  # noqa: S108 - the container's own
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
            # Of the Docker client's configuration, which may hold a proxy's password.
            "use_config_proxy": False,
        }
        if self.publish:
            options["ports"] = {f"{PORT}/tcp": ("127.0.0.1", None)}
        chosen = {
            "mem_limit": self.memory,
            "nano_cpus": int(self.cpus * 1e9) if self.cpus else None,
            "network": self.network,
            "userns_mode": self.user_namespace or None,
        }
        return options | {name: value for name, value in chosen.items() if value is not None}

    def files(self, extra: Mapping[str, str]) -> bytes:
        """An archive for VOLUME: our settings module, and what only Label Studio may see."""
        uid, gid = (int(number) for number in self.user.split(":"))
        # An engine that maps users unpacks for those of its own mapping, whatever the container's.
        # Nobody but the engine's root gets into a volume.
        mode = 0o444 if self.user_namespace else 0o400
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as archive:
            folder = tarfile.TarInfo(TEMPORARY)
            folder.type, folder.mode, folder.uid, folder.gid = tarfile.DIRTYPE, 0o700, uid, gid
            if self.user_namespace:
                folder.mode = 0o1777
            archive.addfile(folder)
            for name, text in (
                (SETTINGS.name, SETTINGS.read_text(encoding="utf-8")),
                ("environment.json", json.dumps({**self.private, **extra})),
            ):
                data = text.encode()
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode, entry.uid, entry.gid = len(data), mode, uid, gid
                archive.addfile(entry, io.BytesIO(data))
        return made.getvalue()


def container_environment(
    inherited: Mapping[str, str], files_root: Path | None, private: Mapping[str, str]
) -> dict[str, str]:
    """What Label Studio gets in a container, less what `private` (the setting) brings itself."""
    whole = labelstudio_environment(
        {name: value for name, value in inherited.items() if name in INHERITED},
        data_dir=Path(DATA_DIR),
        files_root=files_root,
        extra=private,
    )
    return {name: value for name, value in whole.items() if name not in private} | ENVIRONMENT


def check_paths(paths: Sequence[tuple[str, Path]], *, unquoted: bool = False) -> None:
    """Refuse folders that cannot be had in a container; `paths`: setting and path. Raises Problem.

    `unquoted`: by an engine that makes text of its mounts with commas in between, as Podman does.
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
                "There is a line end or another control character in its name.",
                remedy,
            )
        if unquoted and re.search('[,"]', f"{text} {path.resolve()}"):
            raise Problem(
                f"Podman cannot give the folder {path} to a container.",
                "There is a comma or a quotation mark in its name.",
                remedy,
            )
    for setting, path in paths:
        if setting == "data_dir":  # it has a place of its own in the container
            continue
        place = Path(os.path.normpath(path))  # as the engine takes it, `..` included
        if str(place) in TAKEN_ITSELF or any(place.is_relative_to(taken) for taken in TAKEN):
            raise Problem(
                f"The folder {path} cannot be given to Label Studio's container.",
                "In the container, the system or Label Studio itself is at this path.",
                f"Set `{setting}` to a folder that holds the notebooks, or to `''` for none, and "
                "restart Jupyter.",
            )
