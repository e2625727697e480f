"""How Jupyter finds out that the gateway listens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labelstudio_proxy.jupyter import supervising_handler
from labelstudio_proxy.jupyter.supervising_handler import SupervisingHandler, _GatewayExited


class GatewayProcess:
    """Like simpervisor's, but it exits when `running` was read `exits_after` times."""

    def __init__(self, exits_after: float = float("inf"), *, restarts: bool = False) -> None:
        self.polled_often = asyncio.Event()
        self.killed = False
        self._polls = 0
        self._exits_after = exits_after
        self._restarts = restarts

    @property
    def pid(self) -> int:
        return 2 if self._polls > self._exits_after else 1

    async def kill(self) -> None:
        self.killed = True

    @property
    def running(self) -> bool:
        self._polls += 1
        if self._polls == 5:
            self.polled_often.set()
        return self._restarts or self._polls <= self._exits_after


def is_ready(socket: Path, process: GatewayProcess) -> Any:
    handler: Any = SimpleNamespace(settings={"serverapp": None}, unix_socket=str(socket))
    return SupervisingHandler._http_ready_func(handler, process)


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


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_gateway_that_exits_before_it_listens_is_not_restarted(
    tmp_path: Path, restarts: bool
) -> None:
    """simpervisor restarts it at once, so that a check may not see it stopped."""
    process = GatewayProcess(exits_after=3, restarts=restarts)
    with pytest.raises(_GatewayExited):
        await is_ready(tmp_path / "socket", process)
    assert process.killed


async def test_check_ends_before_simpervisor_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising_handler, "READY_SECONDS", 0.1)
    assert await is_ready(tmp_path / "socket", GatewayProcess()) is False
