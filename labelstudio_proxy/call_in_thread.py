"""A blocking call in a thread of its own, which nobody has to wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


async def call_aside(call: Callable[[], T], name: str) -> T:
    """What `call` gives or raises, called in a thread of this `name`.

    Cancelled, this ends at once and the call goes on alone: unlike a thread of a pool's, this one
    keeps neither other calls nor the process's end waiting.
    """
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # from here on it cannot be cancelled, only left alone

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 - for whoever awaits it
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await asyncio.wrap_future(future)
