"""Start the gateway with jupyter-server-proxy, and say so if it cannot start."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import shutil
import time
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
        starting: asyncio.Task[None] | None = self.state.get("starting")
        if starting is None or starting.done():
            starting = asyncio.create_task(self._start_gateway())
            # Marks the error as seen: the user may have closed the page.
            starting.add_done_callback(lambda task: task.cancelled() or task.exception())
            self.state["starting"] = starting
        await asyncio.wait([starting], timeout=PAGE_SECONDS if self._is_navigation else None)
        if not starting.done():
            raise GatewayUnavailable(STARTING, passing=True)
        starting.result()

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
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_unix_connection(self.unix_socket)
                writer.close()
                return True
            await asyncio.sleep(READY_POLL_SECONDS)
        return False
