"""Whose request it is: which are refused, and which may start a stopped Label Studio.

Label Studio's API has no CSRF check, and jupyter-server-proxy switches Jupyter's off, so this is
the only one. Jupyter has authenticated every request that gets here, but a cookie alone does not
say that its owner wanted the request: a page of another site could have sent it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..label_studio import paths
from ..request_kind import (
    DEST,
    MODE,
    SAFE_METHODS,
    SITE,
    USER,
    has_token,
    is_navigation,
    is_prefetch,
    is_program,
)


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


def refusal(method: str, path: str, headers: Mapping[str, str], origins: Origins) -> str | None:
    """Why this request is refused, as a sentence; None: it is not.

    `path`: decoded, without the prefix and the query.
    """
    site = headers.get(SITE)
    origin = headers.get("Origin")
    if origin is not None and origin != "null" and origins.admit(origin):
        # `allow_origin = "*"` opens Jupyter to pages of other sites that hold its token; Jupyter
        # goes on checking what a mere cookie may change, and so does this.
        anyone = origins.allow_origin == "*" and site in {"cross-site", "same-site"}
        if not anyone or method in SAFE_METHODS or has_token(headers):
            return None
    # Any page may open a WebSocket, and a browser tells who does by its Origin alone.
    is_websocket = "websocket" in headers.get("Upgrade", "").lower()
    if method in SAFE_METHODS and not is_websocket:
        # What a navigation to a page shows stays with its reader; images, frames and scripts of
        # other sites have no business here.
        shows = headers.get(MODE) == "navigate" and not paths.API.match(path)
        if site in {"cross-site", "same-site"} and not shows:
            return "It comes from another site."
        return None
    if site is not None:
        return None if site in {"same-origin", "none"} else "It comes from another site."
    if origin is not None:
        return None if _same_host(origin, headers) else "Its Origin is another site."
    if has_token(headers):
        return None
    return (
        "It changes something, or opens a WebSocket, but has neither an Origin header (as a browser "
        "sends it) nor Jupyter's token in an Authorization header (as a program sends it)."
    )


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


def _same_host(origin: str, headers: Mapping[str, str]) -> bool:
    host = origin.partition("://")[2].lower()
    # A page cannot set Host or X-Forwarded-Host; a proxy that changes Host sets the latter.
    hosts = [headers.get("Host", ""), *headers.get("X-Forwarded-Host", "").split(",")]
    return bool(host) and host in {each.strip().lower() for each in hosts}
