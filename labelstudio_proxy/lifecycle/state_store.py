"""What is known of Label Studio, for all who look on: the snapshot, its log, and that they change."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..snapshot import Snapshot
from .log import LogBook

logger = logging.getLogger(__name__)


class Board:
    """Where the supervisor puts up what it does, step by step."""

    def __init__(self, log: LogBook, data_dir: Path) -> None:
        """`data_dir`: by which Jupyter's log tells one Label Studio from another."""
        self.log = log
        self.snapshot = Snapshot()
        self._data_dir = data_dir
        self._changed = asyncio.Event()

    async def changed(self, timeout: float) -> None:
        """Come back after the next change of the snapshot or the log, or after `timeout` seconds."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
        except (TimeoutError, asyncio.TimeoutError):
            return

    def show(self, snapshot: Snapshot) -> None:
        """Put this one in the place of the one before."""
        self.snapshot = snapshot
        self._announce()

    def change(self, **changes: Any) -> None:
        """Show the snapshot with other values in these fields."""
        self.show(replace(self.snapshot, **changes))

    def report(
        self,
        step: str,
        *,
        detail: str | None = None,
        done: int | None = None,
        total: int | None = None,
    ) -> None:
        """The `Report` that backends are given."""
        self.show(self.snapshot.at_step(step, detail=detail, done=done, total=total))

    def report_backup(self, done: int, total: int) -> None:
        """How far the backup of the database is, of which every start may have one."""
        percent = 100 * done // max(total, 1)
        for step in self.snapshot.steps:
            if step.state == "current":
                self.report(step.id, detail=f"backing up the database first: {percent} %")

    def note(self, notice: str) -> None:
        """Have people know of something while all works; an empty `notice` is none."""
        if notice:
            logger.warning("Label Studio (%s): %s", self._data_dir, notice)
            self.add_line(f"labelstudio-proxy: {notice}")
            self.change(notices=(*self.snapshot.notices, notice))

    def count_restart(self, reason: str) -> None:
        """One more, for the metrics; `reason`: ended, or asked."""
        counts = self.snapshot.restart_reasons
        self.change(
            restarts=self.snapshot.restarts + 1,
            restart_reasons={**counts, reason: counts.get(reason, 0) + 1},
        )

    def add_line(self, line: str) -> None:
        """Add a line to the log."""
        self.log.add(line)
        self._announce()

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
