"""How Jupyter finds out that the gateway listens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labelstudio_proxy.jupyter import proxy_handler
from labelstudio_proxy.jupyter.proxy_handler import StreamingHandler


class GatewayProcess:
    """Like simpervisor's, but it exits when `running` was read `exits_after` times."""

    def __init__(self, exits_after: float = float("inf")) -> None:
        self.polled_often = asyncio.Event()
        self._polls = 0
        self._exits_after = exits_after

    @property
    def running(self) -> bool:
        self._polls += 1
        if self._polls == 5:
            self.polled_often.set()
        return self._polls <= self._exits_after


def is_ready(socket: Path, process: GatewayProcess) -> Any:
    handler: Any = SimpleNamespace(settings={"serverapp": None}, unix_socket=str(socket))
    return StreamingHandler._http_ready_func(handler, process)


async def test_one_check_waits_until_the_gateway_listens(tmp_path: Path) -> None:
    """simpervisor's own pauses between two checks grow to many seconds."""
    process = GatewayProcess()
    check = asyncio.create_task(is_ready(tmp_path / "socket", process))
    await asyncio.wait_for(process.polled_often.wait(), 10)
    assert not check.done()
    server = await asyncio.start_unix_server(
        lambda _, writer: writer.close(), str(tmp_path / "socket")
    )
    async with server:
        assert await asyncio.wait_for(check, 10) is True


async def test_check_ends_when_the_gateway_exits(tmp_path: Path) -> None:
    assert await is_ready(tmp_path / "socket", GatewayProcess(exits_after=3)) is False


async def test_check_ends_before_simpervisor_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy_handler, "READY_SECONDS", 0.1)
    assert await is_ready(tmp_path / "socket", GatewayProcess()) is False
