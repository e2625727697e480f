"""Which requests show that somebody works: for the idle stop, and for Jupyter's and the hub's culling.

An open page asks by itself, again and again: that is nobody. What a person does in a page, `watch.js`
reports, with a request that counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .request_kind import SAFE_METHODS, SITE, is_navigation, is_prefetch, is_program

OWN = "/_proxy/"


def is_persons(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Whether a person, or a program of somebody's, stands behind this request.

    Whoever opens a page, changes something, or asks with Jupyter's token does; what the scripts of
    a page fetch does not, nor who asks after the state. `path`: with the prefix or without.
    """
    if method not in SAFE_METHODS:
        # What another site sends is refused, or at least not its reader's doing.
        return headers.get(SITE, "none") in {"same-origin", "none"}
    if is_prefetch(headers) or OWN in path:
        return False
    return is_navigation(method, headers) or is_program(headers)


def updates_last_activity(handler: Any) -> bool:
    """The same for jupyter-server-proxy's `update_last_activity`, which gives its handler."""
    return is_persons(handler.request.method, handler.request.path, handler.request.headers)
