"""HTTP connections to Label Studio, wherever a backend has put it."""

from __future__ import annotations

import asyncio

import aiohttp

from .backends.base import Endpoint

# Label Studio gets one name for itself, whatever the browser calls it: so no host name of a
# notebook can end up in its database.
HOST = "localhost"

# Shorter than the server keeps an idle connection, so that none is used as it is being closed.
KEEP_ALIVE_SECONDS = 30.0
CONNECT_SECONDS = 10.0
CONNECTIONS = 100


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
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE_SECONDS)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        # Exports and uploads take as long as they take.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )


def url_of(endpoint: Endpoint, path: str) -> str:
    """The URL of `path` (absolute, encoded) at the endpoint."""
    return f"http://127.0.0.1:{endpoint.port}{path}" if endpoint.port else f"http://{HOST}{path}"


async def healthy(session: aiohttp.ClientSession, endpoint: Endpoint) -> bool:
    """Whether Label Studio answers, its database included."""
    try:
        async with session.get(
            url_of(endpoint, "/health"),
            headers={"Host": HOST},
            timeout=aiohttp.ClientTimeout(total=10),
        ) as response:
            return response.status == 200
    except (aiohttp.ClientError, OSError, asyncio.TimeoutError):
        return False
