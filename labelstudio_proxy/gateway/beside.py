"""Programs of the gateway's own that run beside it: for what would hold up its event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys

# As in launcher.py: not `-m`, which would put the working directory before our modules.
RUN = (
    "import sys; sys.path[:] = [path for path in sys.path if path]; "
    "from labelstudio_proxy.backends.inside.labelstudio_server import end_with_parent; "
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


async def end(process: asyncio.subprocess.Process) -> None:
    """End the program, if it has not ended."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
