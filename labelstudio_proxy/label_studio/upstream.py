"""HTTP connections to Label Studio, wherever a backend has put it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import aiohttp

from . import paths
from .port_owner import Listener

if TYPE_CHECKING:
    from aiohttp.client import ClientTimeout
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.tracing import Trace

# Label Studio gets one name for itself, whatever the browser calls it: so no host name of a
# notebook can end up in its database.
HOST = "localhost"

# Headers of one connection, which a proxy must not pass on (RFC 9110, section 7.6.1, and older ones).
HOP_BY_HOP = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    )
)

# Shorter than the server keeps an idle connection, so that none is used as it is being closed.
KEEP_ALIVE_SECONDS = 30.0
CONNECT_SECONDS = 10.0
CONNECTIONS = 100
ANSWER_SECONDS = 10.0


@dataclass(frozen=True)
class Endpoint:
    """Where Label Studio answers: a unix socket, or a port of this machine or of a container."""

    unix_socket: Path | None = None
    port: int | None = None
    host: str = "127.0.0.1"
    # who must be listening there; None: whoever does, since nobody else can
    listener: Listener | None = None


def open_session(endpoint: Endpoint) -> aiohttp.ClientSession:
    """A session with pooled connections to `endpoint`; whoever opens it must close it.

    It changes nothing on the way: no cookies are kept, no body is unpacked, no redirect followed.
    """
    connector: aiohttp.BaseConnector
    if endpoint.unix_socket is not None:
        connector = aiohttp.UnixConnector(
            str(endpoint.unix_socket), limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE_SECONDS
        )
    else:
        connector = _CheckedConnector(endpoint)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        # Exports and uploads take as long as they take.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )


class _CheckedConnector(aiohttp.TCPConnector):
    """Makes connections to a port, and uses none that a stranger may have taken.

    Whoever listens keeps the port until it ends. So a connection is Label Studio's if it listened
    before the connection was made, and does so after.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE_SECONDS)
        self._endpoint = endpoint

    async def _create_connection(
        self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout
    ) -> ResponseHandler:
        # aiohttp's own connectors override it, too; its `socket_factory` came with 3.12 only.
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
    """The URL of `path` (absolute, encoded) at the endpoint."""
    where = f"{endpoint.host}:{endpoint.port}" if endpoint.port else HOST
    return f"http://{where}{path}"


async def healthy(
    session: aiohttp.ClientSession, endpoint: Endpoint, seconds: float = ANSWER_SECONDS
) -> bool:
    """Return True if Label Studio responds within `seconds`."""
    return await answers(session, endpoint, paths.HEALTH, seconds=seconds)


async def answers(
    session: aiohttp.ClientSession,
    endpoint: Endpoint,
    path: str,
    headers: Mapping[str, str] = MappingProxyType({}),
    seconds: float = ANSWER_SECONDS,
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
