"""Stopping a Label Studio that nobody uses."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator

from ..lifecycle.supervisor import Supervisor
from ..snapshot import State

logger = logging.getLogger(__name__)

LOOK_SECONDS = 60.0


class Idle:
    """Counts the time since somebody last worked, and stops Label Studio when it is `timeout`.

    The time is the machine's waking time: a laptop's sleep does not count.
    """

    def __init__(self, supervisor: Supervisor, timeout: float) -> None:
        """`timeout` in seconds; 0: Label Studio is never stopped for it."""
        self._supervisor = supervisor
        self.timeout = timeout
        self._last = time.monotonic()
        self._under_way = 0

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """What must not be cut off by the stop, whoever has asked for it."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    @contextlib.contextmanager
    def somebody(self) -> Iterator[None]:
        """Somebody's request, from its beginning to its end: a long upload is work all the time."""
        try:
            with self.under_way():
                yield
        finally:
            self._last = time.monotonic()

    @property
    def stop_in(self) -> float | None:
        """Seconds until Label Studio is stopped, if nobody comes; None: there is no such time."""
        if not self.timeout or self._supervisor.snapshot.state is not State.READY:
            return None
        if self._under_way:
            return self.timeout
        return max(0.0, self.timeout - (time.monotonic() - self._last))

    async def watch(self) -> None:
        """Stop Label Studio whenever it is time; to be cancelled."""
        while self.timeout:
            remaining = self.stop_in
            if remaining is None:  # while it starts, somebody waits for it
                self._last = time.monotonic()
                await self._supervisor.changed(LOOK_SECONDS)
            elif remaining:
                await self._supervisor.changed(remaining)
            else:
                reason = f"Nobody has used it for {_duration(self.timeout)}."
                self._supervisor.stop(reason)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:g} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"
