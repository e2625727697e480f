"""Redirects of Label Studio's, made relative, so that they are right under every prefix."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ...label_studio import paths
from ...label_studio.upstream import HOST


def relative(path: str, target: str) -> str:
    """Return the reference to `target` (a root-absolute path of Label Studio's) from `path`.

    jupyter-server-proxy leaves relative references unchanged, and the browser resolves them against
    the address that it knows.
    """
    depth = path.split("?", 1)[0].count("/") - 1
    rest = target.lstrip("/")
    # `./` also prevents that a colon in the first segment is read as a scheme.
    return ("../" * depth if depth else "./") + rest


def map_location(path: str, location: str) -> str | None:
    """Return the `Location` for the response to `path`; None if the redirect must be refused."""
    if re.search(r"[\x00-\x20\x7f\\]", location):
        return None
    try:
        target = urlsplit(location)
    except ValueError:
        return None
    if target.scheme or target.netloc:
        if target.netloc != HOST and paths.SIGNED_LINKS.fullmatch(path.split("?", 1)[0]):
            # The storage may be on this machine, too.
            return location if target.scheme in {"http", "https"} else None
        is_web = target.scheme in {"", "http", "https"}
        if not (is_web and target.hostname in {HOST, "127.0.0.1"}):
            return None
        location = target._replace(scheme="", netloc="", path=target.path or "/").geturl()
    if location.startswith("/"):
        return relative(path, location)
    return location
