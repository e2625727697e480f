"""The current snapshot and the log. The supervisor changes them; the gateway reads them."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..snapshot import Snapshot
from .log import LabelStudioLog

logger = logging.getLogger(__name__)


class StateStore:
    """Holds the current snapshot and wakes the readers at each change."""

    def __init__(self, log: LabelStudioLog, data_dir: Path) -> None:
        """`data_dir` identifies this Label Studio in Jupyter's log."""
        self.log = log
        self.snapshot = Snapshot()
        self._data_dir = data_dir
        self._changed = asyncio.Event()

    async def changed(self, timeout: float) -> None:
        """Return after the next change of the snapshot or the log, or after `timeout` seconds."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
        except (TimeoutError, asyncio.TimeoutError):
            return

    def set(self, snapshot: Snapshot) -> None:
        """Replace the snapshot."""
        if snapshot.state is not self.snapshot.state:
            snapshot = replace(snapshot, since=time.time())
        self.snapshot = snapshot
        self._wake_readers()

    def update(self, **changes: Any) -> None:
        """Change fields of the snapshot."""
        self.set(replace(self.snapshot, **changes))

    def report(
        self,
        step: str,
        *,
        detail: str | None = None,
        done: int | None = None,
        total: int | None = None,
    ) -> None:
        """Show the progress of a step; this is the `Report` of the backends."""
        self.set(self.snapshot.at_step(step, detail=detail, done=done, total=total))

    def report_backup(self, done: int, total: int) -> None:
        """Show the progress of a backup of the database."""
        percent = 100 * done // max(total, 1)
        self.report("database", detail=f"backing up the database first: {percent} %")

    def add_notice(self, notice: str) -> None:
        """Show a notice that does not stop the start; ignore an empty one."""
        if notice:
            logger.warning("Label Studio (%s): %s", self._data_dir, notice)
            self.add_line(f"labelstudio-proxy: {notice}")
            self.update(notices=(*self.snapshot.notices, notice))

    def count_restart(self, reason: str) -> None:
        """Count a restart for the metrics; `reason`: "ended" after a crash, or "asked"."""
        counts = self.snapshot.restart_reasons
        self.update(
            restarts=self.snapshot.restarts + 1,
            restart_reasons={**counts, reason: counts.get(reason, 0) + 1},
        )

    def add_line(self, line: str) -> None:
        """Add a line to the log."""
        self.log.add(line)
        self._wake_readers()

    def _wake_readers(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
