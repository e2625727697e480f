"""Rootless container engines of the plain user, for tests only. Needs root, to become that user."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

from .engine import PATH, RUN, Engine
from .plain_user import GID, UID
from .processes import END_WITH_THE_TESTS, pids_that_mention

NAME = "ada"
# The ids that the user's containers have besides the user's own: the first one, and how many.
SUBORDINATE = "1000000:65536"
# As root, in a mount namespace: gives the engine an account with subordinate ids, a store in root's
# cache, and the device for networks, which udev opens to all users where it runs.
LAUNCHER = """\
home=$1 store=$2; shift 2
for file in passwd subuid subgid; do mount --bind "$home/$file" "/etc/$file"; done
mount --bind "$store" "$home/store"
mount --bind "$home/tun" /dev/net/tun
exec "$@"
"""


class RootlessEngine(Engine):
    """An engine that the plain user runs, with an own store and in an own mount namespace."""

    @classmethod
    def unavailable(cls) -> str:
        if reason := super().unavailable():
            return reason
        command = ["unshare", "--user", "--map-root-user", "true"]
        if subprocess.run(command, check=False, user=UID, group=GID).returncode:
            return f"no {cls.name}: this machine does not allow user namespaces"
        return ""

    def __init__(self) -> None:
        super().__init__()
        self.state = RUN / f"{self.name}{self.slot}"  # Podman needs it below /run
        self.address = f"unix://{self._own}/engine.sock"

    @property
    def _own(self) -> Path:
        """The user's home folder."""
        return self.home / NAME

    def engine_command(self) -> list[str]:
        raise NotImplementedError

    def command(self) -> list[str]:
        user = ("--reuid", str(UID), "--regid", str(GID), "--clear-groups")
        return [
            *("unshare", "--mount", "sh", "-ec", LAUNCHER, "sh", str(self.home), str(self.store)),
            # Another user's process forgets that it ends with the tests.
            *("setpriv", *user, *END_WITH_THE_TESTS[1:], *self.engine_command()),
        ]

    def environment(self) -> dict[str, str]:
        return {
            "PATH": PATH,
            "HOME": str(self._own),
            "USER": NAME,
            "XDG_RUNTIME_DIR": str(self.state),
            "XDG_DATA_HOME": str(self.home / "store"),
        }

    def set_up(self) -> None:
        self.home.chmod(0o711)
        for folder in (self.state, self.store, self.home / "store", self._own, self.cache):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.chown(folder, UID, GID)
        passwd = Path("/etc/passwd").read_text()
        account = f"{NAME}:x:{UID}:{GID}::{self._own}:/bin/sh\n"
        (self.home / "passwd").write_text(passwd + account)
        for file in ("subuid", "subgid"):
            (self.home / file).write_text(f"{NAME}:{SUBORDINATE}\n")
        tun = self.home / "tun"
        if not tun.exists():
            subprocess.run(["mknod", "--mode=666", tun, "c", "10", "200"], check=True)

    def tear_down(self) -> None:
        shutil.rmtree(self.state, ignore_errors=True)


class RootlessDocker(RootlessEngine):
    """A dockerd in RootlessKit, with the script of its package."""

    name = "rootless-dockerd"
    programs = ("dockerd-rootless.sh", "dockerd", "rootlesskit", "newuidmap", "slirp4netns")

    def engine_command(self) -> list[str]:
        return ["dockerd-rootless.sh", "--host", self.address]


class RootlessPodman(RootlessEngine):
    """Podman's service, as `systemctl --user enable --now podman.socket` starts it."""

    name = "rootless-podman"
    programs = ("podman", "newuidmap", "slirp4netns", "catatonit", "runc")

    def engine_command(self) -> list[str]:
        # Without these, this version takes slow copies instead of overlays where there is no FUSE,
        # and a runtime that knows no mixed cgroups.
        options = ("--storage-driver", "overlay", "--runtime", "runc")
        return ["podman", *options, "system", "service", "--time", "0", self.address]

    def end_containers(self) -> None:
        for container in self.client.containers.list():
            container.kill()
        # As systemd does: not every signal to the service reaches its child, and the process that
        # keeps the user's namespace outlives both.
        for pid in pids_that_mention(self.state):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
