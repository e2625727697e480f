"""Connections to a port: none is used unless Label Studio's user listens there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest

from labelstudio_proxy.label_studio.port_owner import Listener
from labelstudio_proxy.label_studio.upstream import Endpoint, is_healthy, open_session, url_of


@dataclass(frozen=True)
class Looks(Listener):
    """Finds in turn that the right user listens, or not."""

    uids: frozenset[int] = frozenset()
    found: list[bool] = field(default_factory=list)

    def holds(self, port: int) -> bool:
        return self.found.pop(0)


@dataclass
class Server:
    port: int
    connections: int = 0
    received: bytes = b""
    closed: asyncio.Event = field(default_factory=asyncio.Event)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.connections += 1
        while line := await reader.readline():
            found.received += line
            if line == b"\r\n":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        found.closed.set()
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as listening:
        found = Server(listening.sockets[0].getsockname()[1])
        yield found


@pytest.mark.parametrize(("looks", "connections"), [([False], 0), ([True, False], 1)])
async def test_aiohttp_asks_our_create_connection_before_and_after_it_connects(
    server: Server, looks: list[bool], connections: int
) -> None:
    """It overrides `_create_connection`, a private method of aiohttp."""
    assert "_create_connection" in vars(aiohttp.TCPConnector)
    endpoint = Endpoint(port=server.port, listener=Looks(found=looks))
    async with open_session(endpoint) as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(url_of(endpoint, "/"))
        if connections:
            await asyncio.wait_for(server.closed.wait(), 10)
    assert (server.connections, server.received, looks) == (connections, b"", [])


async def test_a_connection_is_looked_at_once(server: Server) -> None:
    looks = [True, True]
    endpoint = Endpoint(port=server.port, listener=Looks(found=looks))
    async with open_session(endpoint) as session:
        for _ in range(3):
            assert await is_healthy(session, endpoint)
    assert (server.connections, looks) == (1, [])
