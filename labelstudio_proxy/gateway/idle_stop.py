"""Stops a Label Studio that nobody uses. static/watch.js warns in the pages before that."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from ..duration import duration
from ..label_studio import paths
from ..lifecycle.supervisor import Supervisor
from ..request_kind import RequestKind
from ..snapshot import State

LOOK_SECONDS = 60.0


class IdleStop:
    """Measures the time since the last activity, and stops Label Studio after `timeout`.

    A suspended machine does not count: the clock is monotonic.
    """

    def __init__(self, supervisor: Supervisor, timeout: float) -> None:
        """`timeout` in seconds; 0: never."""
        self._supervisor = supervisor
        self.timeout = timeout
        self._last_activity = time.monotonic()
        self._holding = 0

    @contextlib.contextmanager
    def hold(self, kind: RequestKind) -> Iterator[None]:
        """Keep Label Studio running while this request lasts, if it matters.

        Activity matters, and restarts the clock when it ends: a long upload is work all the time.
        An API request matters while it lasts: a page may wait for an export.
        """
        if not kind.counts_as_activity and not paths.API.match(kind.path):
            yield
            return
        self._holding += 1
        try:
            yield
        finally:
            self._holding -= 1
            if kind.counts_as_activity:
                self._last_activity = time.monotonic()

    @property
    def stop_in(self) -> float | None:
        """The seconds until Label Studio is stopped without activity; None if it is not."""
        if not self.timeout or self._supervisor.snapshot.state is not State.READY:
            return None
        if self._holding:
            return self.timeout
        return max(0.0, self.timeout - (time.monotonic() - self._last_activity))

    async def watch(self) -> None:
        """Stop Label Studio whenever it is time, until cancelled."""
        while self.timeout:
            remaining = self.stop_in
            if remaining is None:  # a start counts as activity
                self._last_activity = time.monotonic()
                await self._supervisor.changed(LOOK_SECONDS)
            elif remaining:
                await self._supervisor.changed(remaining)
            else:
                self._supervisor.stop(f"Nobody has used it for {duration(self.timeout)}.")
