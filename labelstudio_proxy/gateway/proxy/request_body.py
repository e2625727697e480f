"""The body of a request: with a length, which Label Studio's server needs, and without stalls."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import aiohttp
from aiohttp import web

from ...data_directory.directory import DISK_FULL
from ...problem import Problem

CHUNK_BYTES = 256 * 1024
SPOOL_BYTES = 1024 * 1024
# Label Studio's server keeps one of its eight threads for a body until it is complete. A slow body may
# take any time. A body without new data for this time has lost its sender.
STALL_SECONDS = 60.0


class Stalled(Exception):
    """No data of a body arrived for STALL_SECONDS."""


@dataclass(frozen=True)
class Body:
    """The body as it is sent to Label Studio; without `data` there is none."""

    length: int | None = None
    data: AsyncIterator[bytes] | None = None


@asynccontextmanager
async def body_of(request: web.BaseRequest, folder: Path) -> AsyncIterator[Body]:
    """Provide the body of `request`; a large one without a length is kept in `folder` meanwhile.

    Raises Stalled, also for the request that sends `data`, and Problem if the disk is full.
    """
    stalled = False

    async def arriving() -> AsyncIterator[bytes]:
        nonlocal stalled
        while True:
            try:
                chunk = await asyncio.wait_for(request.content.read(CHUNK_BYTES), STALL_SECONDS)
            except asyncio.TimeoutError:
                stalled = True
                raise Stalled from None
            if not chunk:
                return
            yield chunk

    length = request.content_length
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        if not request.body_exists or length == 0:
            yield Body()
        elif length is not None:
            yield Body(length, arriving())
        else:
            # A program sends chunks. WSGI supports no body without a length.
            with tempfile.SpooledTemporaryFile(SPOOL_BYTES, dir=str(folder)) as spool:
                async for chunk in arriving():
                    await asyncio.to_thread(_write, spool, chunk, folder)
                length = spool.tell()
                spool.seek(0)
                yield Body(length, _replay(spool))
    except aiohttp.ClientError as error:
        # aiohttp hides the exception of a body that it sends.
        if stalled:
            raise Stalled from error
        raise


def _write(spool: IO[bytes], chunk: bytes, folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # someone may have removed it
        spool.write(chunk)
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        raise Problem(
            "The disk is full: this was not saved.",
            f"It does not fit on the disk of {folder}. Everything saved before is kept.",
            "Free some space, then save again.",
        ) from error


async def _replay(spool: IO[bytes]) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(spool.read, CHUNK_BYTES):
        yield chunk
