"""Start the gateway with jupyter-server-proxy, replace it, and say so if it cannot start."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import shutil
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from jupyter_server_proxy.handlers import SuperviseAndProxyHandler
from tornado import web

from ..problem import Problem
from ..socket_folder import new_socket
from .unavailable import GatewayUnavailable

READY_SECONDS = 3.0  # simpervisor allows 5 s for one check
READY_POLL_SECONDS = 0.02
# That a page waits for the gateway; then it says so, and reloads.
PAGE_SECONDS = 5.0
REASON_SECONDS = 10.0
UNREACHABLE_SECONDS = 5.0  # then a gateway that runs is replaced
REACH_SECONDS = 30.0
RESTARTS = 2  # of a gateway that does not listen; then it is started anew
REACH_POLL_SECONDS = 0.1
STARTING = Problem(
    "Label Studio is starting.",
    "The server is busy, so this takes longer than usual.",
    "Label Studio appears here when it is ready.",
)


class _GatewayExited(Exception):
    """Raised if the gateway exits before it listens."""


class SupervisingHandler(SuperviseAndProxyHandler):  # type: ignore[misc]  # without types
    """Starts one gateway for all requests, restarts it after a crash, and explains a failed start."""

    _is_navigation = False  # a user waits for a page

    @property
    def unix_socket(self) -> str:
        """Return the path of the gateway's socket; raises Problem if it can have none."""
        if "unix_socket" not in self.state:
            path = new_socket("gateway.sock")
            atexit.register(shutil.rmtree, path.parent, ignore_errors=True)
            self.state["unix_socket"] = str(path)
        found: str = self.state["unix_socket"]
        return found

    async def ensure_gateway(self) -> None:
        """Start the gateway if it does not run; raises GatewayUnavailable.

        A page does not wait longer than PAGE_SECONDS, while the start continues.
        """
        await self._wait_for(self._begin(self._start_gateway))

    async def ensure_reachable(self) -> None:
        """Start the gateway if it does not run, and replace one that cannot be reached.

        Raises GatewayUnavailable, as `ensure_gateway` does.
        """
        await self._wait_for(self._begin(self._reach_gateway))

    def _begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """Return the task that does `work` for all requests."""
        key = work.__name__
        task: asyncio.Task[None] | None = self.state.get(key)
        if task is None or task.done():
            task = asyncio.create_task(work())
            # Marks the error as seen: the user may have closed the page.
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
            self.state[key] = task
        return task

    async def _wait_for(self, task: asyncio.Task[None]) -> None:
        await asyncio.wait([task], timeout=PAGE_SECONDS if self._is_navigation else None)
        if not task.done():
            raise GatewayUnavailable(STARTING, passing=True)
        task.result()

    async def _reach_gateway(self) -> None:
        """Wait until the gateway listens; replace it if it runs and does not.

        A gateway whose socket was removed listens again within a second, unless the folder of the
        socket is not usable any more. The next gateway gets another folder. simpervisor restarts a
        gateway that crashes again and again; a new start says why it does.
        """
        await asyncio.shield(self._begin(self._start_gateway))
        pid, began = self._pid, time.monotonic()
        pids = {pid}
        while (
            not await _listens(self.unix_socket)
            and (waited := time.monotonic() - began) < REACH_SECONDS
        ):
            if len(pids - {None}) > RESTARTS:  # None: between two processes
                await self._kill_gateway(self._pid)
            elif waited > UNREACHABLE_SECONDS:
                await self._kill_gateway(pid)
            await asyncio.sleep(REACH_POLL_SECONDS)
            await asyncio.shield(self._begin(self._start_gateway))
            pids.add(self._pid)

    @property
    def _pid(self) -> int | None:
        return getattr(getattr(self.state.get("proc"), "proc", None), "pid", None)

    async def _kill_gateway(self, pid: int | None) -> None:
        """Kill the gateway and forget its socket, if it is still this one.

        Label Studio ends with it; a container waits for the next gateway.
        """
        async with self.state["proc_lock"]:
            if pid is None or pid != self._pid:
                return
            self.log.warning("labelstudio_proxy: replacing a gateway that cannot be reached")
            with contextlib.suppress(ProcessLookupError):  # it exits at this moment
                await self.state.pop("proc").kill()
            self.state.pop("unix_socket", None)
            session = self.state.pop("session", None)
        if session is not None:
            await session.close()

    async def _start_gateway(self) -> None:
        """Start the gateway if it does not run, also after exit status 0.

        simpervisor treats that status as intended and would not start it again. Raises
        GatewayUnavailable.
        """
        async with self.state["proc_lock"]:
            supervised = self.state.get("proc")
            process = getattr(supervised, "proc", None)
            if process is not None and not supervised.running and process.returncode == 0:
                del self.state["proc"]
        what = "Label Studio's gateway could not be started."
        remedy = "Try again. If it happens again, show this page to an admin."
        try:
            if "proc" not in self.state:
                await self._prepare_socket()
            await self.ensure_process()
            return
        except Problem as problem:
            reason = problem
        except web.HTTPError:
            why = f"It did not respond within {self.get_timeout()} seconds. The server is busy."
            reason = Problem(what, why, remedy)
        except OSError as error:
            reason = Problem(what, f"{error.filename}: {error.strerror or error}.", remedy)
        except _GatewayExited:
            reason = Problem(what, await self._last_words(), remedy)
        self.log.error("labelstudio_proxy: %s", reason.as_sentence())
        raise GatewayUnavailable(reason)

    async def _prepare_socket(self) -> None:
        """Choose a path for the socket, another one if the folder is gone; raises Problem."""
        path = self.state.get("unix_socket")
        if path is not None and await asyncio.to_thread(Path(path).parent.is_dir):
            return
        self.state.pop("unix_socket", None)
        if session := self.state.pop("session", None):
            await session.close()
        await asyncio.to_thread(lambda: self.unix_socket)

    async def _last_words(self) -> str:
        """Run the gateway once more; return the last line that it prints before it exits."""
        process = await asyncio.create_subprocess_exec(
            *self.get_cmd(),
            env={**os.environ, **self.get_env()},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        output = b""
        with contextlib.suppress(asyncio.TimeoutError):
            _, output = await asyncio.wait_for(process.communicate(), REASON_SECONDS)
        if process.returncode is None:  # this time it runs
            process.terminate()
            await process.wait()
        lines = output.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "It exited as soon as it had started."

    async def _http_ready_func(self, process: Any) -> bool:
        """Return True once the gateway listens, False after `READY_SECONDS`.

        jupyter-server-proxy calls it at intervals that double each time, so waiting here is faster.
        Raises _GatewayExited if the gateway exits. simpervisor would restart it again and again.
        """
        deadline = time.monotonic() + READY_SECONDS
        pid = process.pid
        while time.monotonic() < deadline:
            if not process.running or process.pid != pid:
                with contextlib.suppress(ProcessLookupError):
                    await process.kill()
                raise _GatewayExited
            if await _listens(self.unix_socket):
                return True
            await asyncio.sleep(READY_POLL_SECONDS)
        return False


async def _listens(unix_socket: str) -> bool:
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_unix_connection(unix_socket)
        writer.close()
        return True
    return False
