"""Programs of the gateway's own that run beside it: for what would hold up its event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

# As in launcher.py: not `-m`, which would put the working directory before our modules.
RUN = (
    "import sys; sys.path[:] = [path for path in sys.path if path]; "
    "from labelstudio_proxy.label_studio.programs.labelstudio_server import end_with_parent; "
    "end_with_parent(int(sys.argv.pop(1))); "
    "from labelstudio_proxy.gateway.{} import main; main()"
)


async def run_beside(module: str, *arguments: str) -> asyncio.subprocess.Process:
    """Run `main` of one of the gateway's modules; raises OSError. Whoever calls it must `end` it."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", RUN.format(module), str(os.getpid()), *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


def give_way() -> None:
    """Called by a program that is in no hurry: let it have what others leave of the processors.

    Linux divides them among sessions before it looks at priorities (autogroups, see sched(7)), so
    that the lowest one alone would still get as much as Label Studio, which has its own session.
    """
    os.nice(19)
    with contextlib.suppress(OSError):  # without autogroups, that was enough
        os.setsid()
        Path("/proc/self/autogroup").write_text("19")


async def end(process: asyncio.subprocess.Process) -> None:
    """End the program, if it has not ended."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
