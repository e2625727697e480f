"""Blocking work in threads that ends when the request ends."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


@contextlib.asynccontextmanager
async def in_thread(manager: contextlib.AbstractContextManager[T]) -> AsyncIterator[T]:
    """Enter and leave a blocking context manager in threads; it is left even after a cancellation."""
    value = await asyncio.to_thread(manager.__enter__)
    try:
        yield value
    except BaseException:
        leaving = asyncio.to_thread(manager.__exit__, *sys.exc_info())
        if not await asyncio.shield(asyncio.ensure_future(leaving)):
            raise
    else:
        await asyncio.to_thread(manager.__exit__, None, None, None)


async def run_steps(steps: Iterable[int], report: Callable[[int], None]) -> None:
    """Run the steps in a thread, and report the number that each yields, on the event loop.

    A cancellation ends them after the step that runs.
    """
    loop = asyncio.get_running_loop()
    cancelled = threading.Event()

    def run() -> None:
        for done in steps:
            if cancelled.is_set():
                return
            loop.call_soon_threadsafe(report, done)

    running = asyncio.ensure_future(asyncio.to_thread(run))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        cancelled.set()
        await asyncio.wait([running])
        raise
