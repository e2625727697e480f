"""Label Studio as a local process, of this environment or of another one."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...config.settings import absolute
from ...label_studio import programs
from ...label_studio.build import Build
from ...label_studio.exit_reasons import Explained
from ...label_studio.port_owner import own_listener
from ...label_studio.upstream import Endpoint
from ...problem import Problem
from ..base import Backend, Owner, Report

SERVER = Path(programs.__file__).with_name("labelstudio_server.py")
STOP_SECONDS = 30.0
# For one whose Jupyter was killed: what it has acknowledged is on the disk.
LEAVE_SECONDS = 2.0
PROBE_SECONDS = 30.0
PORT_POLL_SECONDS = 1.0
SOCKET_PATH_LIMIT = 100  # bytes; the kernel's is 108 on Linux, 104 on macOS

INSTALL = (
    "Install it into the notebook's environment, `pip install 'labelstudio-proxy[local]'`, or into "
    "one of its own and name its `label-studio` executable in the setting `label_studio`."
)


@dataclass(frozen=True)
class Installation:
    """A Label Studio that was found."""

    executable: Path | None  # None: only as a module of `python`
    python: Path | None  # the interpreter it is installed for; None: not known
    version: str
    wsgi_server: bool  # whether gunicorn is installed beside it
    build: Build = field(default_factory=Build)


class ProcessBackend(Backend):
    """Runs `labelstudio_server.py` on a unix socket, else `label-studio start` on a port."""

    name = "process"
    steps = (
        ("find", "Find Label Studio"),
        ("load", "Load Label Studio"),
        ("database", "Prepare the database"),
        ("answer", "Wait for the first response"),
    )

    def __init__(
        self,
        report: Report,
        log: Callable[[str], None],
        *,
        label_studio: str,
        environment: Mapping[str, str],
    ) -> None:
        """`label_studio`: the setting; `environment`: the whole of what Label Studio gets."""
        super().__init__(report, log)
        self._label_studio = label_studio
        self._environment = dict(environment)
        self._installation: Installation | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._socket_dir: Path | None = None
        self._port: int | None = None
        self._applied = 0
        self._migrations = 0

    async def prepare(self) -> None:
        self.report("find")
        self._installation = await find_installation(self._label_studio)
        self.versions["Label Studio"] = self._installation.version
        self.build = self._installation.build
        self.report("find", detail=f"Label Studio {self._installation.version}")

    async def launch(self, owner: Owner | None, *, background: bool) -> Endpoint:
        assert self._installation is not None, "prepare() comes first"
        self.report("load")
        environment = dict(self._environment)
        if owner is not None:
            environment["LABEL_STUDIO_USERNAME"] = owner.email
            environment["LABEL_STUDIO_PASSWORD"] = owner.password
        # For labelstudio_server.py, which ends with the gateway.
        environment["LABELSTUDIO_PROXY_PARENT"] = str(os.getpid())
        environment["LABELSTUDIO_PROXY_BACKGROUND"] = "1" if background else ""
        endpoint, command = self._command(self._installation)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                env=environment,
                cwd=environment["LABEL_STUDIO_BASE_DATA_DIR"],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
            )
        except OSError as error:
            self._remove_socket()
            raise Problem(
                f"{command[0]} could not be started.",
                f"{error.strerror or error}.",
                "Check the setting `label_studio` and the installation it names, then try again.",
            ) from error
        self._reader = asyncio.create_task(self._read(self._process))
        return endpoint

    async def wait(self) -> str:
        assert self._process is not None, "launch() comes first"
        code = await self._end(self._process)
        if self._reader is not None:
            # A grandchild that keeps the pipe open must not hide that Label Studio has ended.
            await asyncio.wait([self._reader], timeout=1)
        return _ending(code)

    async def _end(self, process: asyncio.subprocess.Process) -> int:
        """The exit status; raises Problem where a stranger has the port that it was to have."""
        ended = asyncio.create_task(process.wait())
        try:
            while self._port is not None and not ended.done():
                await asyncio.wait([ended], timeout=PORT_POLL_SECONDS)
                if await asyncio.to_thread(own_listener().holds, self._port):
                    break  # and keeps it until it ends
                stranger = await asyncio.to_thread(own_listener().foreign, self._port)
                if stranger is not None and not ended.done():
                    raise Problem(
                        f"Somebody else listens at the port {self._port} of Label Studio.",
                        f"A program of the user with the number {stranger} took it before Label "
                        "Studio could.",
                        "Try again: another port is taken each time. With gunicorn installed beside "
                        "Label Studio, no port is needed.",
                    )
            return await ended
        finally:
            ended.cancel()

    def explain(self, how: str, tail: Sequence[str]) -> Problem:
        found = self._installation
        says_nothing = how.startswith("exit") and not any(tail)
        if found is not None and found.python is None and says_nothing:
            return Explained(
                f"{found.executable} ended without a word ({how}).",
                "It may be another program than Label Studio.",
                "Correct the setting `label_studio` and restart Jupyter: it must name the "
                "`label-studio` executable.",
            )
        return super().explain(how, tail)

    async def stop(self) -> None:
        await self._end_within(STOP_SECONDS)

    async def detach(self) -> bool:
        await self._end_within(LEAVE_SECONDS)
        return False

    async def _end_within(self, seconds: float) -> None:
        process = self._process
        if process is not None:
            if process.returncode is None:
                _signal_group(process.pid, signal.SIGTERM)
                _signal_group(process.pid, signal.SIGCONT)  # else one that was stopped would wait
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(process.wait(), seconds)
            # Whatever of its group is left, Label Studio itself included.
            _signal_group(process.pid, signal.SIGKILL)
            await process.wait()
        if self._reader is not None:
            await asyncio.wait([self._reader], timeout=1)
            self._reader.cancel()
        self._remove_socket()

    def _command(self, found: Installation) -> tuple[Endpoint, list[str]]:
        if found.python is not None and found.wsgi_server:
            path = self._make_socket_dir() / "label-studio.sock"
            return Endpoint(unix_socket=path), [str(found.python), str(SERVER), "serve", str(path)]
        assert found.executable is not None, "a module without gunicorn is refused when found"
        port = _free_port()
        self._port = port
        return Endpoint(port=port, listener=own_listener()), [
            *(sys.executable, str(SERVER), "exec", str(found.executable)),
            *("start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)),
        ]

    def _make_socket_dir(self) -> Path:
        folder = tempfile.gettempdir()
        if len(os.fsencode(folder)) + 50 > SOCKET_PATH_LIMIT:
            folder = "/tmp"  # noqa: S108 - mkdtemp makes a private folder in it
        self._socket_dir = Path(tempfile.mkdtemp(prefix="labelstudio-proxy-", dir=folder))
        return self._socket_dir

    def _remove_socket(self) -> None:
        if self._socket_dir is not None:
            shutil.rmtree(self._socket_dir, ignore_errors=True)
            self._socket_dir = None

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        rest = b""
        while chunk := await process.stdout.read(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._take(line)
            if len(rest) > 1024 * 1024:  # a line without end
                self._take(rest)
                rest = b""
        if rest:
            self._take(rest)

    def _take(self, raw: bytes) -> None:
        line = raw.decode(errors="replace").rstrip("\r")
        self.log(line)
        # Where it runs by labelstudio_server.py, its lines tell how far it is.
        if match := re.fullmatch(r"labelstudio-proxy: (\d+) migrations to apply", line):
            self._migrations = int(match[1])
            if self._migrations:
                self.report("database", done=0, total=self._migrations)
        elif line.startswith("  Applying ") and self._applied < self._migrations:
            self._applied += 1
            self.report("database", done=self._applied, total=self._migrations)
        elif line == "labelstudio-proxy: Making the account":
            self.report("database", detail="making the account")
        elif line == "labelstudio-proxy: Serving":
            self.report("answer")


def is_installed(label_studio: str) -> bool:
    """Whether there is a Label Studio to look into; `label_studio`: the setting."""
    return bool(label_studio or _is_importable() or shutil.which("label-studio"))


def _is_importable() -> bool:
    return _package() is not None


def _package() -> Path | None:
    spec = importlib.util.find_spec("label_studio")
    # Without an origin it is a mere folder of that name.
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


async def find_installation(label_studio: str) -> Installation:
    """Find Label Studio: at `label_studio`, else in this environment, else on `PATH`.

    Raises Problem where there is none, or where `label_studio` names something else.
    """
    if label_studio:
        return await _installation_at(
            absolute(label_studio), "The setting `label_studio` names it."
        )
    if (package := _package()) is not None:
        beside = Path(sys.executable).with_name("label-studio")
        return _usable(
            Installation(
                beside if beside.exists() else None,
                Path(sys.executable),
                importlib.metadata.version("label-studio"),
                importlib.util.find_spec("gunicorn") is not None,
                Build.of_package(package),
            )
        )
    if found := shutil.which("label-studio"):
        return await _installation_at(Path(found), "It is the first on PATH.")
    raise Problem(
        "Label Studio is not installed.",
        "It is neither in the notebook's environment nor on PATH, and the setting `label_studio` "
        "is empty.",
        INSTALL,
    )


async def _installation_at(executable: Path, origin: str) -> Installation:
    python = await asyncio.to_thread(_checked, executable, origin)
    probed = await _probe(python) if python is not None else None
    if probed is not None and "label-studio" in probed:
        build = Build.of_package(Path(probed["folder"])) if "folder" in probed else Build()
        return Installation(executable, python, probed["label-studio"], "gunicorn" in probed, build)
    # A wrapper (a shell script, `conda run`): it can be run, but not looked into.
    return Installation(executable, None, "(version unknown)", False)


def _checked(executable: Path, origin: str) -> Path | None:
    """The interpreter of an executable that can be run; raises Problem if it cannot."""
    if not executable.is_file():
        raise Problem(
            f"There is no Label Studio at {executable}.",
            f"{origin} But {'a folder' if executable.is_dir() else 'nothing'} is there.",
            f"Correct the setting `label_studio` and restart Jupyter. {INSTALL}",
        )
    if not os.access(executable, os.X_OK):
        raise Problem(
            f"{executable} cannot be run.",
            f"{origin} But the file is not executable for this user.",
            f"`chmod +x {executable}`, or correct the setting `label_studio` and restart Jupyter.",
        )
    return interpreter_of(executable)


def _usable(found: Installation) -> Installation:
    if found.wsgi_server or found.executable is not None:
        return found
    raise Problem(
        "Label Studio is installed, but it cannot be run.",
        "Neither its `label-studio` executable nor gunicorn is in the notebook's environment.",
        INSTALL,
    )


def interpreter_of(executable: Path) -> Path | None:
    """The Python interpreter that a script of pip or conda runs under; None: not such a script."""
    try:
        with executable.open("rb") as file:
            head = file.read(1024).decode(errors="replace")
    except OSError:
        return None
    # pip writes `#!/path/to/python`, and for a long path, or one with a space, a `/bin/sh` script
    # whose second line is '''exec' "/path/to/python" "$0" "$@".
    match = re.match(r"#!(?:/bin/sh\n'''exec' \"?)?(/[^\n\"]*?python[^\n\"/ ]*)", head)
    if match and os.access(match[1], os.X_OK):
        return Path(match[1])
    return None


async def _probe(python: Path) -> dict[str, str] | None:
    try:
        process = await asyncio.create_subprocess_exec(
            *(str(python), str(SERVER), "probe"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    try:
        output, _ = await asyncio.wait_for(process.communicate(), PROBE_SECONDS)
        found: dict[str, str] = json.loads(output)
    except (asyncio.TimeoutError, ValueError):
        return None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter: macOS, all zombies
        os.killpg(leader, number)


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    return f"signal {signal.Signals(-code).name}"
