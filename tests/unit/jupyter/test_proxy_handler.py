"""How it is found out that the gateway listens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labelstudio_proxy.jupyter import proxy_handler
from labelstudio_proxy.jupyter.proxy_handler import StreamingHandler


def asks(socket: Path, process: Any) -> Any:
    handler: Any = SimpleNamespace(settings={"serverapp": None}, unix_socket=str(socket))
    return StreamingHandler._http_ready_func(handler, process)


async def test_a_gateway_is_found_in_one_go(tmp_path: Path) -> None:
    """simpervisor's own pauses between two questions grow to many seconds."""
    asking = asyncio.create_task(asks(tmp_path / "socket", SimpleNamespace(running=True)))
    await asyncio.sleep(10 * proxy_handler.READY_POLL_SECONDS)
    assert not asking.done()
    server = await asyncio.start_unix_server(
        lambda _, writer: writer.close(), str(tmp_path / "socket")
    )
    async with server:
        assert await asyncio.wait_for(asking, 10) is True


async def test_one_that_has_ended_is_not_waited_for(tmp_path: Path) -> None:
    process = SimpleNamespace(running=True)
    asking = asyncio.create_task(asks(tmp_path / "socket", process))
    await asyncio.sleep(2 * proxy_handler.READY_POLL_SECONDS)
    process.running = False
    assert await asking is False


async def test_the_wait_ends_before_simpervisor_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy_handler, "READY_SECONDS", 0.1)
    assert await asks(tmp_path / "socket", SimpleNamespace(running=True)) is False
