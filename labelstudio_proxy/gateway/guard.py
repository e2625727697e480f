"""Whose request it is: which are refused, and which may start a stopped Label Studio.

Label Studio's API has no CSRF check, and jupyter-server-proxy switches Jupyter's off, so this is
the only one. Jupyter has authenticated every request that gets here, but a cookie alone does not
say that its owner wanted the request: a page of another site could have sent it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Sent by browsers to https and localhost only, see https://www.w3.org/TR/fetch-metadata/.
SITE, MODE, DEST, USER = "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Fetch-User"


@dataclass(frozen=True)
class Origins:
    """Other origins that Jupyter's settings admit."""

    allow_origin: str = ""
    allow_origin_pat: str = ""

    def admit(self, origin: str) -> bool:
        """Whether Jupyter's `allow_origin` or `allow_origin_pat` name this origin."""
        if self.allow_origin in {"*", origin} and self.allow_origin:
            return True
        return bool(self.allow_origin_pat) and bool(re.match(self.allow_origin_pat, origin))


def refusal(method: str, headers: Mapping[str, str], origins: Origins) -> str | None:
    """Why this request is refused, as a sentence; None: it is not."""
    site = headers.get(SITE)
    origin = headers.get("Origin")
    if origin is not None and origin != "null" and origins.admit(origin):
        # `allow_origin = "*"` opens Jupyter to pages of other sites that hold its token; Jupyter
        # goes on checking what a mere cookie may change, and so does this.
        anyone = origins.allow_origin == "*" and site in {"cross-site", "same-site"}
        if not anyone or method in SAFE_METHODS or _has_token(headers):
            return None
    if method in SAFE_METHODS:
        # What a navigation shows stays with its reader; images, frames and scripts of other
        # sites have no business here.
        if site in {"cross-site", "same-site"} and headers.get(MODE) != "navigate":
            return "It comes from another site."
        return None
    if site is not None:
        return None if site in {"same-origin", "none"} else "It comes from another site."
    if origin is not None:
        return None if _same_host(origin, headers) else "Its Origin is another site."
    if _has_token(headers):
        return None
    return (
        "It changes something, but has neither an Origin header (as a browser sends it) nor "
        "Jupyter's token in an Authorization header (as a program sends it)."
    )


def is_navigation(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser asks for a page to show, in a tab or a frame."""
    if method not in {"GET", "HEAD"}:
        return False
    mode = headers.get(MODE)
    if mode is not None:
        return mode == "navigate"
    return "text/html" in headers.get("Accept", "")


def may_start(method: str, headers: Mapping[str, str]) -> bool:
    """Whether this request starts a stopped Label Studio.

    A navigation that a person made does, and a program that shows Jupyter's token; an image, a
    prefetch or a frame of another site does not, and neither do the requests of open tabs.
    """
    if is_prefetch(headers):
        return False
    if headers.get(MODE) == "navigate":
        if headers.get(SITE) in {"same-origin", "none"}:
            return True
        return headers.get(USER) == "?1" and headers.get(DEST) == "document"
    return is_program(headers)


def is_prefetch(headers: Mapping[str, str]) -> bool:
    """Whether a browser asks ahead, for what nobody has clicked yet."""
    return "prefetch" in headers.get("Sec-Purpose", headers.get("Purpose", ""))


def is_program(headers: Mapping[str, str]) -> bool:
    """Whether it is no browser that asks, but a program that shows Jupyter's token."""
    return headers.get(MODE) is None and headers.get(SITE) is None and _has_token(headers)


def may_ask_to_start(method: str, headers: Mapping[str, str]) -> bool:
    """Whether the page that answers this navigation may start Label Studio by itself.

    For browsers that send no fetch metadata (plain http): the page, which no other site can frame,
    then asks with a request that shows where it comes from.
    """
    return is_navigation(method, headers) and headers.get(MODE) is None


def origin(headers: Mapping[str, str]) -> str:
    """Where the browser that asks finds this server, as `https://host`; empty: it does not say."""
    for name in ("Origin", "Referer"):
        said = re.match(r"https?://[^/?#]+", headers.get(name, ""))
        if said and _same_host(said[0], headers):
            return said[0]
    return ""


def _has_token(headers: Mapping[str, str]) -> bool:
    # Jupyter has checked the caller. A page of another site can neither set this header nor know
    # a token; whether Jupyter took the token or the cookie beside it makes no difference.
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return scheme.lower() in {"token", "bearer"} and bool(token.strip())


def _same_host(origin: str, headers: Mapping[str, str]) -> bool:
    host = origin.partition("://")[2].lower()
    # A page cannot set Host or X-Forwarded-Host; a proxy that changes Host sets the latter.
    hosts = [headers.get("Host", ""), *headers.get("X-Forwarded-Host", "").split(",")]
    return bool(host) and host in {each.strip().lower() for each in hosts}
