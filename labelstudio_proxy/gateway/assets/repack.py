"""Packing kept assets as small as can be, when there is time for it.

The best compression takes seconds for what the fast one does in 50 ms, and some 100 MB of memory:
a process with the lowest priority does it, one at a time, and the gateway ends it when it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from dataclasses import replace
from pathlib import Path

from ..beside import end, give_way, run_beside
from ..proxy.compression import BEST, IDENTITY, compress
from .cache import AssetFolder

logger = logging.getLogger(__name__)

# Without a new asset for so long, a page has been loaded.
QUIET_SECONDS = 3.0
# 5 MB take seven seconds. Nothing but maps of sources is larger.
LARGEST_BYTES = 5 * 1024 * 1024

Job = tuple[str, str]  # an asset's name, a coding


class Repacker:
    """Takes note of what is to be packed better; whoever makes one must `close` it."""

    def __init__(self) -> None:
        self._ahead: list[dict[str, str]] = []
        self._waiting: dict[Path, list[Job]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._running: asyncio.Task[None] | None = None

    def pack_ahead(self, folder: AssetFolder, front_end: Path, prefix: str) -> None:
        """Have the large assets packed now, before anybody has asked for them."""
        given = {"folder": str(folder.path), "front_end": str(front_end), "prefix": prefix}
        self._ahead.append(given)
        self._start()

    def add(self, folder: AssetFolder, name: str, coding: str) -> None:
        """Have this asset packed better, some time."""
        self._waiting.setdefault(folder.path, []).append((name, coding))
        self._wait()

    async def close(self) -> None:
        """End what runs."""
        if self._timer is not None:
            self._timer.cancel()
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(QUIET_SECONDS, self._start)

    def _start(self) -> None:
        if self._running is not None and not self._running.done():
            self._wait()
        elif self._ahead:
            self._run("assets.ahead", self._ahead.pop())
        elif self._waiting:
            folder, jobs = self._waiting.popitem()
            self._run("assets.repack", {"folder": str(folder), "jobs": jobs})

    def _run(self, module: str, given: object) -> None:
        self._running = asyncio.create_task(_run(module, json.dumps(given).encode()))
        if self._ahead or self._waiting:
            self._wait()


async def _run(module: str, given: bytes) -> None:
    try:
        process = await run_beside(module)
    except OSError as error:
        logger.warning("Assets stay packed as they are: %s", error)
        return
    try:
        await process.communicate(given)
    finally:
        await asyncio.shield(end(process))


def main() -> None:
    """Pack again what standard input names: a folder, and names and codings in it."""
    give_way()
    given = json.load(sys.stdin)
    for name, coding in given["jobs"]:
        with contextlib.suppress(OSError):  # a full disk: it stays as it is
            repack(AssetFolder(Path(given["folder"])), name, coding)


def repack(folder: AssetFolder, name: str, coding: str) -> None:
    """Replace what is kept by the best; raises OSError."""
    kept, plain = folder.load(name, coding), folder.load(name, IDENTITY)
    if kept is None or plain is None or kept.content != plain.content:
        return
    if kept.level < BEST[coding] and len(plain.body) <= LARGEST_BYTES:
        ahead = folder.load(plain.content, coding)
        best = ahead.body if ahead is not None else compress(plain.body, coding, BEST[coding])
        folder.save(name, replace(kept, body=best, level=BEST[coding]))
