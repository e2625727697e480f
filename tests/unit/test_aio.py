"""Tasks, and blocking calls in threads."""

from __future__ import annotations

import asyncio
import threading

from labelstudio_proxy.aio import call_in_thread


async def test_a_call_that_blocks_does_not_keep_the_process_from_ending() -> None:
    release = threading.Event()
    future = asyncio.ensure_future(call_in_thread(release.wait, "a call"))
    await asyncio.sleep(0)
    (thread,) = (each for each in threading.enumerate() if each.name == "a call")
    assert thread.daemon
    release.set()
    assert await future is True
