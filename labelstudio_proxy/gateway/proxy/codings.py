"""Content codings (RFC 9110, section 8.4): which one a client takes, and packing bytes in it."""

from __future__ import annotations

import re
import zlib
from typing import Protocol

BROTLI, GZIP, IDENTITY = "br", "gzip", "identity"
# What is packed smallest comes first.
CODINGS = (BROTLI, GZIP, IDENTITY)

# Fast enough for what is packed each time: 2.5 MB of script take 0.05 s (brotli), 0.06 s (gzip).
FAST = {BROTLI: 5, GZIP: 6}
# For what is packed once, while somebody waits: 3 % smaller (brotli), in 0.16 s.
ONCE = {BROTLI: 9, GZIP: 6}
# 12 % smaller than the fast one (brotli), in sixty times the time.
BEST = {BROTLI: 11, GZIP: 9}

# What is short is packed best at once: 100 KB take 0.1 s.
SHORT_BYTES = 100 * 1024

# What is shorter fits into one packet as it is.
MINIMUM_BYTES = 1024
_PACKABLE = re.compile(
    r"text/.+|.+[+/](json|xml|javascript)|application/(wasm|vnd\.ms-fontobject)"
    r"|font/(ttf|otf|sfnt)|image/(bmp|x-icon|vnd\.microsoft\.icon)"
)
_WEIGHT = re.compile(r"(0(\.\d{0,3})?|1(\.0{0,3})?)")


class Packer(Protocol):
    """Packs a stream chunk by chunk; what has been given is unpackable at once."""

    def pack(self, chunk: bytes) -> bytes:
        """The chunk, packed, so that its receiver can unpack all of it."""

    def end(self) -> bytes:
        """What ends the stream."""


def chosen(accept_encoding: str | None) -> str:
    """The coding to answer in, by the request's `Accept-Encoding` (all of them, joined by commas).

    A client that names none gets none, which the RFC allows and simple clients need.
    """
    weights: dict[str, float] = {}
    for part in (accept_encoding or "").split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((text[2:].strip() for text in parameters if text.startswith("q=")), "1")
        # What cannot be read is not relied on.
        weights[name.removeprefix("x-")] = float(weight) if _WEIGHT.fullmatch(weight) else 0.0
    anything = weights.get("*", 0.0)
    offers = {coding: weights.get(coding, anything) for coding in (BROTLI, GZIP)}
    # Always taken, if it is not refused; and the last choice, if it is not named.
    offers[IDENTITY] = weights.get(IDENTITY, 0.0)
    best = max(offers, key=lambda coding: offers[coding])
    return best if offers[best] > 0 else IDENTITY


def packable(kind: str, length: int) -> bool:
    """Whether `length` bytes of a media type (with or without parameters) become less by packing."""
    return length >= MINIMUM_BYTES and bool(
        _PACKABLE.fullmatch(kind.partition(";")[0].strip().lower())
    )


def level_for(coding: str, length: int) -> int:
    """How hard to pack so many bytes, which are kept, while somebody waits for them."""
    return (BEST if length <= SHORT_BYTES else ONCE)[coding]


def pack(data: bytes, coding: str, level: int) -> bytes:
    """`data` in `coding`; lets other threads run meanwhile."""
    if coding == IDENTITY:
        return data
    if coding == BROTLI:
        import brotli

        packed: bytes = brotli.compress(data, quality=level)
        return packed
    packer = _Gzip(level)
    return packer.pack(data, flush=False) + packer.end()


def packer(coding: str) -> Packer:
    """For a stream in `coding`, which is brotli or gzip."""
    return _Brotli(FAST[BROTLI]) if coding == BROTLI else _Gzip(FAST[GZIP])


class _Brotli:
    def __init__(self, level: int) -> None:
        import brotli  # not where nothing is packed, as in Jupyter's process

        self._compressor = brotli.Compressor(quality=level)

    def pack(self, chunk: bytes) -> bytes:
        packed: bytes = self._compressor.process(chunk) + self._compressor.flush()
        return packed

    def end(self) -> bytes:
        rest: bytes = self._compressor.finish()
        return rest


class _Gzip:
    def __init__(self, level: int) -> None:
        self._compressor = zlib.compressobj(level, wbits=16 + zlib.MAX_WBITS)

    def pack(self, chunk: bytes, *, flush: bool = True) -> bytes:
        packed = self._compressor.compress(chunk)
        return packed + self._compressor.flush(zlib.Z_SYNC_FLUSH) if flush else packed

    def end(self) -> bytes:
        return self._compressor.flush()
