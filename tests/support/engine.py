"""Container engines for tests only: a private dockerd, and Podman's service.

Tests may kill them and remove everything in them.
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

from .processes import Process, clean_environment, command_line, pids_that_mention, wait_for

RUN = Path("/run/labelstudio-proxy-tests")

# With the folders of administrators' programs.
PATH = os.pathsep.join(
    [
        os.environ.get("PATH", ""),
        *("/usr/local/sbin", "/usr/sbin", "/sbin"),
        # Debian's script for a rootless dockerd.
        "/usr/share/docker.io/contrib",
    ]
)


class Engine:
    """A container engine; `start()` and `stop()` work repeatedly.

    Its store stays in the user's cache for the next run. Parallel test runs have different stores:
    `slot` is the number of this one.
    """

    name: str
    # scripts/system-packages installs them.
    programs: tuple[str, ...]

    @classmethod
    def unavailable(cls) -> str:
        """Return why it cannot run here, an empty string if it can."""
        if missing := [each for each in cls.programs if shutil.which(each, path=PATH) is None]:
            return f"no {cls.name}: {' and '.join(missing)} not installed"
        if os.geteuid() != 0:
            return f"no {cls.name}: only root can run it"
        if subprocess.run(["unshare", "--mount", "--net", "true"], check=False).returncode:
            return f"no {cls.name}: this machine does not allow new namespaces"
        return ""

    def __init__(self) -> None:
        # Short: the path of a socket has at most about 100 characters.
        self.home = Path(tempfile.mkdtemp(prefix="engine-", dir="/tmp"))
        # Processes of the engine have it in their command line; processes of its users do not.
        self.state = self.home / "state"
        self.address = f"unix://{self.home}/engine.sock"
        self.process: Process | None = None
        self.killed = False
        self._client: docker.DockerClient | None = None
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self.slot, self._lock = _take_slot(self.name)
        self.store = cache / "labelstudio-proxy-tests" / self.name / str(self.slot)

    @property
    def cache(self) -> Path:
        """A user's cache for Jupyters of several tests: the first one compiles Label Studio."""
        return self.home / "cache"

    # ---- for subclasses

    def command(self) -> list[str]:
        raise NotImplementedError

    def set_up(self) -> None:
        """Called before every start."""

    def end_containers(self) -> None:
        """Called before every stop, if containers outlive the engine."""

    def tear_down(self) -> None:
        """Called after every stop."""

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

    @property
    def socket(self) -> Path:
        return Path(self.address.removeprefix("unix://"))

    def start(self) -> None:
        self.set_up()
        self.process = Process(self.command(), env=self.environment(), cwd=self.home, log=self.log)
        self.killed = False
        try:
            self.process.wait_until(self._responds, what=f"a response of {self.name}", timeout=60)
        except BaseException:
            self.stop()
            raise

    def _responds(self) -> bool:
        with contextlib.suppress(OSError, docker.errors.DockerException):
            # The SDK leaves a socket open if it cannot connect it.
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(self.address.removeprefix("unix://"))
            return bool(self.client.ping())
        return False

    def stop(self) -> None:
        """Stop it; raises AssertionError if processes are left."""
        if self.killed:
            self.start()  # it stops or adopts its old processes
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
                what=lambda: (
                    f"the processes of {self.name}: "
                    f"{[command_line(pid) for pid in pids_that_mention(self.state)]}"
                ),
                timeout=20,
            )
            assert in_time, f"{self.name} did not end within 60 s of SIGTERM"
        finally:
            for pid in pids_that_mention(self.state):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.tear_down()

    def kill(self) -> None:
        """Kill it; containers may run until the next `start()` or `stop()`."""
        self._close_client()
        self._signal(signal.SIGKILL)
        assert self.process
        self.process.stop()
        self.process = None
        self.killed = True

    def freeze(self) -> None:
        """Make it accept connections and not respond, until `thaw()`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop it and remove its files."""
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
    """Return the lowest free number on this machine, and the locked file that reserves it."""
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

    It has its own bridge and does not change the firewall, so that another dockerd can run, too.
    Published ports are on 127.0.0.1. Containers reach each other and this machine only.
    """

    name = "dockerd"
    programs = ("dockerd", "debootstrap", "ip", "iptables")

    @property
    def host(self) -> str:
        """This machine's address in the network of the containers."""
        return f"10.213.{self.slot}.1"

    @property
    def _bridge(self) -> str:
        return f"lsp-tests{self.slot}"

    @property
    def _forward(self) -> list[str]:
        """The rule that allows traffic in our bridge, which another dockerd forbids."""
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
        # containerd ends with it. Its pid may be reused.
        pid_file = self.state / "containerd" / "containerd.pid"
        pid = int(pid_file.read_text())
        wait_for(lambda: pid not in pids_that_mention(self.state), what="the end of containerd")
        pid_file.unlink()

    def set_up(self) -> None:
        self.tear_down()  # after a run that was killed
        self.state.mkdir(exist_ok=True)
        (self.home / "none.json").write_text("{}")
        _run("ip", "link", "add", self._bridge, "type", "bridge")
        _run("ip", "address", "add", f"{self.host}/24", "dev", self._bridge)
        _run("iptables", "--insert", *self._forward)

    def tear_down(self) -> None:
        _try("iptables", "--delete", *self._forward)
        _try("ip", "link", "delete", self._bridge)
        _try("umount", str(self.store))


class PodmanService(Engine):
    """Podman's service with Docker's API, separate from other Podmans on this machine.

    It pulls without TLS only from registries that it was told to `trust()`.
    """

    name = "podman"
    programs = ("podman", "debootstrap", "catatonit", "runc", "iptables")

    def __init__(self) -> None:
        super().__init__()
        # Its store always requires the same folder.
        self.state = RUN / f"podman{self.slot}"
        # Clients see it as `bridge`. In slot 0 it has Podman's default name.
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
        """Trust a registry; restarts the service if that is new."""
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
        if not 0 < tasks < 32768:  # Podman lowers its limit to the highest pid
            tasks = 32768
        settings: dict[str, dict[str, Any]] = {
            # These work without systemd, with every version of cgroups.
            "engine": {"cgroup_manager": "cgroupfs", "events_logger": "file", "runtime": "runc"},
            # Not above the limits of this process, which root may be unable to raise.
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
        """A network that no other Podman on this machine uses or removes."""
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
