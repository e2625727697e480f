"""Mapping pages and style sheets without holding up the event loop.

A regular expression keeps Python's lock from its first byte to its last, so no thread and no pause
between two of them helps with a page of 20 MB: a process of its own maps it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from ..beside import end, run_beside
from .prefix_map import map_css, map_page

KINDS = frozenset({"text/html", "text/css"})
# What maps in a few milliseconds, whatever is in it; Label Studio's own pages have 40 KB.
INLINE_BYTES = 64 * 1024
CHUNK_BYTES = 256 * 1024


class MappingFailed(Exception):
    """The process that maps has ended before its time."""


def mapped(
    text: bytes, kind: str, prefix: str, scripts: Sequence[str] = (), nonce: str = ""
) -> bytes:
    """`text` of one of KINDS as it must be under `prefix`; for `scripts` and `nonce` see `map_page`."""
    return map_css(text, prefix) if kind == "text/css" else map_page(text, prefix, scripts, nonce)


async def begin(chunks: AsyncIterator[bytes]) -> tuple[bytes, bool]:
    """The first of the chunks, joined: as many as may be mapped at once; and whether that is all."""
    start = bytearray()
    async for chunk in chunks:
        start += chunk
        if len(start) > INLINE_BYTES:
            return bytes(start), False
    return bytes(start), True


async def map_beside(
    start: bytes,
    rest: AsyncIterator[bytes] | None,
    kind: str,
    prefix: str,
    scripts: Sequence[str] = (),
    nonce: str = "",
) -> AsyncGenerator[bytes, None]:
    """As `mapped`, of `start` and what follows it; raises MappingFailed, and what `rest` raises."""
    try:
        process = await run_beside("proxy.mapping_process", kind, prefix, *scripts)
    except OSError as error:
        raise MappingFailed from error
    # Others on this machine may read a command line.
    start = f"{nonce}\n".encode() + start
    feeding = asyncio.create_task(_feed(process, start, rest))
    try:
        assert process.stdout is not None, "it is a pipe"
        while chunk := await process.stdout.read(CHUNK_BYTES):
            yield chunk
        await feeding
        if await process.wait() != 0:
            raise MappingFailed
    finally:
        feeding.cancel()
        await asyncio.wait([feeding])
        if not feeding.cancelled():
            feeding.exception()  # whoever stops early does not ask
        await end(process)


async def map_whole(text: bytes, kind: str, prefix: str) -> bytes:
    """`text` mapped as `kind`, here or beside; raises MappingFailed."""
    if len(text) <= INLINE_BYTES:
        return mapped(text, kind, prefix)
    return b"".join([chunk async for chunk in map_beside(text, None, kind, prefix)])


async def _feed(
    process: asyncio.subprocess.Process, start: bytes, rest: AsyncIterator[bytes] | None
) -> None:
    assert process.stdin is not None, "it is a pipe"
    try:
        for at in range(0, len(start), CHUNK_BYTES):
            process.stdin.write(start[at : at + CHUNK_BYTES])
            await process.stdin.drain()
        if rest is not None:
            async for chunk in rest:
                process.stdin.write(chunk)
                await process.stdin.drain()
    except ConnectionError as error:  # it has ended
        raise MappingFailed from error
    except BaseException:
        # What is not whole must not be mapped as if it were.
        await end(process)
        raise
    process.stdin.close()


def main() -> None:
    """Map standard input, after a line with the nonce, to standard output: `mapping KIND PREFIX [SCRIPT …]`."""
    kind, prefix, *scripts = sys.argv[1:]
    nonce = sys.stdin.buffer.readline().decode().strip()
    sys.stdout.buffer.write(mapped(sys.stdin.buffer.read(), kind, prefix, scripts, nonce))
    sys.stdout.buffer.flush()
