"""Begin a task, cancel it or let it finish; run a blocking call in a thread."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Longer than stopping any part of Label Studio takes.
CANCEL_SECONDS = 12.0


def begin_task(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Begin a task that nobody awaits, and log the error that ends it.

    asyncio itself logs it when the task is forgotten, which may be never.
    """
    task = asyncio.create_task(work)
    task.add_done_callback(_log_error)
    return task


def _log_error(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        logger.error("A task has failed: %r", task.get_coro(), exc_info=error)


async def cancel_and_wait(task: asyncio.Task[Any]) -> None:
    """Cancel `task` and return when it is done.

    Cancels again every `CANCEL_SECONDS`: some libraries lose a cancellation that arrives together
    with the result that they wait for.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_SECONDS)
    if not task.cancelled():
        task.exception()  # marks it as seen; asyncio would log it otherwise


async def finished(work: Awaitable[T]) -> T:
    """Return what `work` returns. A cancellation waits until it is done, and is raised then."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # marks it as seen
        raise


async def call_in_thread(call: Callable[[], T], name: str) -> T:
    """Return what `call` returns, or raise what it raises; it runs in a new thread called `name`.

    If this coroutine is cancelled, it returns at once and the thread continues alone. Unlike a
    thread of a pool, it blocks neither other calls nor the exit of the process.
    """
    return await asyncio.wrap_future(_begin_thread(call, name))


class ThreadPerCall(ThreadPoolExecutor):
    """Runs each call in a new thread, for `asyncio.to_thread`: see `call_in_thread`.

    A few calls that wait for a disk that hangs would take all threads of a pool. It is a pool by its
    type only: asyncio accepts no other executor.
    """

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Return the future of `fn(*args, **kwargs)`."""
        return _begin_thread(partial(fn, *args, **kwargs), "call")


def _begin_thread(call: Callable[[], T], name: str) -> Future[T]:
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # from now on, cancelling only drops the result

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is awaited
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
