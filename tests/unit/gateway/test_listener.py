"""The gateway's socket comes back after a program that cleans up has removed it."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from labelstudio_proxy.gateway.listener import UnixListener


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir(mode=0o700)
    return tmp_path / "folder" / "gateway.sock"


@pytest.fixture
async def listener(path: Path) -> AsyncIterator[UnixListener]:
    async def respond(_: web.BaseRequest) -> web.Response:
        return web.Response(text="here")

    runner = web.ServerRunner(web.Server(respond))
    await runner.setup()
    made = UnixListener(runner, path)
    await made.start()
    yield made
    await runner.cleanup()


async def get(path: Path) -> str:
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session,
        session.get("http://localhost/") as response,
    ):
        return await response.text()


async def remove(path: Path, what: str) -> None:
    if what == "folder":
        shutil.rmtree(path.parent)
    else:
        os.unlink(path)  # noqa: PTH108 - ruff refuses pathlib in async functions
    if what == "replaced":
        server = await asyncio.start_unix_server(lambda _, writer: writer.close(), str(path))
        server.close()


def inode(path: Path) -> int:
    return path.stat().st_ino


@pytest.mark.parametrize("what", ["socket", "folder", "replaced"])
async def test_removed_socket_listens_again_and_open_connections_stay(
    listener: UnixListener, path: Path, what: str
) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session:
        await (await session.get("http://localhost/")).read()
        await remove(path, what)
        with pytest.raises(aiohttp.ClientConnectorError):
            await get(path)
        await listener.renew()
        assert await get(path) == "here"
        async with session.get("http://localhost/") as response:
            assert await response.text() == "here"


async def test_present_socket_stays(listener: UnixListener, path: Path) -> None:
    before = inode(path)
    await listener.renew()
    assert inode(path) == before


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
async def test_folder_of_another_user_is_not_used(
    listener: UnixListener, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await remove(path, "socket")
    os.chown(path.parent, 65534, 65534)
    for _ in range(2):
        await listener.renew()
        with pytest.raises(aiohttp.ClientConnectorError):
            await get(path)
    assert caplog.text.count("belongs to another user") == 1
    os.chown(path.parent, 0, 0)
    await listener.renew()
    assert await get(path) == "here"
