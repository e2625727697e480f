"""Container engines of the tests' own: a private dockerd, and Podman's service.

They are nobody else's: what they hold may be removed, and they may be killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import IO, Any

import docker

from .processes import Process, clean_environment, pids_that_mention, wait_for

RUN = Path("/run/labelstudio-proxy-tests")

# where programs for administrators are, which are not on every user's PATH
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])


class Engine:
    """What the engines have in common. `start()` it and `stop()` it, as often as need be.

    Images and what else it stores stay in the user's cache for the next run. Test runs at the
    same time have separate stores: `slot` is this one's number.
    """

    name: str
    # what has to be installed; see scripts/system-packages
    programs: tuple[str, ...]

    @classmethod
    def unavailable(cls) -> str:
        """Why it cannot be run here; empty if it can."""
        if missing := [each for each in cls.programs if shutil.which(each, path=PATH) is None]:
            return f"no {cls.name}, for there is no {' and no '.join(missing)}"
        if os.geteuid() != 0:
            return f"no {cls.name}, for only root can run one for tests"
        if subprocess.run(["unshare", "--mount", "--net", "true"], check=False).returncode:
            return f"no {cls.name}, for this machine lets nobody make namespaces"
        return ""

    def __init__(self) -> None:
        # short, since paths of sockets are limited to some 100 characters
        self.home = Path(tempfile.mkdtemp(prefix="engine-", dir="/tmp"))
        # processes of the engine have it in their command line, those of its users have not
        self.state = self.home / "state"
        self.address = f"unix://{self.home}/engine.sock"
        self.process: Process | None = None
        self.killed = False
        self._client: docker.DockerClient | None = None
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self.slot, self._lock = _take_slot(self.name)
        self.store = cache / "labelstudio-proxy-tests" / self.name / str(self.slot)

    # ---- for engines to define

    def command(self) -> list[str]:
        raise NotImplementedError

    def set_up(self) -> None:
        """Before every start."""

    def end_containers(self) -> None:
        """Before every stop, where they would outlive it."""

    def tear_down(self) -> None:
        """After every stop."""

    def environment(self) -> dict[str, str]:
        return clean_environment(self.home) | {"PATH": PATH}

    # ---- its life

    @property
    def log(self) -> Path:
        return self.home / f"{self.name}.log"

    @property
    def client(self) -> docker.DockerClient:
        if self._client is None:
            self._client = docker.DockerClient(self.address, timeout=300)
        return self._client

    def start(self) -> None:
        self.set_up()
        # a test run that is killed takes it along
        command = ["setpriv", "--pdeathsig", "TERM", *self.command()]
        self.process = Process(command, env=self.environment(), cwd=self.home, log=self.log)
        self.killed = False
        try:
            self.process.wait_until(self._answers, what=f"{self.name}'s answer", timeout=60)
        except BaseException:
            self.stop()
            raise

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, docker.errors.DockerException):
            # the SDK does not close a socket that it cannot connect
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(self.address.removeprefix("unix://"))
            return bool(self.client.ping())
        return False

    def stop(self) -> None:
        """End it and all of its processes; AssertionError if it leaves any behind."""
        if self.killed:
            self.start()  # which ends, or finds again, what it has left
        if self.process is None:
            return
        self.thaw()
        self.end_containers()
        self._close_client()
        in_time = self.process.stop(timeout=60)
        self.process = None
        try:
            wait_for(
                lambda: not pids_that_mention(self.state),
                what=f"the processes of {self.name}: {pids_that_mention(self.state)}",
                timeout=20,
            )
            assert in_time, f"{self.name} did not end within 60 s of SIGTERM"
        finally:
            for pid in pids_that_mention(self.state):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.tear_down()

    def kill(self) -> None:
        """Kill it, as a crash would: containers may run until the next `start()` or `stop()`."""
        self._close_client()
        self._signal(signal.SIGKILL)
        assert self.process
        self.process.stop()
        self.process = None
        self.killed = True

    def freeze(self) -> None:
        """It accepts connections, and says nothing, until `thaw()`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop it for good."""
        try:
            self.stop()
        finally:
            self._lock.close()
            shutil.rmtree(self.home, ignore_errors=True)

    def clear(self) -> None:
        """Remove all containers, volumes and networks."""
        for container in self.client.containers.list(all=True, ignore_removed=True):
            with contextlib.suppress(docker.errors.NotFound):
                container.remove(force=True, v=True)
        for volume in self.client.volumes.list():
            volume.remove(force=True)
        for network in self.client.networks.list():
            if network.name not in {"bridge", "host", "none"}:
                network.remove()

    def _signal(self, number: int) -> None:
        if self.process and self.process.returncode is None:
            os.kill(self.process.pid, number)

    def _close_client(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _take_slot(name: str) -> tuple[int, IO[Any]]:
    """The lowest number that no test run on this machine has, and the file that keeps it."""
    RUN.mkdir(exist_ok=True)
    for slot in itertools.count():
        lock = (RUN / f"{name}{slot}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return slot, lock
    raise AssertionError


class DockerEngine(Engine):
    """A dockerd with its containerd.

    It has its own bridge and leaves the machine's firewall alone, so that it gets on with
    another dockerd. Published ports are reached on 127.0.0.1, and containers reach each other and
    this machine, but nothing else.
    """

    name = "dockerd"
    programs = ("dockerd", "debootstrap", "ip", "iptables")

    @property
    def _bridge(self) -> str:
        return f"lsp-tests{self.slot}"

    @property
    def _forward(self) -> list[str]:
        """Another dockerd has the machine forward nothing unknown to it, even within a bridge."""
        bridged = ["--match", "physdev", "--physdev-is-bridged"]
        whose = ["--match", "comment", "--comment", self._bridge]
        return ["FORWARD", *bridged, *whose, "--jump", "ACCEPT"]

    def command(self) -> list[str]:
        return [
            "dockerd",
            *("--host", self.address, "--data-root", str(self.store)),
            *("--exec-root", str(self.state), "--pidfile", str(self.state / "dockerd.pid")),
            *("--config-file", str(self.home / "none.json")),
            *("--bridge", self._bridge, "--iptables=false", "--ip-masq=false"),
            # Docker repeats a layer only once: the pull fails, and we repeat it.
            "--max-download-attempts=1",
        ]

    def kill(self) -> None:
        super().kill()
        # containerd ends with it; its number must not be taken for that of a living process
        pid_file = self.state / "containerd" / "containerd.pid"
        pid = int(pid_file.read_text())
        wait_for(lambda: pid not in pids_that_mention(self.state), what="containerd's end")
        pid_file.unlink()

    def set_up(self) -> None:
        self.tear_down()  # what a run that was killed has left
        self.state.mkdir(exist_ok=True)
        (self.home / "none.json").write_text("{}")
        _run("ip", "link", "add", self._bridge, "type", "bridge")
        _run("ip", "address", "add", f"10.213.{self.slot}.1/24", "dev", self._bridge)
        _run("iptables", "--insert", *self._forward)

    def tear_down(self) -> None:
        _try("iptables", "--delete", *self._forward)
        _try("ip", "link", "delete", self._bridge)
        _try("umount", str(self.store))


class PodmanService(Engine):
    """Podman, answering as Docker does, apart from what else Podman runs here.

    It downloads without TLS only from the registries given to `trust()`.
    """

    name = "podman"
    programs = ("podman", "debootstrap", "catatonit", "runc", "iptables")

    def __init__(self) -> None:
        super().__init__()
        # its store insists on the same folder ever after
        self.state = RUN / f"podman{self.slot}"
        # `bridge` to the clients. The first one, on which tests usually run, has Podman's own name
        self.default_network = f"podman{self.slot or ''}"

    def command(self) -> list[str]:
        return [
            *("podman", "--root", str(self.store), "--runroot", str(self.state)),
            *("--tmpdir", str(self.state / "libpod")),
            *("system", "service", "--time", "0", self.address),
        ]

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            "CONTAINERS_CONF": str(self.home / "containers.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(self._registries),
        }

    @property
    def _networks(self) -> Path:
        return self.home / "networks"

    @property
    def _registries(self) -> Path:
        return self.home / "registries.conf"

    def trust(self, registry: str) -> None:
        """Restarts it, unless it does already."""
        if f'"{registry}"' in self._registries.read_text():
            return
        with self._registries.open("a") as file:
            file.write(f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n')
        self.stop()
        self.start()

    def set_up(self) -> None:
        self.state.mkdir(exist_ok=True)
        _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
        _, tasks = resource.getrlimit(resource.RLIMIT_NPROC)
        if not 0 < tasks < 32768:  # Podman lowers its own to the machine's highest pid
            tasks = 32768
        settings: dict[str, dict[str, Any]] = {
            # what works on machines without systemd, whichever cgroups they have
            "engine": {"cgroup_manager": "cgroupfs", "events_logger": "file", "runtime": "runc"},
            # not more than this process has, which not every root may exceed
            "containers": {
                "default_ulimits": [f"nofile={files}:{files}", f"nproc={tasks}:{tasks}"]
            },
            "network": {
                "network_config_dir": str(self._networks),
                "default_network": self.default_network,
            },
        }
        with (self.home / "containers.conf").open("w") as file:
            for section, values in settings.items():
                file.write(f"[{section}]\n")
                file.writelines(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
        self._networks.mkdir(exist_ok=True)
        network = self._networks / f"{self.default_network}.json"
        network.write_text(json.dumps(self._default_network()))
        if not self._registries.exists():
            self._registries.write_text('unqualified-search-registries = ["docker.io"]\n')

    def _default_network(self) -> dict[str, Any]:
        """Not the one that every other Podman on this machine has, to go with the last of them."""
        return {
            "name": self.default_network,
            "id": hashlib.sha256(str(self.state).encode()).hexdigest(),
            "driver": "bridge",
            "network_interface": f"lsp-podman{self.slot}",
            "created": "2000-01-01T00:00:00Z",
            "subnets": [{"subnet": f"10.214.{self.slot}.0/24", "gateway": f"10.214.{self.slot}.1"}],
            "ipv6_enabled": False,
            "internal": False,
            "dns_enabled": False,
            "ipam_options": {"driver": "host-local"},
        }

    def end_containers(self) -> None:
        for container in self.client.containers.list():
            with contextlib.suppress(docker.errors.APIError):
                container.kill()

    def tear_down(self) -> None:
        _try("umount", str(self.store / "overlay"))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, env={"PATH": PATH}, timeout=60)


def _try(*command: str) -> None:
    with contextlib.suppress(subprocess.CalledProcessError):
        _run(*command)
