"""Label Studio in Jupyter's `/metrics`, read when Prometheus asks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..snapshot import State
from .proxy_handler import StreamingServerProcess

# Jupyter serves no other request meanwhile.
TIMEOUT_SECONDS = 0.25

_registered: Collector | None = None


def register(server: StreamingServerProcess) -> None:
    """Add this Label Studio to Jupyter's `/metrics`, in place of an earlier one."""
    global _registered
    if _registered is not None:
        REGISTRY.unregister(_registered)
    _registered = _Collector(server)
    REGISTRY.register(_registered)


class _Collector(Collector):
    def __init__(self, server: StreamingServerProcess) -> None:
        self._server = server

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the metrics depend on what runs."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Called by prometheus_client in Jupyter's event loop; must neither block nor raise."""
        snapshot = self._snapshot()
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
            ("database_bytes", "Size of Label Studio's SQLite database", self._database_bytes()),
        ):
            gauge = GaugeMetricFamily(f"labelstudio_{name}", text)
            if value is not None:
                gauge.add_metric([], value)
            yield gauge

    def _snapshot(self) -> dict[str, Any]:
        """Return the gateway's snapshot; empty if it does not respond, so that no state is 1."""
        gateway = self._server.gateway()
        if gateway is None:
            return {"state": State.STOPPED.value}
        try:
            return gateway.ask("state", seconds=TIMEOUT_SECONDS)
        except (OSError, ValueError):
            return {}

    def _database_bytes(self) -> int | None:
        # Imported here: it would delay Jupyter's start.
        from ..data_directory.directory import DATABASE

        try:
            return Path(self._server.data_dir, DATABASE).stat().st_size
        except OSError:
            return None
