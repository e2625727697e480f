"""Compress responses: choose the content coding (RFC 9110, section 8.4), and apply it to bytes."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Protocol

import brotli
from multidict import CIMultiDict

from ...request_kind import Sender
from .headers import content_type

BROTLI, GZIP, IDENTITY = "br", "gzip", "identity"

# Compression levels. Times and sizes are those of Label Studio's main.js, 2.5 MB, in brotli.
FAST = {BROTLI: 5, GZIP: 6}  # 0.05 s, 640 KB: for what is compressed at each request
KEPT = {BROTLI: 9, GZIP: 6}  # 0.16 s, 621 KB: for what is kept, while a browser waits
BEST = {BROTLI: 11, GZIP: 9}  # 2.8 s, 562 KB: for what is kept, when nobody waits
# Up to this size the best level takes 0.1 s at most, and is used at once.
SHORT_BYTES = 100 * 1024

# A shorter body fits into one network packet uncompressed.
MINIMUM_BYTES = 1024
# Compressing a longer chunk takes longer than passing it to a thread and back.
THREAD_BYTES = 16 * 1024

_COMPRESSIBLE = re.compile(
    r"text/.+|.+[+/](json|xml|javascript)|application/(wasm|vnd\.ms-fontobject)"
    r"|font/(ttf|otf|sfnt)|image/(bmp|x-icon|vnd\.microsoft\.icon)"
)
# Other responses are assets, which the asset cache compresses, or files, which pass unchanged.
_COMPRESSED_AS_THEY_PASS = re.compile(r"text/html|application/(.+\+)?json")
_GZIP_BITS = 16 + zlib.MAX_WBITS
_WEIGHT = re.compile(r"(0(\.\d{0,3})?|1(\.0{0,3})?)")


class Compressor(Protocol):
    """Compresses a stream chunk by chunk."""

    def compress(self, chunk: bytes) -> bytes:
        """Return bytes from which a client can decompress the whole chunk at once."""

    def finish(self) -> bytes:
        """Return the bytes that end the stream."""


def negotiate(accept_encoding: str | None) -> str:
    """Return the best coding for `Accept-Encoding` (several headers joined by commas).

    The result is IDENTITY for a client that names no coding: simple clients need that.
    """
    weights: dict[str, float] = {}
    for part in (accept_encoding or "").split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((text[2:].strip() for text in parameters if text.startswith("q=")), "1")
        # A malformed weight counts as a refusal.
        weights[name.removeprefix("x-")] = float(weight) if _WEIGHT.fullmatch(weight) else 0.0
    others = weights.get("*", 0.0)
    offers = {coding: weights.get(coding, others) for coding in (BROTLI, GZIP)}
    # Every client takes it, but it is the last choice unless it is named.
    offers[IDENTITY] = weights.get(IDENTITY, 0.0)
    best = max(offers, key=lambda coding: offers[coding])
    return best if offers[best] > 0 else IDENTITY


def is_compressible(media_type: str, length: int) -> bool:
    """Return True if `length` bytes of a media type (parameters allowed) shrink by compression."""
    return length >= MINIMUM_BYTES and bool(
        _COMPRESSIBLE.fullmatch(media_type.partition(";")[0].strip().lower())
    )


def kept_level(coding: str, length: int) -> int:
    """Return the level for `length` bytes that are kept, while a browser waits for them."""
    return (BEST if length <= SHORT_BYTES else KEPT)[coding]


def compress(data: bytes, coding: str, level: int) -> bytes:
    """Return `data` in `coding`. Other threads run meanwhile."""
    if coding == IDENTITY:
        return data
    if coding == BROTLI:
        compressed: bytes = brotli.compress(data, quality=level)
        return compressed
    stream = zlib.compressobj(level, wbits=_GZIP_BITS)
    return stream.compress(data) + stream.flush()


def compressor(coding: str) -> Compressor:
    """Return a fast compressor of a stream, for brotli or gzip."""
    return _Brotli(FAST[BROTLI]) if coding == BROTLI else _Gzip(FAST[GZIP])


class _Brotli:
    def __init__(self, level: int) -> None:
        self._compressor = brotli.Compressor(quality=level)

    def compress(self, chunk: bytes) -> bytes:
        compressed: bytes = self._compressor.process(chunk) + self._compressor.flush()
        return compressed

    def finish(self) -> bytes:
        rest: bytes = self._compressor.finish()
        return rest


class _Gzip:
    def __init__(self, level: int) -> None:
        self._compressor = zlib.compressobj(level, wbits=_GZIP_BITS)

    def compress(self, chunk: bytes) -> bytes:
        return self._compressor.compress(chunk) + self._compressor.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._compressor.flush()


def response_coding(
    sender: Sender, accept_encoding: str, status: int, headers: Mapping[str, str]
) -> str | None:
    """Return the coding for a response of Label Studio's with `headers`.

    None if the response has no other coding for any client, so that it needs no `Vary`.
    """
    length = headers.get("Content-Length")
    if (
        status != 200
        or not _COMPRESSED_AS_THEY_PASS.fullmatch(content_type(headers))
        or "Content-Encoding" in headers
        or "no-transform" in headers.get("Cache-Control", "")
        or headers.get("Content-Disposition", "").strip().lower().startswith("attachment")
        or not is_compressible(content_type(headers), int(length) if length else 1 << 20)
    ):
        return None
    # The length of a compressed response would tell another site about its content (BREACH).
    return IDENTITY if sender is Sender.OTHER_SITE else negotiate(accept_encoding)


def set_coding(headers: CIMultiDict[str], coding: str) -> None:
    """Change the headers of a response to those of the same response in `coding`."""
    vary = headers.popall("Vary", [])
    headers["Vary"] = ", ".join([*vary, "Accept-Encoding"])
    if coding == IDENTITY:
        return
    headers.popall("Content-Length", None)
    headers["Content-Encoding"] = coding
    if "ETag" in headers:
        headers["ETag"] = weak(headers["ETag"])


def weak(etag: str) -> str:
    """Return the weak form of a validator: the same content, but other bytes."""
    return etag if etag.startswith("W/") else f"W/{etag}"


async def compress_chunks(chunks: AsyncIterator[bytes], coding: str) -> AsyncGenerator[bytes, None]:
    """Yield the chunks in `coding`, each as soon as it arrives."""
    stream = compressor(coding)
    async for chunk in chunks:
        if len(chunk) < THREAD_BYTES:
            yield stream.compress(chunk)
        else:
            yield await asyncio.to_thread(stream.compress, chunk)
    yield stream.finish()
