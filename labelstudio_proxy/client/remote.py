"""A gateway on another machine, through its Jupyter server."""

from __future__ import annotations

import contextlib
import http.client
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..gateway_client import TIMEOUT_SECONDS, send


@dataclass(frozen=True)
class RemoteGateway:
    """The gateway behind a Jupyter server at `url`, for example `https://hub.example/user/ada/`."""

    url: str
    token: str = field(repr=False)

    @property
    def address(self) -> str:
        """The URL of Label Studio, with a slash at its end."""
        url = self.url.partition("?")[0].rstrip("/")
        for page in ("/labelstudio", "/lab", "/tree"):  # as copied from a browser
            url = url.removesuffix(page)
        return f"{url}/labelstudio/"

    def open(
        self, method: str, route: str, body: Any = None, *, seconds: float = TIMEOUT_SECONDS
    ) -> contextlib.AbstractContextManager[http.client.HTTPResponse]:
        """Return the response of a control route; raises OSError."""
        parts = urlsplit(self.address)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        return send(
            kind(parts.hostname or "", parts.port, timeout=seconds),
            method,
            f"{parts.path}_proxy/{route}",
            {"Authorization": f"token {self.token}"},
            body,
        )
