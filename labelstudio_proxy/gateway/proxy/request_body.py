"""The body of a request: with a length, which Label Studio's server needs, and only while it comes."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO

import aiohttp
from aiohttp import web

CHUNK_BYTES = 256 * 1024
SPOOL_BYTES = 1024 * 1024
# Label Studio's server keeps one of its eight threads for a body until it is whole, however long
# that takes. One that comes slowly is somebody's; one of which nothing comes is nobody's any more.
STALL_SECONDS = 60.0


class Stalled(Exception):
    """Nothing has come of a body for STALL_SECONDS."""


@dataclass(frozen=True)
class Body:
    """What is sent on of a body."""

    length: int | None = None
    data: AsyncIterator[bytes] | None = None


@asynccontextmanager
async def body_of(request: web.BaseRequest) -> AsyncIterator[Body]:
    """The body of `request`; raises Stalled, also from the request that sends it on."""
    stalled = False

    async def coming() -> AsyncIterator[bytes]:
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
            yield Body(length, coming())
        else:
            # Sent in chunks, by a program: WSGI knows no body without a length.
            with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as spool:
                async for chunk in coming():
                    spool.write(chunk)
                length = spool.tell()
                spool.seek(0)
                yield Body(length, _replay(spool))
    except aiohttp.ClientError as error:
        # All that aiohttp says of a body that fails is that it could not be sent.
        if stalled:
            raise Stalled from error
        raise


async def _replay(spool: IO[bytes]) -> AsyncIterator[bytes]:
    while chunk := spool.read(CHUNK_BYTES):
        yield chunk
