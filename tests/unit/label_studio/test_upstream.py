"""Connections to Label Studio: by a port that its user holds, or by a socket."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from labelstudio_proxy.label_studio import upstream
from labelstudio_proxy.label_studio.port_owner import Listener
from labelstudio_proxy.label_studio.upstream import (
    Endpoint,
    is_healthy,
    open_session,
    url_of,
    wait_for_first_response,
)
from labelstudio_proxy.problem import Problem


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


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
async def test_a_socket_may_have_a_long_name_and_is_not_a_link(tmp_path: Path) -> None:
    """A container can replace its socket by a link, for example to the engine's."""
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    path = folder / "label-studio.sock"

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.read()
        writer.close()

    descriptor = os.open(folder, os.O_PATH)
    server = await asyncio.start_unix_server(handle, f"/proc/self/fd/{descriptor}/{path.name}")
    os.close(descriptor)
    async with server:
        async with open_session(Endpoint(unix_socket=path)) as session:
            assert await is_healthy(session, Endpoint(unix_socket=path))
        path.rename(folder / "other.sock")
        path.symlink_to(folder / "other.sock")
        async with open_session(Endpoint(unix_socket=path)) as session:
            assert not await is_healthy(session, Endpoint(unix_socket=path))
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(url_of(Endpoint(unix_socket=path), "/"))


async def test_a_socket_that_is_removed_before_the_first_response_ends_the_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "END_SECONDS", 0.1)
    socket = tmp_path / "s.sock"

    async def remove(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Instead of a response."""
        socket.unlink(missing_ok=True)
        writer.close()

    never: asyncio.Task[str] = asyncio.create_task(asyncio.Event().wait())  # type: ignore[arg-type]
    async with await asyncio.start_unix_server(remove, socket):
        with pytest.raises(Problem, match="could no longer be reached"):
            await wait_for_first_response(Endpoint(unix_socket=socket), never, 20)
    never.cancel()
