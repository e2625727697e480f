"""Pulls an image with the engine's own pull, shows the progress, and repeats a broken one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from docker import DockerClient
from docker.errors import DockerException
from docker.utils import parse_repository_tag

from ...aio import call_in_thread
from .pull_problems import ENGINE_LOST, STALLED, is_broken_connection

# An engine that pulls reports several times a second; after this silence it hangs.
STALL_SECONDS = 120.0
# Before each further try. Docker itself repeats a layer five times before it gives up.
PAUSE_SECONDS = (1.0, 3.0, 10.0)
RATE_SECONDS = 5.0  # the download rate is the mean of this time

Progress = Callable[[str, int, int], None]  # a text for people, bytes done, bytes in total
Event = Mapping[str, Any]


async def pull(
    client: DockerClient, name: str, headers: Mapping[str, str], progress: Progress
) -> str:
    """Pull the image `name`; return the engine's message if that failed, else an empty string.

    Repeats a pull whose connection broke, but not one that never reached the registry: that is
    reported at once. If this coroutine is cancelled, the engine drops the pull.
    """
    reached = False

    def show(layers: PullProgress) -> None:
        nonlocal reached
        reached = reached or layers.count > 0
        progress(layers.text(), layers.done, layers.total)

    for pause in PAUSE_SECONDS:
        message = await _Request(client, name, headers).run(show)
        if not (message and reached and is_broken_connection(name, message)):
            return message
        progress(f"connection lost, next try in {pause:g} s", 0, 0)
        await asyncio.sleep(pause)
    return await _Request(client, name, headers).run(show)


class _Request:
    """One pull. Not the SDK's `pull`, which can neither be cancelled nor time out."""

    def __init__(self, client: DockerClient, name: str, headers: Mapping[str, str]) -> None:
        self._api = client.api
        repository, tag = parse_repository_tag(name)
        self._parameters = {"fromImage": repository, "tag": tag or "latest"}
        self._headers = headers
        self._response: requests.Response | None = None
        self._cancelled = False

    async def run(self, show: Callable[[PullProgress], None]) -> str:
        loop, progress = asyncio.get_running_loop(), PullProgress()

        def take(event: Event) -> None:
            if not self._cancelled:
                progress.take(event, time.monotonic())
                show(progress)

        def post(event: Event) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(take, event)

        try:
            return await call_in_thread(lambda: self._run(post), "image pull")
        except asyncio.CancelledError:
            self._cancel()
            raise

    def _run(self, take: Callable[[Event], None]) -> str:
        try:
            self._response = self._api.post(
                f"{self._api.base_url}/v{self._api.api_version}/images/create",
                params=self._parameters,
                headers=self._headers,
                stream=True,
                timeout=STALL_SECONDS,
            )
            with self._response as response:
                if not response.ok:
                    return _message(response.text)
                for line in response.iter_lines():
                    if self._cancelled:
                        break
                    event = json.loads(line or b"{}")
                    if "error" in event:
                        return str(event["error"])
                    take(event)
        except requests.exceptions.RequestException as error:
            timed_out = isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error)
            return STALLED if timed_out else f"{ENGINE_LOST}: {error}"
        except (DockerException, ValueError, OSError) as error:
            return str(error)
        return ""

    def _cancel(self) -> None:
        self._cancelled = True
        if self._response is not None:
            with contextlib.suppress(Exception):  # already closed, or an older urllib3
                self._response.raw.shutdown()


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()


@dataclass
class _Layer:
    done: int = 0
    total: int = 0
    downloaded: bool = False


class PullProgress:
    """Adds up the events of one pull."""

    def __init__(self) -> None:
        self._layers: dict[str, _Layer] = {}
        self._history: deque[tuple[float, int]] = deque()  # time, bytes done

    def take(self, event: Event, now: float) -> None:
        """Count one event of the engine; `now`: any clock, in seconds."""
        status, name = str(event.get("status", "")), event.get("id")
        if not name or status.startswith("Pulling from"):
            return
        layer = self._layers.setdefault(str(name), _Layer())
        detail = event.get("progressDetail") or {}
        if status == "Downloading":
            # The engine reports 0 or -1 where it does not know the size.
            layer.total = max(layer.total, int(detail.get("total") or 0))
            layer.done = int(detail.get("current") or 0)
        elif status in {"Download complete", "Pull complete", "Already exists"}:
            layer.downloaded, layer.done = True, layer.total
        self._history.append((now, self.done))
        while self._history[0][0] < now - RATE_SECONDS:
            self._history.popleft()

    @property
    def count(self) -> int:
        """The number of layers known so far."""
        return len(self._layers)

    @property
    def done(self) -> int:
        """Bytes downloaded."""
        return sum(layer.done for layer in self._layers.values())

    @property
    def total(self) -> int:
        """Bytes of all layers whose size is known so far."""
        return max(self.done, sum(layer.total for layer in self._layers.values()))

    def text(self) -> str:
        """Layers, bytes and rate, for people; the page adds a bar with the percentage."""
        if not self._layers:
            return "asking the registry"
        finished = sum(layer.downloaded for layer in self._layers.values())
        parts = [f"{finished} of {self.count} layers"]
        if self.total:
            parts.append(f"{size(self.done)} of {size(self.total)}")
        parts.append(f"{size(self._rate())}/s" if finished < self.count else "unpacking")
        return " · ".join(parts)

    def _rate(self) -> float:
        """Bytes per second."""
        (began, before), (now, after) = self._history[0], self._history[-1]
        return max(0.0, after - before) / (now - began) if now > began else 0.0


def size(number: float) -> str:
    """Return a number of bytes as text for people."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
