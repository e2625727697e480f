"""Which requests are refused: those that another site may have sent.

Label Studio's API has no CSRF check, and jupyter-server-proxy switches Jupyter's off, so this is the
only one. Jupyter has authenticated every request. But browsers send its cookie with the requests of
other sites, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..label_studio import paths
from ..problem import Problem
from ..request_kind import RequestKind, Sender, is_this_host


@dataclass(frozen=True)
class Origins:
    """The other origins that Jupyter's settings admit."""

    allow_origin: str = ""
    allow_origin_pat: str = ""

    def admit(self, origin: str) -> bool:
        """Return True if Jupyter's `allow_origin` or `allow_origin_pat` name this origin."""
        if self.allow_origin in {"*", origin} and self.allow_origin:
            return True
        return bool(self.allow_origin_pat) and bool(re.match(self.allow_origin_pat, origin))


def refusal(kind: RequestKind, headers: Mapping[str, str], origins: Origins) -> Problem | None:
    """Return why this request is refused; None if it is not."""
    if _is_admitted(kind, headers.get("Origin"), origins):
        return None
    if kind.sender is Sender.OTHER_SITE:
        # A link to a page changes nothing, and the other site cannot read the page. The API acts
        # even with GET, and images, frames and scripts of other sites have no use here.
        if kind.is_safe and kind.is_navigation and not paths.API.match(kind.path):
            return None
        opened = headers.get("Origin", "").partition("://")[2]
        if opened and "Sec-Fetch-Site" not in headers:
            return _changed_host(opened, headers.get("Host", ""))
        return Problem(
            "This request was refused: it comes from another site.",
            "Only Label Studio's own pages, and programs with Jupyter's token, may send it.",
            "Open Label Studio from JupyterLab.",
        )
    if kind.is_safe or kind.sender is not Sender.UNKNOWN or kind.has_token:
        return None
    return Problem(
        "This request was refused: it changes data or opens a WebSocket, and does not say who sent "
        "it.",
        "It has neither an Origin header (browsers) nor Jupyter's token in an Authorization header "
        "(programs).",
        "In a program, send Jupyter's token, as `Authorization: token <token>`. In a browser behind "
        "a proxy, let the proxy forward the header `Origin`, then try again.",
    )


def _changed_host(opened: str, host: str) -> Problem:
    return Problem(
        "This request was refused: it seems to come from another site, because a proxy has changed "
        "its header Host.",
        f"The browser opened `{opened}`, and the header Host names `{host}`.",
        "Let the proxy in front of Jupyter forward the header `Host` (in nginx: "
        "`proxy_set_header Host $http_host;`), or add the header `X-Forwarded-Host`. Then try again.",
    )


def _is_admitted(kind: RequestKind, origin: str | None, origins: Origins) -> bool:
    if origin in {None, "null"} or not origins.admit(origin or ""):
        return False
    # `allow_origin = "*"` opens Jupyter to other sites' pages that hold its token. Jupyter still
    # checks what a cookie alone may change, and so does this.
    any_site = origins.allow_origin == "*" and kind.sender is Sender.OTHER_SITE
    return not (any_site and kind.has_metadata) or kind.is_safe or kind.has_token


def public_address(headers: Mapping[str, str]) -> str:
    """Return where the browser that asks finds this server, as `https://host`; else ""."""
    for name in ("Origin", "Referer"):
        said = re.match(r"https?://[^/?#]+", headers.get(name, ""))
        if said and is_this_host(said[0], headers):
            return said[0]
    return ""
