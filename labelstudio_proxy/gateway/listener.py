"""The gateway's unix socket, which listens again after its file was removed."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from pathlib import Path

from aiohttp import web

logger = logging.getLogger(__name__)


class UnixListener:
    """Listens at `path` until the runner's cleanup."""

    def __init__(self, runner: web.ServerRunner, path: Path) -> None:
        self._runner = runner
        self._path = path
        self._site: web.UnixSite | None = None
        self._file: tuple[int, int] | None = None
        self._failure = ""

    async def start(self) -> None:
        """Listen; raises OSError."""
        self._site = web.UnixSite(self._runner, str(self._path))
        await self._site.start()
        self._file = self._current_file()

    async def renew(self) -> None:
        """Listen again if the socket's file, or its folder, is gone; requests under way continue."""
        if await asyncio.to_thread(self._current_file) == self._file:
            return
        try:
            if self._site is not None:
                await self._site.stop()
                self._site = None
            _make_private_folder(self._path.parent)
            await self.start()
        except OSError as error:
            if str(error) != self._failure:
                logger.warning("Cannot listen on %s again: %s", self._path, error)
            self._failure = str(error)
        else:
            logger.warning("%s was removed. Listening there again.", self._path)
            self._failure = ""

    def _current_file(self) -> tuple[int, int] | None:
        try:
            status = self._path.lstat()
        except OSError:
            return None
        return status.st_dev, status.st_ino


def _make_private_folder(folder: Path) -> None:
    """Make the folder unless it exists; raises OSError if another user could change it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
