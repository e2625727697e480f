"""Access without Jupyter in front: by the token in the address that `serve` prints."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from aiohttp import web

from ..label_studio.access_token import explain_refused_token
from .proxy.headers import without_token
from .responses import json_response

Handle = Callable[[web.BaseRequest, str], Awaitable[web.StreamResponse]]

COOKIE = "labelstudio-proxy"


class TokenAccess:
    """Does what Jupyter does otherwise: checks who asks, and strips the prefix."""

    def __init__(self, handle: Handle, prefix: str, token: str) -> None:
        """`handle`: serves an admitted request, given its target without the prefix."""
        self._handle = handle
        self._prefix = prefix
        self._token = token

    async def handle(self, request: web.BaseRequest, target: str) -> web.StreamResponse:
        """Serve a request for `target`, which has the prefix, or refuse it."""
        if target.partition("?")[0] + "/" == self._prefix:
            return web.Response(status=302, headers={"Location": self._prefix})
        if not target.startswith(self._prefix):
            return web.Response(status=404, text=f"Label Studio is at {self._prefix}\n")
        if self._is_token(request.query.get("token", "")):
            if request.method == "GET":
                return self._log_in(request, target)
        elif not (
            self._is_token(request.cookies.get(_cookie_name(request), ""))
            or self._is_token(request.headers.get("Authorization", "").partition(" ")[2])
        ):
            return self._refuse(request)
        return await self._handle(request, "/" + target.removeprefix(self._prefix))

    def _refuse(self, request: web.BaseRequest) -> web.Response:
        address = "the address that `labelstudio-proxy serve` printed"
        if "text/html" in request.headers.get("Accept", ""):
            return web.Response(status=403, text=f"Open {address}.\n")
        authorization = request.headers.get("Authorization", "")
        message = explain_refused_token(authorization, f"the token in {address}")
        return json_response({"message": message}, 403)

    def _log_in(self, request: web.BaseRequest, target: str) -> web.Response:
        # Without the token in the address: it is in no history and no screenshot.
        response = web.Response(status=302, headers={"Location": without_token(target)})
        response.set_cookie(
            _cookie_name(request),
            self._token,
            path=self._prefix,
            httponly=True,
            samesite="Strict",
        )
        return response

    def _is_token(self, token: str) -> bool:
        given = unquote(token).encode(errors="surrogateescape")  # headers may hold any bytes
        return hmac.compare_digest(given, self._token.encode())


def _cookie_name(request: web.BaseRequest) -> str:
    """Return a name for this port: cookies know no ports, and several gateways may run."""
    port = request.transport.get_extra_info("sockname")[1] if request.transport else ""
    return f"{COOKIE}-{port}"
