"""The gateway's files for browsers: scripts in Label Studio's pages, and the start page's."""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from importlib.resources import files

from .assets.cache import Asset, digest
from .proxy.compression import BEST, IDENTITY, compress, is_compressible

MEDIA_TYPES = {
    "prefix.js": "text/javascript",
    "page.js": "text/javascript",
    "visitor.js": "text/javascript",
    "theme.js": "text/javascript",
    "start.js": "text/javascript",
    "start.css": "text/css",
}

# Label Studio's pages get these by one request, compressed together.
PARTS = {"page.js": ("theme.js", "watch.js", "upload.js")}

# On lines for themselves. They are a fifth of what a page gets.
COMMENT = re.compile(rb"^ *(?:/\*.*?\*/|//[^\n]*)\n", re.MULTILINE | re.DOTALL)


@functools.cache
def static_file(name: str, coding: str = IDENTITY) -> Asset:
    """Return one of the files in a coding, without its comments.

    The first call for each takes 50 ms: use a thread.
    """
    if coding != IDENTITY:
        plain = static_file(name)
        body = compress(plain.body, coding, BEST[coding])
        return replace(plain, body=body, coding=coding, level=BEST[coding])
    folder = files(__package__) / "static"
    text = b"".join((folder / part).read_bytes() for part in PARTS.get(name, (name,)))
    body = COMMENT.sub(b"", text)
    media_type = f"{MEDIA_TYPES[name]}; charset=utf-8"
    return Asset(
        media_type, digest(body), body, compressible=is_compressible(media_type, len(body))
    )


def versioned(name: str) -> str:
    """Return the file's name with a query that changes with it, so that browsers may cache it."""
    return f"{name}?v={static_file(name).content[:12]}"
