"""The gateway's files for browsers: two scripts in Label Studio's pages, and the start page's."""

from __future__ import annotations

import functools
from dataclasses import replace
from importlib.resources import files

from .assets.cache import Asset, digest
from .proxy.compression import BEST, IDENTITY, compress, is_compressible

KINDS = {
    "prefix.js": "text/javascript",
    "watch.js": "text/javascript",
    "start.js": "text/javascript",
    "start.css": "text/css",
}


@functools.cache
def own_file(name: str, coding: str = IDENTITY) -> Asset:
    """One of KINDS in a coding. It blocks at first: packed as small as can be, it takes 50 ms."""
    if coding != IDENTITY:
        plain = own_file(name)
        body = compress(plain.body, coding, BEST[coding])
        return replace(plain, body=body, coding=coding, level=BEST[coding])
    body = (files(__package__) / "static" / name).read_bytes()
    kind = f"{KINDS[name]}; charset=utf-8"
    return Asset(kind, digest(body), body, compressible=is_compressible(kind, len(body)))


def versioned(name: str) -> str:
    """The file's name with a query that changes with it, so that browsers may keep it for ever."""
    return f"{name}?v={own_file(name).content[:12]}"
