"""Metrics of a gateway that responds badly: Jupyter's own are shown, in time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from labelstudio_proxy.gateway_client import RunningGateway
from labelstudio_proxy.jupyter import metrics
from labelstudio_proxy.jupyter.metrics import LabelStudioCollector

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
READY = b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"state":"ready"}'

Respond = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def ready(writer: asyncio.StreamWriter) -> None:
    writer.write(READY)


async def break_off(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b'{"state":')


async def send_no_object(writer: asyncio.StreamWriter) -> None:
    writer.write(READY.replace(b'{"state":"ready"}', b'["state","ready"]'))


async def send_no_json(writer: asyncio.StreamWriter) -> None:
    writer.write(READY.replace(b"{", b"["))


async def send_other_fields(writer: asyncio.StreamWriter) -> None:
    body = b'{"state": [], "ready_after": {}, "restart_reasons": {"ended": "often"}}'
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + body)


async def nest(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000)
    await writer.drain()


async def dribble(writer: asyncio.StreamWriter) -> None:
    """Send a byte before each time-out of a read."""
    writer.write(HEAD)
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(metrics.TIMEOUT_SECONDS / 5)


async def shown(respond: Respond, folder: Path) -> tuple[str, float, list[bytes]]:
    """Return the metrics with a gateway that responds so, the seconds, and what it was asked."""
    asked: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        try:
            await respond(writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    socket = folder / "socket"
    gateway = RunningGateway(1, "", "", unix_socket=str(socket))
    server: Any = SimpleNamespace(gateway=lambda: gateway, last_activity=None, data_dir=str(folder))
    collector = LabelStudioCollector(server)
    registry = CollectorRegistry()
    registry.register(collector)
    (folder / "label_studio.sqlite3").write_bytes(b"12345")
    async with await asyncio.start_unix_server(handle, str(socket)):
        began = time.monotonic()
        await collector.measure()
        text = generate_latest(registry).decode()
        return text, time.monotonic() - began, asked


@pytest.mark.parametrize(
    "respond", [break_off, send_no_json, send_no_object, send_other_fields, nest, dribble]
)
async def test_a_gateway_that_responds_badly_neither_fails_nor_delays_the_metrics(
    tmp_path: Path, respond: Respond
) -> None:
    text, seconds, _ = await shown(respond, tmp_path)
    assert "labelstudio_state{" in text
    assert "} 1.0" not in text
    assert seconds < 1


async def test_the_gateway_is_asked_for_no_log(tmp_path: Path) -> None:
    text, _, asked = await shown(ready, tmp_path)
    assert 'labelstudio_state{state="ready"} 1.0' in text
    assert "labelstudio_database_bytes 5.0" in text
    assert asked == [b"GET /_proxy/snapshot HTTP/1.1\r\n"]


async def test_jupyter_is_not_blocked_by_a_disk_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, responds = [], threading.Event()

    def hang(self: LabelStudioCollector) -> Any:
        begun.append("measurement")
        responds.wait()
        return metrics._Measured()

    monkeypatch.setattr(metrics, "TIMEOUT_SECONDS", 0.02)
    monkeypatch.setattr(LabelStudioCollector, "_measure", hang)
    server: Any = SimpleNamespace(last_activity=None)
    collector = LabelStudioCollector(server)
    for _ in range(3):
        await collector.measure()
    assert begun == ["measurement"]
    assert list(collector.collect())
    responds.set()
