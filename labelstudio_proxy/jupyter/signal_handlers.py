"""Keep Jupyter's own signal handlers, and end the gateway when Jupyter stops.

Works around https://github.com/jupyterhub/simpervisor/issues/38; delete it when that is closed.
simpervisor, with which jupyter-server-proxy runs the gateway, replaces Jupyter's handlers of SIGINT
and SIGTERM by one that passes the signal on and calls `sys.exit`. Jupyter then stops at the first
Ctrl-C, without its question, and leaves its kernels and files behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from typing import TYPE_CHECKING

from simpervisor import atexitasync

from .entry_point import NAME

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

# `docker stop` waits for 10 s.
STOP_SECONDS = 5.0
POLL_SECONDS = 0.05


def keep_signal_handlers(serverapp: ServerApp) -> None:
    """Let Jupyter alone decide when it stops; end all processes of simpervisor when it does.

    Call it once, before simpervisor starts a process.
    """
    atexitasync.signal_handler_set = True  # so simpervisor sets none
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Without a terminal, Jupyter sets no handler, and an interrupt would skip its cleanup.
        signal.signal(signal.SIGINT, lambda *_: serverapp.stop(from_signal=True))
    clean_up = serverapp.cleanup_extensions

    async def end_processes_and_clean_up() -> None:
        _end_processes()
        await asyncio.gather(clean_up(), _gateway_ended())

    # Jupyter calls it first, whatever stops it: a signal, its menu or its API.
    serverapp.cleanup_extensions = end_processes_and_clean_up  # type: ignore[method-assign]


async def _gateway_ended() -> None:
    """Wait until the gateway has stopped Label Studio, or for STOP_SECONDS.

    With Jupyter, a container ends, and everything that still runs in it.
    """
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline and any(  # noqa: ASYNC110 - simpervisor has no event for it
        getattr(getattr(end, "__self__", None), "name", "") == NAME for end in atexitasync._handlers
    ):
        await asyncio.sleep(POLL_SECONDS)


def _end_processes() -> None:
    for end in list(atexitasync._handlers):
        with contextlib.suppress(ProcessLookupError):  # it exits at this moment
            end(signal.SIGTERM)
