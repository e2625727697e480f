"""Who asks: what browsers and programs say of themselves in a request."""

from __future__ import annotations

from collections.abc import Mapping

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Sent by browsers to https and localhost only, see https://www.w3.org/TR/fetch-metadata/.
SITE, MODE, DEST, USER = "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Fetch-User"


def is_navigation(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser asks for a page to show, in a tab or a frame."""
    if method not in {"GET", "HEAD"}:
        return False
    mode = headers.get(MODE)
    if mode is not None:
        return mode == "navigate"
    return "text/html" in headers.get("Accept", "")


def is_prefetch(headers: Mapping[str, str]) -> bool:
    """Whether a browser asks ahead, for what nobody has clicked yet."""
    return "prefetch" in headers.get("Sec-Purpose", headers.get("Purpose", ""))


def is_program(headers: Mapping[str, str]) -> bool:
    """Whether it is no browser that asks, but a program that shows Jupyter's token."""
    # Node's fetch tells a mode, as browsers do, and nothing else of what they tell.
    return headers.get(SITE) is None and headers.get(DEST) is None and has_token(headers)


def has_token(headers: Mapping[str, str]) -> bool:
    """Whether it has a token of Jupyter's in `Authorization`."""
    # Jupyter has checked the caller. A page of another site can neither set this header nor know
    # a token; whether Jupyter took the token or the cookie beside it makes no difference.
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return scheme.lower() in {"token", "bearer"} and bool(token.strip())
