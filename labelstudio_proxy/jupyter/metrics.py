"""Label Studio in Jupyter's `/metrics`, read when Prometheus asks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import PrometheusMetricsHandler
from prometheus_client import REGISTRY
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..aio import call_in_thread
from ..snapshot import State
from .proxy_handler import StreamingServerProcess

# For all that is measured. What takes longer is left out of the response.
TIMEOUT_SECONDS = 0.25

_registered: LabelStudioCollector | None = None


def register(server: StreamingServerProcess) -> LabelStudioCollector:
    """Add this Label Studio to Jupyter's `/metrics`, in place of an earlier one."""
    global _registered
    if _registered is not None:
        REGISTRY.unregister(_registered)
    _registered = LabelStudioCollector(server)
    REGISTRY.register(_registered)
    return _registered


class MetricsHandler(PrometheusMetricsHandler):
    """Jupyter's `/metrics`, for which Label Studio is measured first."""

    def initialize(self, collector: LabelStudioCollector) -> None:
        """`collector`: from `register`."""
        self._collector = collector

    async def prepare(self, **options: Any) -> None:
        """Measure. prometheus_client collects in Jupyter's event loop, which must not wait."""
        await super().prepare(**options)
        await self._collector.measure()


@dataclass(frozen=True)
class _Measured:
    """`snapshot` is empty if the gateway does not respond, so that no state is 1."""

    snapshot: dict[str, Any] = field(default_factory=dict)
    database_bytes: int | None = None


class LabelStudioCollector(Collector):
    """Collects what was measured last."""

    def __init__(self, server: StreamingServerProcess) -> None:
        self._server = server
        self._measuring: asyncio.Future[_Measured] | None = None
        self._measured = _Measured()

    async def measure(self) -> None:
        """Measure within TIMEOUT_SECONDS. Asks the gateway and the disk in a thread, one at a time."""
        if self._measuring is None or self._measuring.done():
            self._measuring = asyncio.ensure_future(call_in_thread(self._measure, "metrics"))
        done, _ = await asyncio.wait([self._measuring], timeout=TIMEOUT_SECONDS)
        self._measured = self._measuring.result() if done else _Measured()

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the metrics depend on what runs."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Called by prometheus_client in Jupyter's event loop; must neither block nor raise."""
        snapshot = self._measured.snapshot
        state = GaugeMetricFamily(
            "labelstudio_state", "1 for the state that Label Studio is in", labels=["state"]
        )
        for each in State:
            state.add_metric([each.value], float(snapshot.get("state") == each.value))
        yield state
        restarts = CounterMetricFamily(
            "labelstudio_restarts", "Restarts since the gateway started", labels=["reason"]
        )
        for reason, count in snapshot.get("restart_reasons", {}).items():
            restarts.add_metric([reason], count)
        yield restarts
        for name, text, value in (
            ("start_seconds", "How long the last start took", snapshot.get("ready_after")),
            (
                "last_activity_timestamp_seconds",
                "When a user or a program last used Label Studio",
                self._server.last_activity,
            ),
            (
                "database_bytes",
                "Size of Label Studio's SQLite database",
                self._measured.database_bytes,
            ),
        ):
            gauge = GaugeMetricFamily(f"labelstudio_{name}", text)
            if value is not None:
                gauge.add_metric([], value)
            yield gauge

    def _measure(self) -> _Measured:
        # Imported here: it would delay Jupyter's start.
        from ..data_directory.directory import DATABASE

        snapshot: dict[str, Any] = {"state": State.STOPPED.value}
        if (gateway := self._server.gateway()) is not None:
            try:
                snapshot = _needed(gateway.ask("snapshot", seconds=TIMEOUT_SECONDS))
            except (OSError, ValueError, TypeError, AttributeError, RecursionError):
                snapshot = {}
        try:
            return _Measured(snapshot, Path(self._server.data_dir, DATABASE).stat().st_size)
        except (OSError, ValueError):  # the latter: a name that the locale cannot encode
            return _Measured(snapshot)


def _needed(snapshot: dict[str, Any]) -> dict[str, Any]:
    """Return what the metrics show of the snapshot; raises an error for values that are no numbers.

    prometheus_client would raise it otherwise, and leave out all of Jupyter's metrics.
    """
    ready_after = snapshot.get("ready_after")
    reasons = snapshot.get("restart_reasons", {})
    return {
        "state": snapshot.get("state"),
        "ready_after": None if ready_after is None else float(ready_after),
        "restart_reasons": {str(reason): float(count) for reason, count in reasons.items()},
    }
