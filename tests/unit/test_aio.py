"""Tasks, and blocking calls in threads."""

from __future__ import annotations

import asyncio
import threading

import pytest

from labelstudio_proxy.aio import ThreadPerCall, begin_task, call_in_thread


async def test_a_call_that_blocks_does_not_keep_the_process_from_ending() -> None:
    release = threading.Event()
    future = asyncio.ensure_future(call_in_thread(release.wait, "a call"))
    await asyncio.sleep(0)
    (thread,) = (each for each in threading.enumerate() if each.name == "a call")
    assert thread.daemon
    release.set()
    assert await future is True


async def test_calls_that_hang_delay_no_other_call() -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPerCall())
    release = threading.Event()
    hanging = [asyncio.ensure_future(asyncio.to_thread(release.wait)) for _ in range(100)]
    assert await asyncio.wait_for(asyncio.to_thread(lambda: "done"), 10) == "done"
    release.set()
    assert await asyncio.gather(*hanging) == [True] * 100


async def test_the_error_that_ends_a_task_is_logged_while_the_task_is_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail() -> None:
        raise RuntimeError("out of paper")

    async def wait_for_ever() -> None:
        await asyncio.Event().wait()

    failing, waiting = begin_task(fail()), begin_task(wait_for_ever())
    await asyncio.wait([failing])
    waiting.cancel()
    await asyncio.wait([waiting])
    (record,) = caplog.records
    assert "fail" in record.message
    assert record.exc_info
    assert str(record.exc_info[1]) == "out of paper"
