"""What Jupyter's `/metrics` says of Label Studio, looked up when Prometheus asks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .proxy_handler import StreamingServerProcess

# Those of supervisor.State, which is not imported at Jupyter's start.
STATES = ("stopped", "preparing", "pulling", "starting", "ready", "stopping", "failed")
# Jupyter waits so long, at most: it serves nobody else meanwhile.
ANSWER_SECONDS = 0.25

_registered: Collector | None = None


def register(server: StreamingServerProcess) -> None:
    """Have Jupyter's `/metrics` tell of this Label Studio, and of no other of this process."""
    global _registered
    if _registered is not None:
        REGISTRY.unregister(_registered)
    _registered = _Collector(server)
    REGISTRY.register(_registered)


class _Collector(Collector):
    def __init__(self, server: StreamingServerProcess) -> None:
        self._server = server

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: what is known depends on what runs."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Called by prometheus_client, in Jupyter's event loop; must neither block nor raise."""
        known = self._ask()
        state = GaugeMetricFamily(
            "labelstudio_state", "1 for the state that Label Studio is in", labels=["state"]
        )
        for name in STATES:
            state.add_metric([name], float(known is not None and known["state"] == name))
        yield state
        restarts = CounterMetricFamily(
            "labelstudio_restarts", "Restarts since the gateway started", labels=["reason"]
        )
        for reason, count in (known or {}).get("restart_reasons", {}).items():
            restarts.add_metric([reason], count)
        yield restarts
        for name, text, value in (
            ("start_seconds", "How long the last start took", (known or {}).get("ready_after")),
            (
                "last_activity_timestamp_seconds",
                "When a person or a program last asked for Label Studio, or was answered",
                self._server.last_activity,
            ),
            ("database_bytes", "Size of Label Studio's SQLite database", self._bytes()),
        ):
            gauge = GaugeMetricFamily(f"labelstudio_{name}", text)
            if value is not None:
                gauge.add_metric([], value)
            yield gauge

    def _ask(self) -> dict[str, Any] | None:
        """The gateway's state; None: it does not answer, so that no state is 1."""
        gateway = self._server.gateway()
        if gateway is None:
            return {"state": "stopped"}
        try:
            return gateway.ask("state", seconds=ANSWER_SECONDS)
        except (OSError, ValueError):
            return None

    def _bytes(self) -> int | None:
        # Here, not above: Jupyter's start shall not wait for it.
        from ..data_directory.directory import DATABASE

        try:
            return Path(self._server.data_dir, DATABASE).stat().st_size
        except OSError:
            return None
