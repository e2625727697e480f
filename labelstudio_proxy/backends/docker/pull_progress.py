"""How far a download is, for people."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

RATE_SECONDS = 5.0


@dataclass
class _Layer:
    done: int = 0
    total: int = 0
    downloaded: bool = False


class Rate:
    """Of a number that grows, over the last seconds."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._history: deque[tuple[float, int]] = deque()

    def note(self, now: float, number: int) -> None:
        """The number at `now`, in seconds of any clock."""
        self._history.append((now, number))
        while self._history[0][0] < now - RATE_SECONDS:
            self._history.popleft()

    @property
    def per_second(self) -> float:
        """How much it grows in a second."""
        if not self._history:
            return 0.0
        (first, before), (last, after) = self._history[0], self._history[-1]
        return (after - before) / (last - first) if last > first else 0.0


@dataclass
class PullProgress:
    """What a stream of pull events amounts to."""

    _layers: dict[str, _Layer] = field(default_factory=dict)
    _rate: Rate = field(default_factory=Rate)

    def take(self, event: Mapping[str, Any], now: float) -> None:
        """Note one event of the engine's; `now`: a clock, in seconds."""
        status, name = str(event.get("status", "")), event.get("id")
        if not name or status.startswith("Pulling from"):
            return
        layer = self._layers.setdefault(str(name), _Layer())
        detail = event.get("progressDetail") or {}
        if status == "Downloading":
            # 0 or -1 where the engine does not know it
            layer.total = max(layer.total, int(detail.get("total") or 0))
            layer.done = int(detail.get("current") or 0)
        elif status in {"Download complete", "Pull complete", "Already exists"}:
            layer.downloaded, layer.done = True, layer.total
        self._rate.note(now, self.done)

    @property
    def done(self) -> int:
        """Bytes downloaded."""
        return sum(layer.done for layer in self._layers.values())

    @property
    def total(self) -> int:
        """Bytes of the layers whose size the engine has told so far."""
        return max(self.done, sum(layer.total for layer in self._layers.values()))

    def text(self) -> str:
        """For people."""
        finished = sum(layer.downloaded for layer in self._layers.values())
        rate = self._rate.per_second
        return progress_text(finished, len(self._layers), self.done, self.total, rate)


def progress_text(finished: int, layers: int, done: int, total: int, rate: float) -> str:
    """Layers, bytes and rate (bytes in a second), for people; the page adds a bar, and percent."""
    if not layers:
        return "asking the registry"
    said = [f"{finished} of {layers} layers"]
    if total:
        said.append(f"{size(done)} of {size(total)}")
    said.append(f"{size(rate)}/s" if finished < layers else "unpacking")
    return " · ".join(said)


def size(number: float) -> str:
    """A number of bytes, for people."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
