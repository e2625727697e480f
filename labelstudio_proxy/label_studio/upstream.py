"""HTTP connections to Label Studio, in whatever backend it runs."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.client_exceptions import UnixClientConnectorError

from ..problem import Problem
from . import paths
from .port_owner import Listener

if TYPE_CHECKING:
    from aiohttp.client import ClientTimeout
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.tracing import Trace

# The Host header of every request, so that no host name of a notebook gets into the database.
HOST = "localhost"

# Headers of one connection, which a proxy must not pass on (RFC 9110, section 7.6.1, and older ones).
HOP_BY_HOP = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    )
)

# Shorter than Label Studio's own: a request must not meet a connection that is being closed.
KEEP_ALIVE_SECONDS = 30.0
CONNECT_SECONDS = 10.0
CONNECTIONS = 100
# What a connection reads ahead: as much as asyncio reads at once, so that large responses come in few
# parts.
READ_BYTES = 256 * 1024
RESPONSE_SECONDS = 10.0
ACCEPT_SECONDS = 2.0
END_SECONDS = 10.0  # a container's end is noticed later than its socket's
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Endpoint:
    """Where Label Studio listens: a unix socket, or a port of this machine or of a container."""

    unix_socket: Path | None = None
    port: int | None = None
    host: str = "127.0.0.1"
    # The users that may listen there; None: nobody else can.
    listener: Listener | None = None


def open_session(endpoint: Endpoint) -> aiohttp.ClientSession:
    """Return a session with pooled connections to `endpoint`; the caller must close it.

    It stores no cookies, decompresses no bodies and follows no redirects.
    """
    connector: aiohttp.BaseConnector
    if endpoint.unix_socket is not None:
        connector = _SocketConnector(endpoint.unix_socket)
    else:
        connector = _CheckedConnector(endpoint)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        read_bufsize=READ_BYTES,
        # Exports and uploads take as long as they take.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )


class _SocketConnector(aiohttp.UnixConnector):
    """Connects to a socket whose path may be long, and which a container may replace (Linux).

    The name of a socket has at most 107 bytes, so it is opened first. A link is not followed: it could
    lead to a socket that the container itself cannot reach, such as the engine's.
    """

    def __init__(self, socket: Path) -> None:
        super().__init__(str(socket), limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE_SECONDS)

    async def _create_connection(
        self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout
    ) -> ResponseHandler:
        # Private, as in _CheckedConnector.
        if sys.platform != "linux":
            return await super()._create_connection(req, traces, timeout)
        try:
            socket = os.open(self.path, os.O_PATH | os.O_NOFOLLOW)
            try:
                _, protocol = await asyncio.wait_for(
                    self._loop.create_unix_connection(
                        self._factory,
                        f"/proc/self/fd/{socket}",
                    ),
                    timeout.sock_connect,
                )
            finally:
                os.close(socket)
        except OSError as error:
            raise UnixClientConnectorError(self.path, req.connection_key, error) from error
        return protocol


class _CheckedConnector(aiohttp.TCPConnector):
    """Connects to a port only while the right user listens on it.

    A listener keeps its port until it ends. So a connection reaches Label Studio if Label Studio
    listened both before and after the connection was made.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE_SECONDS)
        self._endpoint = endpoint

    async def _create_connection(
        self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout
    ) -> ResponseHandler:
        # Private: aiohttp has no public hook that gets the new connection. A test of it fails if aiohttp
        # renames it, and pyproject.toml allows no aiohttp 4.
        await self._check()
        connection = await super()._create_connection(req, traces, timeout)
        try:
            await self._check()
        except BaseException:
            connection.close()
            raise
        return connection

    async def _check(self) -> None:
        listener, port = self._endpoint.listener, self._endpoint.port
        if listener is None or port is None:
            return
        if not await asyncio.to_thread(listener.holds, port):
            raise aiohttp.ClientConnectionError(f"Label Studio does not listen at port {port}")


def url_of(endpoint: Endpoint, path: str) -> str:
    """Return the URL of `path` (absolute, encoded) at the endpoint."""
    where = f"{endpoint.host}:{endpoint.port}" if endpoint.port else HOST
    return f"http://{where}{path}"


async def is_healthy(
    session: aiohttp.ClientSession, endpoint: Endpoint, seconds: float = RESPONSE_SECONDS
) -> bool:
    """Return True if Label Studio responds within `seconds`."""
    return await responds(session, endpoint, paths.HEALTH, seconds=seconds)


async def accepts_connections(endpoint: Endpoint) -> bool:
    """Return True if Label Studio accepts a connection, even if it responds too slowly."""
    timeout = aiohttp.ClientTimeout(total=ACCEPT_SECONDS)
    try:
        async with (
            open_session(endpoint) as session,
            session.get(url_of(endpoint, paths.HEALTH), headers={"Host": HOST}, timeout=timeout),
        ):
            return True
    except asyncio.TimeoutError:
        return True
    except (aiohttp.ClientError, OSError):
        return False


def unreachable(endpoint: Endpoint) -> Problem:
    """Return the Problem of a Label Studio that runs and accepts no connection."""
    where, why = f"port {endpoint.port}", "its container may have lost its network"
    if endpoint.unix_socket is not None:
        where, why = str(endpoint.unix_socket), "a program that cleans up may have removed it"
    return Problem(
        "Label Studio could no longer be reached.",
        f"It runs, but does not listen at {where}: {why}.",
        "Try again. To ask for help, use Copy diagnostics.",
    )


async def responds(
    session: aiohttp.ClientSession,
    endpoint: Endpoint,
    path: str,
    headers: Mapping[str, str] = MappingProxyType({}),
    seconds: float = RESPONSE_SECONDS,
) -> bool:
    """Return True if Label Studio responds to a GET of `path` with 200 within `seconds`."""
    try:
        async with session.get(
            url_of(endpoint, path),
            headers={"Host": HOST, **headers},
            timeout=aiohttp.ClientTimeout(total=seconds),
        ) as response:
            return response.status == 200
    except (aiohttp.ClientError, OSError, asyncio.TimeoutError):
        return False


async def wait_for_first_response(
    endpoint: Endpoint, ended: asyncio.Task[str], seconds: float
) -> None:
    """Return when Label Studio responds, or when `ended` is done.

    Raises Problem after `seconds`, or if the socket was removed.
    """
    deadline = time.monotonic() + seconds
    socket = endpoint.unix_socket
    listens = False
    async with open_session(endpoint) as session:
        while not ended.done():
            listened = listens
            listens = socket is not None and await asyncio.to_thread(socket.exists)
            if await is_healthy(session, endpoint):
                return
            if listened and not listens:
                # Label Studio removes it itself, too, when it ends.
                await asyncio.wait([ended], timeout=END_SECONDS)
                if not ended.done():
                    raise unreachable(endpoint)
            if time.monotonic() > deadline:
                raise Problem(
                    f"Label Studio did not respond within {seconds:g} seconds.",
                    "The machine may be slow, or Label Studio waits for something, such as a "
                    "database that cannot be reached.",
                    "Try again. If a start takes that long here, raise `start_timeout` and restart Jupyter.",
                )
            await asyncio.wait([ended], timeout=POLL_SECONDS)
