"""Label Studio as a local process that listens on a unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

import psutil

from ...aio import begin_task
from ...config.notebook_files import check_files_root
from ...data_directory.foreign_processes import PARENT
from ...installation.folder import InstallFolder, hold
from ...label_studio.exit_reasons import describe_return_code
from ...label_studio.programs import GUNICORN, SERVER
from ...label_studio.upstream import Endpoint
from ...problem import Problem
from ...socket_folder import new_socket
from ..base import Backend, Owner, Report
from ..start_output import LOAD, RESPONSE, StartOutput
from .installation import Installation, command_to_install, find_installation
from .limits import Limits, bus_variables, without_bus

STOP_SECONDS = 30.0
# After Jupyter was killed. The database already holds everything that was acknowledged.
DETACH_SECONDS = 2.0
LINE_LIMIT = 1024 * 1024  # bytes; a longer line is split


class ProcessBackend(Backend):
    """Runs `labelstudio_server.py` with the Python interpreter that Label Studio is installed for."""

    name = "process"
    steps: ClassVar[tuple[tuple[str, str], ...]] = (
        ("find", "Find Label Studio"),
        ("database", "Prepare the database"),
        LOAD,
        RESPONSE,
    )

    def __init__(
        self,
        report: Report,
        log: Callable[[str], None],
        *,
        label_studio: str,
        install_folder: InstallFolder,
        can_install: bool,
        environment: Mapping[str, str],
        files_root: Path | None = None,
        limits: Limits | None = None,
    ) -> None:
        """`label_studio`: the setting.

        `install_folder`: of the Label Studio that labelstudio-proxy installs; `can_install`: whether
        the page can do that.
        `environment`: Label Studio's, without what only the notebook's interpreter needs.
        `files_root`: the setting, a folder that must exist.
        """
        super().__init__(report, log)
        self._label_studio = label_studio
        self._install_folder = install_folder
        self._can_install = can_install
        self._environment = dict(environment)
        self._files_root = files_root
        if files_root is not None:
            self._environment["LABELSTUDIO_PROXY_FILES_ROOT_ONLY"] = "true"
        self._limits = limits or Limits()
        self._installation: Installation | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._socket: Path | None = None
        self._output = StartOutput(report)
        self._held: int | None = None  # marks the environment as in use

    async def prepare(self) -> None:
        self.report("find")
        if self._files_root is not None:
            await asyncio.to_thread(check_files_root, self._files_root)
        self._installation = await find_installation(
            self._label_studio,
            self._environment,
            self._install_folder,
            can_install=self._can_install,
        )
        self.versions["Label Studio"] = self._installation.version
        self.build = self._installation.build
        found = self._installation
        self.report("find", detail=f"Label Studio {found.version}. {found.origin}.")

    async def launch(self, owner: Owner | None, *, background: bool) -> Endpoint:
        assert self._installation is not None, "prepare() comes first"
        self.report("load")
        environment = {**self._installation.variables, **self._environment}
        if owner is not None:
            environment |= owner.variables()
        # The server stops with this process, and other gateways recognise it as ours.
        environment[PARENT] = str(os.getpid())
        socket = self._socket = await asyncio.to_thread(new_socket, "label-studio.sock")
        python = self._installation.python
        self._held = await asyncio.to_thread(hold, python)
        scope = bool(self._limits) and await self._limits.works_as_scope()
        within = [*self._limits.scope, *without_bus()] if scope else []
        if scope:
            environment |= bus_variables()
        arguments = ["serve", str(socket), "--gunicorn", str(GUNICORN)]
        if background:
            arguments.append("--background")
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(*within, *self._installation.command, str(SERVER), *arguments),
                env=environment,
                cwd=environment["LABEL_STUDIO_BASE_DATA_DIR"],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                # Label Studio keeps it open, also if this process is killed.
                pass_fds=() if self._held is None else (self._held,),
                umask=0o077,
            )
        except OSError as error:
            await self._remove_socket_folder()
            raise Problem(
                f"{python} could not be started.",
                f"{error.strerror or error}.",
                "Repair that installation, then try again. Or set `label_studio` to another one and "
                "restart Jupyter.",
            ) from error
        self._reader = begin_task(self._read(self._process))
        if self._limits:
            self.notices.append(self._limit(self._process.pid, scope=scope))
        return Endpoint(unix_socket=socket)

    def _limit(self, pid: int, *, scope: bool) -> str:
        """Limit the process, unless it runs in a scope; return what holds, as a sentence."""
        limits = self._limits
        if scope:
            return limits.notice(
                memory=True, processors=limits.processors, by="a cgroup of systemd"
            )
        memory, processors = limits.apply(pid)
        return limits.notice(memory=memory, processors=processors, by="limits of the process")

    async def on_first_response(self) -> None:
        if self._held is not None:  # an upgrade may have left the environment of before
            begin_task(asyncio.to_thread(self._install_folder.tidy))

    async def memory(self) -> int | None:
        return await asyncio.to_thread(_memory, self._process.pid) if self._process else None

    def how_to_install(self, requirements: str) -> str:
        assert self._installation is not None, "prepare() comes first"
        command = command_to_install(requirements, self._installation.python)
        return f"Run `{command}`, then try again."

    async def wait(self) -> str:
        assert self._process is not None, "launch() comes first"
        code = await self._process.wait()
        await self._drain()
        return describe_return_code(code)

    async def stop(self) -> None:
        await self._stop_within(STOP_SECONDS)

    async def detach(self) -> bool:
        await self._stop_within(DETACH_SECONDS)
        return False

    async def _stop_within(self, seconds: float) -> None:
        process = self._process
        if process is not None:
            if process.returncode is None:
                _signal_group(process.pid, signal.SIGTERM)
                _signal_group(process.pid, signal.SIGCONT)  # a suspended process ignores SIGTERM
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(process.wait(), seconds)
            # Whatever is left of its process group.
            _signal_group(process.pid, signal.SIGKILL)
            await process.wait()
        await self._drain()
        await self._remove_socket_folder()

    async def _drain(self) -> None:
        """Wait for the last lines, but not for a grandchild that keeps the pipe open."""
        if self._reader is not None:
            await asyncio.wait([self._reader], timeout=1)
            self._reader.cancel()

    async def _remove_socket_folder(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None
        if self._socket is not None:
            await asyncio.to_thread(shutil.rmtree, self._socket.parent, ignore_errors=True)
            self._socket = None

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        rest = b""
        while chunk := await process.stdout.read(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._accept_line(line)
            if len(rest) > LINE_LIMIT:
                self._accept_line(rest)
                rest = b""
        if rest:
            self._accept_line(rest)

    def _accept_line(self, raw: bytes) -> None:
        """Log a line, and report the progress that it shows."""
        line = raw.decode(errors="replace").rstrip("\r")
        self.log(line)
        self._output.accept(line)


def _memory(pid: int) -> int | None:
    """Return the memory of a process and its children; what they share counts once (Linux)."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        total = 0
        for each in (process, *process.children(recursive=True)):
            used = each.memory_full_info()
            total += getattr(used, "pss", used.rss)
        return total
    return None


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter: macOS, all zombies
        os.killpg(leader, number)
