"""The way from Jupyter to the gateway: streamed both ways, over pooled connections.

jupyter-server-proxy supervises the gateway; only its forwarding is replaced, which keeps bodies in
memory, refuses more than 100 MB, and fails for DELETE with a body and PATCH without one.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from jupyter_server_proxy.config import ServerProcess
from jupyter_server_proxy.handlers import SuperviseAndProxyHandler
from tornado import httputil, web
from tornado.iostream import StreamClosedError
from traitlets import Bool, Unicode
from yarl import URL

from ..gateway_client import RunningGateway
from ..label_studio.upstream import HOP_BY_HOP, Endpoint, open_session
from ..request_kind import SAFE_METHODS, classify
from .signal_handlers import keep_jupyters_end

# No limit of its own: what is too large for Label Studio, Label Studio says.
MAX_BODY_BYTES = 1 << 62
# Chunks of a body (64 KB each, from Tornado) that may wait for the gateway.
WAITING_CHUNKS = 4
CONNECT_SECONDS = 30.0
CONNECT_POLL_SECONDS = 0.1
READY_SECONDS = 3.0  # simpervisor waits 5 s for an answer
READY_POLL_SECONDS = 0.02
GIVEN_UP = 408  # the gateway's answer where a body does not come


class StreamingServerProcess(ServerProcess):  # type: ignore[misc]  # without types
    """A `ServerProcess` of jupyter-server-proxy whose requests are streamed."""

    prewarm = Bool(False, help="Whether `start` is to be called, without a request.")
    data_dir = Unicode(help="Whose data the gateway serves; an absolute path.")

    def __deepcopy__(self, memo: object) -> StreamingServerProcess:
        """Itself: traitlets copies what is configured, and `start` needs what the copy has made."""
        return self

    def make_proxy_handler(self) -> tuple[type, dict[str, Any]]:
        """Called by jupyter-server-proxy when it makes the routes."""
        handler, arguments = super().make_proxy_handler()
        self._route = handler, arguments
        return handler, arguments

    async def start(self, application: web.Application) -> None:
        """Start the gateway as a request would, once the routes are made; raises HTTPError."""
        handler, arguments = self._route
        request = httputil.HTTPServerRequest("GET", "/", connection=_Nobody())
        await handler(application, request, **arguments).ensure_process()

    def gateway(self) -> RunningGateway | None:
        """The gateway, if it runs; asks nothing and starts nothing."""
        state = self._state()
        process = getattr(state.get("proc"), "proc", None)
        if process is None or process.returncode is not None:
            return None
        return RunningGateway(
            pid=process.pid, data_dir="", prefix="", unix_socket=state["unix_socket"]
        )

    @property
    def last_activity(self) -> float | None:
        """When somebody last asked for Label Studio or was answered (Unix time, seconds)."""
        found: float | None = self._state().get("last_activity")
        return found

    def _state(self) -> dict[str, Any]:
        """What jupyter-server-proxy and the handlers keep of this server."""
        state: dict[str, Any] = self._route[1]["state"]
        return state

    def get_proxy_base_class(self) -> tuple[type, dict[str, Any]]:
        """Called by jupyter-server-proxy when it makes the routes."""
        return StreamingHandler, {"state": {}}


class _Nobody(httputil.HTTPConnection):
    """What a handler is given for a connection where no request has come in."""

    def set_close_callback(self, callback: object) -> None:
        """Nobody goes away."""


@web.stream_request_body
class StreamingHandler(SuperviseAndProxyHandler):  # type: ignore[misc]  # without types
    """Sends a request on while it comes in, and its answer back while that does.

    Tornado calls `prepare`, then `data_received` for each chunk of the body, then the method. So
    the request to the gateway begins in `prepare`, once the caller is known.
    """

    _chunks: asyncio.Queue[bytes | None]
    _asked: asyncio.Task[aiohttp.ClientResponse] | None = None
    _giving_up: asyncio.Task[None] | None = None
    _is_whole = False
    _counts_as_activity = False

    @property
    def unix_socket(self) -> str:
        """Where the gateway listens, in a folder that jupyter-server-proxy makes and never removes."""
        made = "unix_socket" in self.state
        path: str = super().unix_socket
        if not made:
            atexit.register(shutil.rmtree, Path(path).parent, ignore_errors=True)
        return path

    async def prepare(self) -> None:
        """Authenticate, and begin the request to the gateway."""
        await super().prepare()
        upgrade = self.request.headers.get("Upgrade", "").lower()
        if self._finished or (self.request.method == "GET" and upgrade == "websocket"):
            return
        self.request.connection.set_max_body_size(MAX_BODY_BYTES)
        request = self.request
        kind = classify(request.method, request.path, request.headers)
        self._counts_as_activity = kind.counts_as_activity
        self._note_activity()
        await self._ensure_gateway()
        self._chunks = asyncio.Queue(WAITING_CHUNKS)
        self._asked = asyncio.create_task(self._ask())
        self._asked.add_done_callback(self._look_for_a_stall)

    async def data_received(self, chunk: bytes) -> None:
        """Hand a chunk of the body on; waits while the gateway is slower than the browser."""
        self._note_activity()
        await self._hand_on(chunk)

    async def proxy(self, port: int, path: str) -> None:
        """Give the gateway's answer to the browser; jupyter-server-proxy calls it for any method."""
        assert self._asked is not None, "prepare() comes first"
        self._is_whole = True
        if self._giving_up is not None:
            await asyncio.wait([self._giving_up])
            return
        await self._hand_on(None)
        await asyncio.wait([self._asked])
        if self._asked.cancelled():  # the browser has gone
            return
        try:
            answer = self._asked.result()
        except aiohttp.ClientError as error:
            self.log.warning("labelstudio_proxy: no answer: %s", type(error).__name__)
            raise web.HTTPError(502, "Label Studio's gateway does not answer") from error
        with contextlib.closing(answer):
            await self._give(answer)
        self._note_activity()

    def on_connection_close(self) -> None:
        """The browser has gone: what it asked for need not be made."""
        super().on_connection_close()
        # Tornado's class for WebSockets leaves this out, which ends the wait for the body.
        web.RequestHandler.on_connection_close(self)
        if self._asked is not None:
            self._asked.cancel()
            if self._asked.done() and not self._asked.cancelled() and not self._asked.exception():
                self._asked.result().close()

    def _look_for_a_stall(self, asked: asyncio.Task[aiohttp.ClientResponse]) -> None:
        """Answer for a body that has stalled: Tornado would wait for its end."""
        if asked.cancelled() or asked.exception() or self._is_whole:
            return
        if asked.result().status == GIVEN_UP:
            self._giving_up = asyncio.create_task(self._give_up(asked.result()))

    async def _give_up(self, answer: aiohttp.ClientResponse) -> None:
        with contextlib.closing(answer):
            await self._give(answer)
        if not self._finished:
            self.finish()  # which closes the connection, since the rest may still come

    def _note_activity(self) -> None:
        """Tell Jupyter, and note for the metrics, that somebody works with Label Studio."""
        if self._counts_as_activity:
            self._record_activity()
            self.state["last_activity"] = time.time()

    async def _ensure_gateway(self) -> None:
        """As `ensure_process`, also after an end with status 0, which simpervisor leaves at that."""
        async with self.state["proc_lock"]:
            supervised = self.state.get("proc")
            process = getattr(supervised, "proc", None)
            if process is not None and not supervised.running and process.returncode == 0:
                del self.state["proc"]
        await self.ensure_process()

    async def _http_ready_func(self, process: Any) -> bool:
        """Whether the gateway listens: jupyter-server-proxy asks, in pauses that double each time.

        So the answer is worth waiting for.
        """
        keep_jupyters_end(self.settings["serverapp"])
        deadline = time.monotonic() + READY_SECONDS
        while process.running and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_unix_connection(self.unix_socket)
                writer.close()
                return True
            await asyncio.sleep(READY_POLL_SECONDS)
        return False

    def _target(self) -> str:
        """The target as it came in, without the prefix: nothing is decoded and encoded again."""
        target: str = self.request.uri
        return target.removeprefix(f"{self.base_url.rstrip('/')}/{self.proxy_base}") or "/"

    def _has_body(self) -> bool:
        headers = self.request.headers
        return "Transfer-Encoding" in headers or headers.get("Content-Length", "0") not in {"", "0"}

    async def _ask(self) -> aiohttp.ClientResponse:
        request = self.request
        headers = httputil.HTTPHeaders(request.headers)
        for name in (*HOP_BY_HOP, "Expect"):  # Tornado has answered `Expect`
            headers.pop(name, None)
        has_body = self._has_body()
        url = URL(f"http://localhost{self._target()}", encoded=True)
        deadline = asyncio.get_running_loop().time() + CONNECT_SECONDS
        while True:
            try:
                return await self._session().request(
                    request.method,
                    url,
                    headers=list(headers.get_all()),
                    data=self._body() if has_body else None,
                    allow_redirects=False,
                )
            except aiohttp.ClientConnectionError as error:
                # The gateway has ended, and is started again. Only what has not been sent, or
                # changes nothing, is sent once more.
                unsent = isinstance(error, aiohttp.ClientConnectorError)
                repeatable = unsent or (request.method in SAFE_METHODS and not has_body)
                if not repeatable or asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(CONNECT_POLL_SECONDS)
                # Its end may only now have come to be known.
                await self._ensure_gateway()

    async def _body(self) -> AsyncIterator[bytes]:
        while (chunk := await self._chunks.get()) is not None:
            yield chunk

    async def _hand_on(self, chunk: bytes | None) -> None:
        """Put a chunk (None: the end) into the queue, unless nobody will take it any more."""
        if self._asked is None or self._asked.done():
            return
        put = asyncio.ensure_future(self._chunks.put(chunk))
        await asyncio.wait([put, self._asked], return_when=asyncio.FIRST_COMPLETED)
        put.cancel()

    async def _give(self, answer: aiohttp.ClientResponse) -> None:
        self.set_status(answer.status, answer.reason)
        self._headers = httputil.HTTPHeaders()  # none of Jupyter's own
        for name, value in answer.headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.add_header(name, value)
        # jupyter-server-proxy's own `flush` gives nothing back that could be waited for.
        flush = partial(web.RequestHandler.flush, self)
        try:
            await flush()
            async for chunk in answer.content.iter_any():
                self._note_activity()
                self.write(chunk)
                await flush()
        except StreamClosedError:
            return
        except aiohttp.ClientError:
            # Half an answer must not look like a whole one.
            self.request.connection.stream.close()

    def _session(self) -> aiohttp.ClientSession:
        """The session with the gateway, kept where jupyter-server-proxy keeps its own."""
        session: aiohttp.ClientSession | None = self.state.get("session")
        if session is None:
            session = open_session(Endpoint(unix_socket=Path(self.unix_socket)))
            self.state["session"] = session
        return session
