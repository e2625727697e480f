"""Whether a full disk explains that a request has failed."""

from __future__ import annotations

import asyncio
import time

from ..data_directory.directory import DataDirectory
from ..problem import Problem

# The check that writes is not repeated for this time.
WRITE_SECONDS = 60.0
# A disk that does not respond within this time is not full, but has another fault.
RESPONSE_SECONDS = 5.0


class DiskCheck:
    """Checks the disk of one data directory."""

    def __init__(self, directory: DataDirectory) -> None:
        self._directory = directory
        self._writing: asyncio.Future[Problem | None] | None = None
        self._began = 0.0

    async def problem(self) -> Problem | None:
        """Return a Problem if the disk is full or the user's quota is used up."""
        try:
            return await asyncio.wait_for(self._problem(), RESPONSE_SECONDS)
        except (OSError, asyncio.TimeoutError):
            return None

    async def _problem(self) -> Problem | None:
        if found := await asyncio.to_thread(self._directory.free_space_problem):
            return found
        now = time.monotonic()
        if self._writing is None or now - self._began > WRITE_SECONDS:
            self._began = now
            write = asyncio.to_thread(self._directory.full_disk_problem)
            self._writing = asyncio.ensure_future(write)
        return await asyncio.shield(self._writing)
