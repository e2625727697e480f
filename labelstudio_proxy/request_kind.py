"""What a request says of itself: who sent it, and whether it asks for a page.

A request is classified once, and its kind travels with it. The gateway and Jupyter's process use the
same rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

# The gateway's own routes, below the prefix.
CONTROL = "/_proxy/"
# A header from Jupyter's process: the user is not the one whose Jupyter server this is.
VISITOR = "X-LabelStudio-Proxy-Visitor"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Sender(Enum):
    """Who sent a request, as far as it says."""

    USER = "user"  # a browser opens a page from here: typed, bookmarked, or linked in this origin
    PAGE = "page"  # a page of this origin: its scripts, images, forms, ...
    OTHER_SITE = "other site"  # a page of another site, also where its link was clicked
    PROGRAM = "program"  # not a browser; has Jupyter's token
    UNKNOWN = "unknown"  # a browser over plain http, or a program that only has a cookie


@dataclass(frozen=True)
class RequestKind:
    """The kind of one request; see `classify`."""

    path: str  # decoded, without the query
    sender: Sender
    is_safe: bool  # a method that changes nothing, and not a WebSocket
    is_navigation: bool  # a browser asks for a page to show, in a tab or a frame
    is_prefetch: bool  # a browser asks in advance, before a click
    is_click: bool  # a user clicked a link that opens a tab, on whichever site
    has_metadata: bool  # a browser that sends fetch metadata
    has_token: bool  # a token of Jupyter's in `Authorization`, whether or not there is a cookie

    @property
    def may_start(self) -> bool:
        """Whether this request starts a stopped Label Studio."""
        return not self.is_prefetch and (
            self.sender in {Sender.USER, Sender.PROGRAM} or self.is_click
        )

    @property
    def page_may_start(self) -> bool:
        """Whether the start page that answers this request may start Label Studio.

        For browsers without fetch metadata (plain http). No other site can frame that page, and its
        own request shows where it comes from.
        """
        return self.is_navigation and not self.has_metadata

    @property
    def counts_as_activity(self) -> bool:
        """Whether this request shows that its user works, for the idle stop and for culling.

        Open pages poll: that does not count. watch.js reports what users do in a page with a POST.
        """
        if not self.is_safe:
            return self.sender is not Sender.OTHER_SITE
        if self.is_prefetch or CONTROL in self.path:
            return False
        return self.is_navigation or self.sender is Sender.PROGRAM


def classify(method: str, path: str, headers: Mapping[str, str]) -> RequestKind:
    """Return the kind of a request.

    `path`: decoded, without the query. The prefix may be part of it.
    `headers`: a mapping that ignores case.
    """
    # Fetch metadata: sent to https and localhost only, and no page can set them. See
    # https://www.w3.org/TR/fetch-metadata/
    site, mode = headers.get("Sec-Fetch-Site"), headers.get("Sec-Fetch-Mode")
    dest = headers.get("Sec-Fetch-Dest")
    has_token = _has_token(headers)
    # Any page may open a WebSocket, and only its Origin says which did.
    is_safe = method in SAFE_METHODS and "websocket" not in headers.get("Upgrade", "").lower()
    origin = None if is_safe else headers.get("Origin")
    if site is not None:
        if site not in {"same-origin", "none"}:
            sender = Sender.OTHER_SITE
        else:
            sender = Sender.USER if mode == "navigate" else Sender.PAGE
    elif origin is not None:
        sender = Sender.PAGE if is_this_host(origin, headers) else Sender.OTHER_SITE
    else:
        # Node's fetch sends a mode, as browsers do, and no other metadata.
        sender = Sender.PROGRAM if has_token and dest is None else Sender.UNKNOWN
    says_page = (
        mode == "navigate"
        if mode is not None
        else site is None and "text/html" in headers.get("Accept", "")
    )
    return RequestKind(
        path=path,
        sender=sender,
        is_safe=is_safe,
        is_navigation=method in {"GET", "HEAD"} and says_page,
        is_prefetch="prefetch" in headers.get("Sec-Purpose", headers.get("Purpose", "")),
        is_click=(mode, dest, headers.get("Sec-Fetch-User")) == ("navigate", "document", "?1"),
        has_metadata=site is not None or mode is not None,
        has_token=has_token,
    )


def is_this_host(origin: str, headers: Mapping[str, str]) -> bool:
    """Return True if `origin` (`https://host`) names the host that the request was sent to."""
    host = origin.partition("://")[2].lower()
    # A page cannot set Host or X-Forwarded-Host; a proxy that changes Host sets the latter.
    hosts = [headers.get("Host", ""), *headers.get("X-Forwarded-Host", "").split(",")]
    return bool(host) and host in {each.strip().lower() for each in hosts}


def _has_token(headers: Mapping[str, str]) -> bool:
    # Jupyter has checked the caller. Another site's page can neither set this header nor know a
    # token, so it does not matter whether Jupyter accepted the token or a cookie beside it.
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return scheme.lower() in {"token", "bearer"} and bool(token.strip())
