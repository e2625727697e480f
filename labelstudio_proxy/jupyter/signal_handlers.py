"""Stop Jupyter properly after SIGINT and SIGTERM.

Works around https://github.com/jupyterhub/simpervisor/issues/38; delete it when that is closed.
simpervisor, with which jupyter-server-proxy runs the gateway, replaces Jupyter's signal handlers by
one that calls `sys.exit`. Jupyter then leaves its kernels and files behind. If the signal arrives
while Python finalizes an object, Python drops the exception, and Jupyter continues without its
processes.
"""

from __future__ import annotations

import contextlib
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

from simpervisor import atexitasync

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


def stop_jupyter_after_simpervisor(serverapp: ServerApp) -> None:
    """Let Jupyter stop as usual after simpervisor's handlers have passed a signal on.

    Call it after simpervisor has started a process; any number of calls is fine.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        handler = signal.getsignal(number)
        if getattr(handler, "__module__", None) == atexitasync.__name__:
            signal.signal(number, partial(_stop, serverapp, handler))


def _stop(serverapp: ServerApp, handler: Any, number: int, frame: object) -> None:
    signal.signal(number, handler)  # a second signal stops at once
    try:
        # ProcessLookupError: the process exits at this very moment.
        with contextlib.suppress(SystemExit, ProcessLookupError):
            handler(number, frame)
    finally:
        serverapp.stop(from_signal=True)
