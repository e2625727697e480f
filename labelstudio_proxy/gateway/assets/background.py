"""Compress kept assets at the best level in the background: one at a time, at the lowest priority.

The best level is 10 % smaller than the fast one, takes seconds for Label Studio's main script, and
about 50 MB of memory meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Coroutine
from functools import partial
from pathlib import Path

from ...aio import begin_task, call_in_thread
from ..proxy.compression import BEST, BROTLI, IDENTITY, SHORT_BYTES, compress
from ..proxy.prefix_map import CSS, map_body
from .cache import AssetFolder, digest, is_style_sheet

# Takes seven seconds. Only source maps, which developer tools load, are larger.
LARGEST_BYTES = 5 * 1024 * 1024
# What pages load.
SUFFIXES = (".js", ".css")
# The file that says that `compress_files` is done for a build.
COMPLETE = "complete"
LOWEST_PRIORITY = 19


class BackgroundCompression:
    """Compresses assets while nobody waits for them; its owner must `close` it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()

    def improve(self, folder: AssetFolder, name: str, coding: str) -> None:
        """Compress this asset at the best level later."""
        self._begin(self._improve(folder, name, coding))

    def compress_files(self, folder: AssetFolder, front_end: Path, prefix: str) -> None:
        """Compress the large files in Label Studio's folder `front_end`, before a page asks for them.

        They take ten seconds, once for each build, and begin with Label Studio's start: the first
        page of a project then has 1.7 MB, otherwise 1.85 MB.
        """
        self._begin(self._compress_files(folder, front_end, prefix))

    async def close(self) -> None:
        """Abandon what has not been compressed."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = begin_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _improve(self, folder: AssetFolder, name: str, coding: str) -> None:
        async with self._one_at_a_time:
            plain = await asyncio.to_thread(folder.load, name, IDENTITY)
            if plain is not None and len(plain.body) <= LARGEST_BYTES:
                with contextlib.suppress(OSError):  # a full disk, or a closed folder
                    await _compress(folder, plain.content, plain.body, coding)

    async def _compress_files(self, folder: AssetFolder, front_end: Path, prefix: str) -> None:
        complete = folder.path / COMPLETE
        if await asyncio.to_thread(complete.exists):
            return
        with contextlib.suppress(OSError):  # a full disk, or an upgrade of Label Studio
            for file in await asyncio.to_thread(large_files, front_end):
                async with self._one_at_a_time:
                    body = await asyncio.to_thread(file.read_bytes)
                    if is_style_sheet(file.name):
                        body = await map_body(body, CSS, prefix)
                    content = await asyncio.to_thread(digest, body)
                    await _compress(folder, content, body, BROTLI)
            await asyncio.to_thread(complete.touch)


async def _compress(folder: AssetFolder, content: str, body: bytes, coding: str) -> None:
    level = BEST[coding]
    if not await asyncio.to_thread(folder.has_content, content, coding, level):
        call = partial(_compress_at_lowest_priority, body, coding, level)
        compressed = await call_in_thread(call, "compress")
        await asyncio.to_thread(folder.save_content, content, coding, level, compressed)


def _compress_at_lowest_priority(body: bytes, coding: str, level: int) -> bytes:
    """Return `body` compressed. Needs a thread for itself: it lowers the thread's priority.

    The codecs release the interpreter lock, so that the gateway does not wait for a thread that the
    system does not run.
    """
    if sys.platform == "linux":  # elsewhere priorities belong to processes
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
    return compress(body, coding, level)


def large_files(front_end: Path) -> list[Path]:
    """Return the files to compress: `main`, which every page needs, and then the largest first.

    Shorter files are compressed as well and as quickly when a browser asks for them.
    """
    found = [
        (not file.name.startswith("main."), -file.stat().st_size, file)
        for file in front_end.rglob("*")
        if file.suffix in SUFFIXES and SHORT_BYTES < file.stat().st_size <= LARGEST_BYTES
    ]
    return [file for _, _, file in sorted(found)]
