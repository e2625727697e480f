"""Tasks that must be over."""

from __future__ import annotations

import asyncio

# Longer than any part of a run of Label Studio takes to end.
CANCEL_SECONDS = 12.0


async def end(task: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended.

    Once may not do: some libraries forget it if what they wait for comes at that very moment.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_SECONDS)
    if not task.cancelled():
        task.exception()  # else it would be complained that nobody has asked for it
