"""Follows what a container prints."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

from docker.errors import DockerException
from docker.models.containers import Container


class LogFollower:
    """Passes each line that the container prints to `log`, until the container ends."""

    def __init__(
        self,
        container: Container,
        log: Callable[[str], None],
        *,
        tail: int | str = "all",
        since: float | None = None,
    ) -> None:
        """Begins with the last `tail` lines, or with the lines since `since` (Unix time, seconds)."""
        self.ended = asyncio.Event()
        self.ended_at = 0.0  # Unix time, seconds
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._closed = False
        options = {"tail": tail} if since is None else {"since": since}
        self._thread = threading.Thread(
            target=self._run, args=(container, options), name="container log", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Pass no more lines."""
        self._closed = True

    def _run(self, container: Container, options: dict[str, Any]) -> None:
        rest = b""
        with contextlib.suppress(DockerException, OSError):
            for chunk in container.logs(stream=True, follow=True, **options):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._call(self._take, line)
                if self._closed:
                    break
        if rest:
            self._call(self._take, rest)
        self.ended_at = time.time()
        self._call(self.ended.set)

    def _take(self, raw: bytes) -> None:
        if not self._closed:
            self._log(raw.decode(errors="replace").rstrip("\r"))

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(function, *arguments)
