"""Packing pages and API answers on their way to the browser: which, and how their headers change."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

from multidict import CIMultiDict

from .codings import IDENTITY, chosen, packable, packer
from .headers import content_type

# What takes longer to pack than to hand to a thread and back.
THREAD_BYTES = 16 * 1024
PACKED = re.compile(r"text/html|application/(.+\+)?json")


def coding_of(
    asked: Mapping[str, str],
    accept_encoding: str,
    status: int,
    headers: Mapping[str, str],
) -> str | None:
    """The coding for an answer with `headers`; None: there is one only, so that nothing varies.

    `asked` are the request's headers.
    """
    length = headers.get("Content-Length")
    if (
        status != 200
        or not PACKED.fullmatch(content_type(headers))
        or "Content-Encoding" in headers
        or "no-transform" in headers.get("Cache-Control", "")
        or headers.get("Content-Disposition", "").strip().lower().startswith("attachment")
        or not packable(content_type(headers), int(length) if length else 1 << 20)
    ):
        return None
    # Another site learns nothing from the length of an answer that it has made somebody ask for.
    foreign = asked.get("Sec-Fetch-Site") in {"cross-site", "same-site"}
    return IDENTITY if foreign else chosen(accept_encoding)


def change_headers(headers: CIMultiDict[str], coding: str) -> None:
    """Make `headers` those of an answer that `coding_of` gives this coding."""
    vary = headers.popall("Vary", [])
    headers["Vary"] = ", ".join([*vary, "Accept-Encoding"])
    if coding == IDENTITY:
        return
    headers.popall("Content-Length", None)
    headers["Content-Encoding"] = coding
    if "ETag" in headers:
        headers["ETag"] = weak(headers["ETag"])


def weak(etag: str) -> str:
    """The validator of what means the same, and is not the same bytes."""
    return etag if etag.startswith("W/") else f"W/{etag}"


async def packed(chunks: AsyncIterator[bytes], coding: str) -> AsyncGenerator[bytes, None]:
    """The chunks in `coding`, each as soon as it is there."""
    stream = packer(coding)
    async for chunk in chunks:
        if len(chunk) < THREAD_BYTES:
            yield stream.pack(chunk)
        else:
            yield await asyncio.to_thread(stream.pack, chunk)
    yield stream.end()
