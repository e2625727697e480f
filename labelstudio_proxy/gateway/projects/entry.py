"""The projects of users: loaded when one is used, since a gateway without them needs the memory."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

from ...aio import begin_task
from ...data_directory.directory import DataDirectory
from ...data_directory.project_records import ProjectRecords
from ...request_kind import CONTROL, RequestKind

if TYPE_CHECKING:
    from .keeping import Keeper
    from .routes import ProjectRoutes

PROJECTS = re.compile(re.escape(CONTROL) + "projects(/|$)")


class Projects:
    """Serves the routes of projects, and keeps the labels of projects in files."""

    def __init__(
        self, directory: DataDirectory, load: Callable[[], tuple[ProjectRoutes, Keeper]]
    ) -> None:
        """`load`: imports and makes them; called once at most."""
        self._load = load
        self._loaded: tuple[ProjectRoutes, Keeper] | None = None
        self._records = ProjectRecords(directory)
        self._looking = begin_task(self._load_if_used())

    async def run(
        self, request: web.BaseRequest, target: str, kind: RequestKind
    ) -> web.StreamResponse:
        """Serve a request whose path matches PROJECTS."""
        routes, _ = self._used()
        return await routes.run(request, target, kind)

    def touch(self) -> None:
        """Write soon what projects keep in files: labels may have changed."""
        if self._loaded:
            self._loaded[1].touch()

    async def finish(self) -> None:
        """Write the labels that files do not have yet, unless it takes long."""
        if self._loaded:
            await self._loaded[1].finish()

    async def close(self) -> None:
        """Write what is not written yet, and end."""
        self._looking.cancel()
        if self._loaded:
            await self._loaded[1].close()

    async def _load_if_used(self) -> None:
        if await asyncio.to_thread(self._records.all):
            self._used()

    def _used(self) -> tuple[ProjectRoutes, Keeper]:
        self._loaded = self._loaded or self._load()
        return self._loaded
