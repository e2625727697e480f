"""Another user of the machine takes the port that a container's Label Studio had."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from support import stranger
from support.processes import free_port, wait_for
from support.stranger import Squatter, listening

from labelstudio_proxy.label_studio.port_owner import Listener, listeners
from labelstudio_proxy.label_studio.upstream import Endpoint, open_session, url_of

pytestmark = stranger.needed

SECRET = "a-label-of-the-users"


@pytest.fixture
def take(tmp_path: Path) -> Iterator[Callable[[int], Squatter]]:
    taken: list[Squatter] = []

    def take(port: int) -> Squatter:
        squatter = Squatter(port, tmp_path / f"squatter-{len(taken)}")
        taken.append(squatter)
        wait_for(lambda: squatter.listens, what="the squatter")
        return squatter

    yield take
    for squatter in taken:
        squatter.stop()


def test_listeners_are_found_wherever_they_listen(take: Callable[[int], Squatter]) -> None:
    own = os.geteuid()
    for host, family in (
        ("127.0.0.1", socket.AF_INET),
        ("0.0.0.0", socket.AF_INET),
        ("::", socket.AF_INET6),
        ("::ffff:127.0.0.1", socket.AF_INET6),
    ):
        with listening(host, family) as port:
            assert listeners(port) == {own}
            assert Listener(frozenset({own})).holds(port)
            assert not Listener(frozenset({own + 1})).holds(port)
    with listening("127.0.0.2") as port:
        assert listeners(port) == frozenset()
    port = free_port()
    assert not Listener(frozenset({own})).holds(port)
    take(port)
    assert listeners(port) == {stranger.UID}
    assert not Listener(frozenset({own})).holds(port)


async def test_another_user_who_takes_label_studios_port_gets_no_request(
    take: Callable[[int], Squatter],
) -> None:
    port = free_port()
    endpoint = Endpoint(port=port, listener=Listener(frozenset({os.geteuid()})))
    runner = web.ServerRunner(web.Server(respond))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with open_session(endpoint) as session:

        async def send() -> int:
            async with session.post(url_of(endpoint, f"/api?q={SECRET}"), data=SECRET) as response:
                return response.status

        assert await send() == 200
        await runner.cleanup()
        squatter = await asyncio.to_thread(take, port)
        for _ in range(20):
            with pytest.raises(aiohttp.ClientConnectionError):
                await send()
    assert squatter.received == b""


async def respond(_: web.BaseRequest) -> web.Response:
    return web.Response()
