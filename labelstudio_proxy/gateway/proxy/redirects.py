"""Redirects: where Label Studio sends a browser, said relative to where the browser is."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ...label_studio import paths
from ...label_studio.upstream import HOST


def relative(path: str, target: str) -> str:
    """The reference to `target` (root-absolute at Label Studio) from a page at `path`.

    Relative references are right under every prefix and transport: jupyter-server-proxy leaves
    them alone, and the browser resolves them against the address that it knows.
    """
    depth = path.split("?", 1)[0].count("/") - 1
    rest = target.lstrip("/")
    # `./` also keeps a colon in the first segment from being read as a scheme.
    return ("../" * depth if depth else "./") + rest


def mapped_location(path: str, location: str) -> str | None:
    """What to send as `Location` for the answer to `path`; None: a redirect that is refused."""
    if re.search(r"[\x00-\x20\x7f\\]", location):
        return None
    try:
        target = urlsplit(location)
    except ValueError:
        return None
    if target.scheme or target.netloc:
        ours = target.scheme in {"", "http", "https"} and target.hostname in {HOST, "127.0.0.1"}
        if not ours:
            signed = paths.SIGNED_LINKS.fullmatch(path.split("?", 1)[0])
            return location if signed and target.scheme in {"http", "https"} else None
        location = target._replace(scheme="", netloc="", path=target.path or "/").geturl()
    if location.startswith("/"):
        return relative(path, location)
    return location
