"""What browsers' requests say about the proxies on their way to the gateway."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..doctor.situation import Arrival
from ..request_kind import RequestKind, Sender, is_this_host


class Arrivals:
    """Keeps the newest; `newest` is None until a browser's page has sent a request."""

    def __init__(self) -> None:
        self.newest: Arrival | None = None

    def record(self, kind: RequestKind, headers: Mapping[str, str]) -> None:
        """Keep what this request says, if a page of this server sent it, or seems to have."""
        if kind.has_metadata and kind.sender not in {Sender.USER, Sender.PAGE}:
            return
        for name in ("Origin", "Referer"):
            said = re.match(r"https?://[^/?#]+", headers.get(name, ""))
            if said is None:
                continue
            is_here = is_this_host(said[0], headers)
            # Without metadata, a link on another site has a Referer as well.
            if is_here or kind.has_metadata or name == "Origin":
                self.newest = Arrival(
                    said[0],
                    headers.get("Host", ""),
                    headers.get("X-Forwarded-Host", ""),
                    headers.get("X-Forwarded-Proto", ""),
                    is_here,
                )
            return
