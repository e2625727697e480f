"""A gateway on another machine, through its Jupyter server."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ..gateway_client import TIMEOUT_SECONDS, send
from ..problem import Problem

# The pages of Jupyter and Label Studio, as copied from a browser. A user may be called "lab".
_PAGES = re.compile(r"(?<!/user)/(lab|doc|tree|notebooks|labelstudio)(/.*)?$")
EXAMPLE = "for example `https://hub.example/user/ada/`"


@dataclass(frozen=True)
class RemoteGateway:
    """The gateway behind a Jupyter server at `server`; see `at`."""

    server: str  # the URL of the Jupyter server, with a slash at its end
    token: str = field(repr=False)

    @classmethod
    def at(cls, url: str, token: str | None) -> RemoteGateway:
        """Return the gateway behind the Jupyter server at `url`; raises Problem for a wrong URL.

        `url`: as a browser shows it, also with a page and a token. `token`: None for that of `url`.
        """
        try:
            parts = urlsplit(url.strip())
            known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            known = False
        if not known:
            raise Problem(
                f"{url!r} is not the address of a Jupyter server.",
                "An address has `https://` or `http://` and a host.",
                f"Give the address that a browser shows, {EXAMPLE}.",
            )
        path = _PAGES.sub("", parts.path).rstrip("/")
        in_url = parse_qs(parts.query).get("token", [""])[0]
        return cls(f"{parts.scheme}://{parts.netloc}{path}/", token or in_url)

    @property
    def address(self) -> str:
        """The URL of Label Studio, with a slash at its end."""
        return f"{self.server}labelstudio/"

    @property
    def authorization(self) -> str:
        """The header; a Jupyter server without authentication accepts any."""
        return f"token {self.token or 'none'}"

    def open(
        self, method: str, route: str, body: Any = None, *, seconds: float = TIMEOUT_SECONDS
    ) -> contextlib.AbstractContextManager[http.client.HTTPResponse]:
        """Return the response of a control route, whatever its status; raises OSError."""
        return self._send(method, f"labelstudio/_proxy/{route}", seconds, body)

    def refusal(self, status: int, reason: str) -> Problem:
        """Return the Problem of a response that is not the gateway's; raises OSError."""
        if not self._is_jupyter():
            return Problem(
                f"There is no Jupyter server at {self.server}.",
                f"It answered {status} {reason}.".replace(" .", "."),
                f"Give the address that a browser shows before `/lab`, {EXAMPLE}.",
            )
        if status == 404:
            return Problem(
                f"The Jupyter server at {self.server} has no Label Studio.",
                "labelstudio-proxy is not installed in its environment, or not enabled.",
                "Install it there with `pip install labelstudio-proxy`, then restart that server.",
            )
        if status in {302, 401, 403}:
            return Problem(
                f"The Jupyter server at {self.server} does not accept this token."
                if self.token
                else f"The Jupyter server at {self.server} requires a token.",
                f"It answered {status} {reason}.".replace(" .", "."),
                "Call `connect(url, token)` with its token. In a terminal of that server, "
                "`jupyter server list` shows it; on a hub, the page `/hub/token` makes one.",
            )
        return Problem(
            f"The Jupyter server at {self.server} could not pass on the request.",
            f"It answered {status} {reason}.".replace(" .", "."),
            "Try again. If it happens again, look at its log.",
        )

    def _is_jupyter(self) -> bool:
        with self._send("GET", "api", TIMEOUT_SECONDS) as response:
            try:
                return response.status == 200 and "version" in json.loads(response.read())
            except (ValueError, TypeError):
                return False

    def _send(
        self, method: str, path: str, seconds: float, body: Any = None
    ) -> contextlib.AbstractContextManager[http.client.HTTPResponse]:
        parts = urlsplit(self.server)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=seconds)
        headers = {"Authorization": self.authorization}
        return send(connection, method, parts.path + path, headers, body)
