"""Jupyter's own end at a signal, which the supervision of a process would take away.

simpervisor, which runs the gateway for jupyter-server-proxy, puts a handler of its own in the
place of Jupyter's, and that one calls `sys.exit`. So kernels and files of Jupyter's are left as
they are; and where the signal comes while an object is finalized, Python drops that exception, and
Jupyter goes on without its processes.
"""

from __future__ import annotations

import contextlib
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

from simpervisor import atexitasync

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


def keep_jupyters_end(serverapp: ServerApp) -> None:
    """Have Jupyter stop as by itself once simpervisor's handlers have passed a signal on.

    To be called, as often as one likes, after simpervisor has started a process.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        theirs = signal.getsignal(number)
        if getattr(theirs, "__module__", None) == atexitasync.__name__:
            signal.signal(number, partial(_end, serverapp, theirs))


def _end(serverapp: ServerApp, theirs: Any, number: int, frame: object) -> None:
    signal.signal(number, theirs)  # whoever does not want to wait has only to ask again
    try:
        # A process that is ending at this very moment cannot be told any more.
        with contextlib.suppress(SystemExit, ProcessLookupError):
            theirs(number, frame)
    finally:
        serverapp.stop(from_signal=True)
