"""Forward requests from Jupyter to the gateway, streamed both ways, over pooled connections.

This module replaces only the forwarding of jupyter-server-proxy. See docs/decisions/streaming-handler.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from functools import partial
from http.client import responses
from pathlib import Path
from typing import Any

import aiohttp
from jupyter_server_proxy.config import ServerProcess
from tornado import httputil, web
from tornado.iostream import StreamClosedError
from traitlets import Bool, Unicode
from yarl import URL

from ..aio import begin_task
from ..gateway_client import RunningGateway
from ..label_studio.access_token import explain_refused_token
from ..label_studio.upstream import HOP_BY_HOP, Endpoint, open_session
from ..problem import Problem
from ..request_kind import SAFE_METHODS, VISITOR, classify
from .supervising_handler import PAGE_SECONDS, SupervisingHandler
from .unavailable import RELOAD_SECONDS, GatewayUnavailable, page_policy

# Unlimited: Label Studio refuses what is too large for it.
MAX_BODY_BYTES = 1 << 62
# Chunks of a body (64 KB each, from Tornado) that may wait for the gateway.
WAITING_CHUNKS = 4
CONNECT_SECONDS = 30.0
CONNECT_POLL_SECONDS = 0.1
WRONG_HOST = (
    "Jupyter does not accept the Host header of this request. An admin can add the host to "
    "`ServerApp.local_hostnames`, or set `ServerApp.allow_remote_access`."
)
REFUSAL_SECONDS = 10.0  # that the rest of a refused request may take
BODY_TIMEOUT = 408  # the gateway's status when the rest of a body does not arrive


class StreamingServerProcess(ServerProcess):  # type: ignore[misc]  # without types
    """A `ServerProcess` of jupyter-server-proxy that streams its requests."""

    prewarm = Bool(False, help="Start the gateway with Jupyter.")
    data_dir = Unicode(help="Absolute path of the data directory that the gateway serves.")
    frame_ancestors = Unicode("'self'", help="The sources that may frame Label Studio's pages.")

    def __deepcopy__(self, memo: object) -> StreamingServerProcess:
        """Return itself: traitlets copies its values, and `start` needs the routes of the copy."""
        return self

    def make_proxy_handler(self) -> tuple[type, dict[str, Any]]:
        """Called by jupyter-server-proxy when it makes the routes."""
        handler, arguments = super().make_proxy_handler()
        self._route = handler, arguments
        return handler, arguments

    async def start(self, application: web.Application) -> None:
        """Start the gateway as a request would; raises HTTPError. The routes must exist."""
        handler, arguments = self._route
        line = httputil.RequestStartLine("GET", "/", "HTTP/1.0")
        request = httputil.HTTPServerRequest(start_line=line, connection=_NoConnection())
        await handler(application, request, **arguments).ensure_reachable()

    def gateway(self) -> RunningGateway | None:
        """Return the gateway if it runs; sends nothing and starts nothing."""
        state = self._state()
        process = getattr(state.get("proc"), "proc", None)
        if process is None or process.returncode is not None:
            return None
        return RunningGateway(
            pid=process.pid, data_dir="", prefix="", unix_socket=state["unix_socket"]
        )

    @property
    def last_activity(self) -> float | None:
        """When a user or a program last used Label Studio (Unix time, seconds)."""
        found: float | None = self._state().get("last_activity")
        return found

    def _state(self) -> dict[str, Any]:
        """Return what jupyter-server-proxy and the handlers remember about this server."""
        state: dict[str, Any] = self._route[1]["state"]
        return state

    def get_proxy_attributes(self) -> dict[str, Any]:
        """Called by jupyter-server-proxy: what each handler gets as attributes."""
        attributes: dict[str, Any] = super().get_proxy_attributes()
        return {**attributes, "frame_ancestors": self.frame_ancestors}

    def get_proxy_base_class(self) -> tuple[type, dict[str, Any]]:
        """Called by jupyter-server-proxy when it makes the routes."""
        return StreamingHandler, {"state": {}}


def is_visitor(user: object) -> bool:
    """Return True if JupyterHub says that this server belongs to another user."""
    hub_user = getattr(user, "hub_user", None) or {}
    owner = os.environ.get("JUPYTERHUB_USER", "")
    return bool(owner) and hub_user.get("kind") == "user" and hub_user.get("name") != owner


class _NoConnection(httputil.HTTPConnection):
    """The connection of a request that no browser has sent."""

    def set_close_callback(self, callback: object) -> None:
        """Never called back: there is nothing to close."""


@web.stream_request_body
class StreamingHandler(SupervisingHandler):
    """Forwards a request while it arrives, and its response while that does.

    Tornado calls `prepare`, then `data_received` for each chunk of the body, then the method. So
    `prepare` starts the request to the gateway, once Jupyter has authenticated the user.
    """

    _chunks: asyncio.Queue[bytes | None]
    _request: asyncio.Task[aiohttp.ClientResponse] | None = None
    _early_response: asyncio.Task[None] | None = None
    _refusal: asyncio.TimerHandle | None = None
    _body_complete = False
    _counts_as_activity = False
    frame_ancestors = "'self'"

    async def prepare(self) -> None:
        """Authenticate, and start the request to the gateway."""
        request = self.request
        upgrade = request.headers.get("Upgrade", "").lower()
        if request.method == "GET" and upgrade == "websocket":
            await super().prepare()
            return
        try:
            await super().prepare()
            if not self._finished:  # by a redirect
                await self._begin_request()
        except web.HTTPError as error:
            self._refuse(error)

    async def _begin_request(self) -> None:
        request = self.request
        request.connection.set_max_body_size(MAX_BODY_BYTES)
        kind = classify(request.method, request.path, request.headers)
        self._counts_as_activity = kind.counts_as_activity
        self._is_navigation = kind.is_navigation
        self._record_use()
        await self.ensure_gateway()
        self._chunks = asyncio.Queue(WAITING_CHUNKS)
        self._request = asyncio.create_task(self._send_request())
        self._request.add_done_callback(self._respond_early)

    def _refuse(self, error: web.HTTPError) -> None:
        """Write the response to a request that is not forwarded.

        It is sent when the whole request has arrived: Tornado closes the connection on an earlier
        response, and the client may lose that.
        """
        self.set_status(error.status_code, error.reason)
        self.write_error(error.status_code, exc_info=(type(error), error, None))
        if "Expect" in self.request.headers:  # the client waits before it sends the body
            self._refuse_early()
            return
        self.request.connection.set_max_body_size(MAX_BODY_BYTES)
        loop = asyncio.get_running_loop()
        self._refusal = loop.call_later(REFUSAL_SECONDS, self._refuse_early)

    def _refuse_early(self) -> None:
        self.set_header("Connection", "close")
        self.finish()

    def get_login_url(self) -> str:
        """Called to redirect a request without a login; raises HTTPError for a program."""
        if not self._wants_page:
            raise web.HTTPError(403)
        self.set_header("Connection", "close")  # see `_refuse`
        url: str = super().get_login_url()
        return url

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write an error: a page for a browser, JSON for a program."""
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, GatewayUnavailable):
            self._explain(error)
            return
        if self._wants_page:
            super().write_error(status_code, **kwargs)
            return
        message = getattr(error, "log_message", None) or responses.get(status_code, "")
        if status_code == 403 and not self.current_user:
            message = (
                explain_refused_token(self.request.headers.get("Authorization", ""))
                if self.check_host()
                else WRONG_HOST
            )
        self.write({"message": message})

    def _explain(self, error: GatewayUnavailable) -> None:
        self.set_header("Cache-Control", "no-store")
        if self._is_navigation:
            # Not Jupyter's own policy: a hub's allows no frame, also not JupyterLab's.
            policy = f"frame-ancestors {self.frame_ancestors}; {page_policy()}"
            self.set_header("Content-Security-Policy", policy)
            self.write(error.page(f"{self._prefix}/"))
        else:
            self.set_header("Retry-After", str(RELOAD_SECONDS))
            self.write({"message": error.problem.what, **error.problem.as_json()})

    @property
    def _prefix(self) -> str:
        """The gateway's path in browsers, without a slash at its end."""
        return f"{self.base_url.rstrip('/')}/{self.proxy_base}"

    @property
    def _wants_page(self) -> bool:
        return "text/html" in self.request.headers.get("Accept", "")

    async def data_received(self, chunk: bytes) -> None:
        """Forward a chunk of the body; waits while the gateway is slower than the browser."""
        self._record_use()
        await self._forward(chunk)

    async def proxy(self, port: int, path: str) -> None:
        """Send the gateway's response; jupyter-server-proxy calls it for every method."""
        if self._refusal is not None:
            self._refusal.cancel()
            return
        assert self._request is not None, "prepare() comes first"
        self._body_complete = True
        if self._early_response is not None:
            await asyncio.wait([self._early_response])
            return
        await self._forward(None)
        await asyncio.wait([self._request])
        if self._request.cancelled():  # the browser has closed the connection
            return
        try:
            response = self._request.result()
        except aiohttp.ClientError as error:
            problem = Problem(
                "Label Studio does not respond.",
                f"Its gateway stopped or is restarting ({type(error).__name__}).",
                "Try again.",
            )
            raise GatewayUnavailable(problem, 502, passing=True) from error
        with contextlib.closing(response):
            await self._send_response(response)
        self._record_use()

    def on_connection_close(self) -> None:
        """Cancel the request, since the browser has closed the connection."""
        super().on_connection_close()
        if self._refusal is not None:
            self._refusal.cancel()
        # Tornado's class for WebSockets leaves this out; it ends the wait for the body.
        web.RequestHandler.on_connection_close(self)
        request = self._request
        if request is not None:
            request.cancel()
            if request.done() and not request.cancelled() and not request.exception():
                request.result().close()

    def _respond_early(self, request: asyncio.Task[aiohttp.ClientResponse]) -> None:
        """Send the response to a body that does not arrive; Tornado would wait for its end."""
        if request.cancelled() or request.exception() or self._body_complete:
            return
        if request.result().status == BODY_TIMEOUT:
            self._early_response = begin_task(self._send_and_close(request.result()))

    async def _send_and_close(self, response: aiohttp.ClientResponse) -> None:
        with contextlib.closing(response):
            await self._send_response(response)
        if not self._finished:
            self.finish()  # closes the connection, since the rest may still arrive

    def _record_use(self) -> None:
        """Record activity for Jupyter and for the metrics, if this request counts as such."""
        if self._counts_as_activity:
            self._record_activity()
            self.state["last_activity"] = time.time()

    async def _send_request(self) -> aiohttp.ClientResponse:
        request = self.request
        headers = httputil.HTTPHeaders(request.headers)
        for name in (*HOP_BY_HOP, "Expect", VISITOR):  # Tornado has answered `Expect`
            headers.pop(name, None)
        if is_visitor(self.current_user):
            headers[VISITOR] = "1"
        length = request.headers.get("Content-Length", "0")
        has_body = "Transfer-Encoding" in request.headers or length not in {"", "0"}
        # The target as it arrived, without the prefix: not decoded and encoded again.
        target = request.uri.removeprefix(self._prefix) or "/"
        deadline = time.monotonic() + (PAGE_SECONDS if self._is_navigation else CONNECT_SECONDS)
        while True:
            try:
                return await self._session().request(
                    request.method,
                    URL(f"http://localhost{target}", encoded=True),
                    headers=list(headers.get_all()),
                    data=self._body() if has_body else None,
                    allow_redirects=False,
                )
            except aiohttp.ClientConnectionError as error:
                # The gateway has crashed and restarts. Repeat only what was not sent, or changes
                # nothing.
                unsent = isinstance(error, aiohttp.ClientConnectorError)
                repeatable = unsent or (request.method in SAFE_METHODS and not has_body)
                if not repeatable or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(CONNECT_POLL_SECONDS)
                await self.ensure_reachable()

    async def _body(self) -> AsyncIterator[bytes]:
        while (chunk := await self._chunks.get()) is not None:
            yield chunk

    async def _forward(self, chunk: bytes | None) -> None:
        """Queue a chunk (None: the end) for the gateway, unless the request is over."""
        if self._request is None or self._request.done():
            return
        put = asyncio.ensure_future(self._chunks.put(chunk))
        await asyncio.wait([put, self._request], return_when=asyncio.FIRST_COMPLETED)
        put.cancel()

    async def _send_response(self, response: aiohttp.ClientResponse) -> None:
        self.set_status(response.status, response.reason)
        self._headers = httputil.HTTPHeaders()  # without Jupyter's own
        for name, value in response.headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.add_header(name, value)
        # The `flush` of jupyter-server-proxy returns nothing to await.
        flush = partial(web.RequestHandler.flush, self)
        try:
            await flush()
            async for chunk in response.content.iter_any():
                self._record_use()
                self.write(chunk)
                await flush()
        except StreamClosedError:
            return
        except aiohttp.ClientError:
            # The browser must notice that the response is not complete.
            self.request.connection.stream.close()

    def _session(self) -> aiohttp.ClientSession:
        """Return the session with the gateway, kept where jupyter-server-proxy keeps its own."""
        session: aiohttp.ClientSession | None = self.state.get("session")
        if session is None:
            session = open_session(Endpoint(unix_socket=Path(self.unix_socket)))
            self.state["session"] = session
        return session
