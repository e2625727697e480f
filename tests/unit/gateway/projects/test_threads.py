"""Blocking work of requests that are cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

import pytest

from labelstudio_proxy.gateway.projects.threads import in_thread, run_steps


async def test_steps_are_reported() -> None:
    reported: list[int] = []

    await run_steps(iter(range(3)), reported.append)

    assert reported == [0, 1, 2]


async def test_an_error_of_a_step_is_raised() -> None:
    def steps() -> Iterator[int]:
        yield 1
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        await run_steps(steps(), lambda done: None)


async def test_a_cancelled_request_ends_its_steps_and_leaves_the_folder() -> None:
    loop = asyncio.get_running_loop()
    began, go_on = asyncio.Event(), threading.Event()
    happened: list[str] = []

    @contextlib.contextmanager
    def folder() -> Iterator[str]:
        try:
            yield "folder"
        finally:
            happened.append("removed")

    def steps() -> Iterator[int]:
        for number in range(1000):
            happened.append(f"step {number}")
            loop.call_soon_threadsafe(began.set)
            go_on.wait()
            yield number

    async def work() -> None:
        async with in_thread(folder()):
            await run_steps(steps(), lambda done: None)

    running = asyncio.ensure_future(work())
    await began.wait()
    running.cancel()
    for _ in range(5):
        await asyncio.sleep(0)  # one turn of the loop: the cancellation arrives
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert happened == ["step 0", "removed"]
