"""The projects of users: loaded when one is used, since a gateway without them needs the memory."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from ...aio import begin_task
from ...config.notebook_files import NotebookFiles
from ...config.settings import LabelStudioProxy
from ...data_directory.directory import DataDirectory
from ...data_directory.project_records import ProjectRecords
from ...lifecycle.supervisor import Supervisor
from ...request_kind import CONTROL, RequestKind
from ..connection import Connection
from ..error_responses import ErrorResponses
from ..place import Place

if TYPE_CHECKING:
    from .keeping import Keeper
    from .routes import ProjectRoutes

PROJECTS = re.compile(re.escape(CONTROL) + "projects(/|$)")


class Projects:
    """Serves the routes of projects, and keeps the labels of projects in files."""

    def __init__(
        self,
        settings: LabelStudioProxy,
        directory: DataDirectory,
        supervisor: Supervisor,
        connection: Connection,
        errors: ErrorResponses,
        place: Place,
        files: NotebookFiles | None,
        *,
        external_database: bool,
        umask: int,
        token: str,
    ) -> None:
        """`files`: the folders that projects may be over. `umask`: of the user, for new files.

        `token`: proves that a request is a program's of this user.
        """
        self._loaded: tuple[ProjectRoutes, Keeper] | None = None
        self._make = partial(
            _load,
            *(settings, directory, supervisor, connection, errors, place, files),
            external_database=external_database,
            umask=umask,
            token=token,
        )
        self._records = ProjectRecords(directory)
        self._looking = begin_task(self._load_if_used())

    async def run(
        self, request: web.BaseRequest, target: str, kind: RequestKind
    ) -> web.StreamResponse:
        """Serve a request whose path matches PROJECTS."""
        routes, _ = self._load()
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
            self._load()

    def _load(self) -> tuple[ProjectRoutes, Keeper]:
        self._loaded = self._loaded or self._make()
        return self._loaded


def _load(
    settings: LabelStudioProxy,
    directory: DataDirectory,
    supervisor: Supervisor,
    connection: Connection,
    errors: ErrorResponses,
    place: Place,
    files: NotebookFiles | None,
    *,
    external_database: bool,
    umask: int,
    token: str,
) -> tuple[ProjectRoutes, Keeper]:
    from .keeping import Keeper
    from .routes import ProjectRoutes

    keeper = Keeper(
        *(directory, supervisor, connection, files),
        external_database=external_database,
        umask=umask,
    )
    routes = ProjectRoutes(
        *(settings, directory, supervisor, connection, errors, place, files),
        external_database=external_database,
        keeper=keeper,
        token=token,
    )
    return routes, keeper
