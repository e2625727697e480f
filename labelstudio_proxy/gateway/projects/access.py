"""What the routes of projects share: the settings, the data, and the way to Label Studio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from aiohttp import web

from ... import api_types
from ...config.notebook_files import NotebookFiles
from ...config.settings import LabelStudioProxy
from ...data_directory.directory import DataDirectory
from ...data_directory.project_records import ProjectRecords
from ...labelling.rows import Labelled, PathOf
from ...lifecycle.supervisor import Supervisor
from ...problem import Problem
from ...snapshot import State
from ..connection import Connection
from ..place import Place
from . import listing
from .folders import absolute
from .item_paths import item_paths
from .keeping import Keeper
from .label_studio_api import LabelStudioAPI
from .labels import labels
from .writing import CheckPath, rule_of


@dataclass(frozen=True)
class Access:
    """The way to the projects of one Label Studio.

    files: the folders whose files projects may use; None for no folders.
    root:  Jupyter's root folder, where relative paths start.
    token: only programs that send it may write outside of `root`.
    """

    settings: LabelStudioProxy
    directory: DataDirectory
    supervisor: Supervisor
    connection: Connection
    place: Place
    files: NotebookFiles | None
    root: str
    external_database: bool
    keeper: Keeper
    token: str

    @cached_property
    def records(self) -> ProjectRecords:
        """The gateway's records of projects."""
        return ProjectRecords(self.directory)

    @property
    def is_ready(self) -> bool:
        """Whether Label Studio responds."""
        return self.supervisor.snapshot.state is State.READY

    async def api(self) -> LabelStudioAPI:
        """Return Label Studio's API; raises Problem and aiohttp.ClientConnectionError."""
        return LabelStudioAPI(await self.connection.upstream(), self.directory)

    async def project(self, api: LabelStudioAPI, number: str) -> dict[str, Any]:
        """Return a project as Label Studio's API describes it; raises NoProject."""
        project = await api.project(int(number))
        if project is None:
            raise NoProject(number)
        return project

    def shown(self, project: dict[str, Any]) -> api_types.Project:
        """Return a project of Label Studio's API as ours describes it. Blocks."""
        return listing.project_json(
            project,
            self.records.of(project["id"]),
            prefix=self.place.prefix,
            keep_problem=self.keeper.problem_of(project["id"]),
            new_browser_tab=self.settings.new_browser_tab,
        )

    def labels(
        self, api: LabelStudioAPI, project: int, *, unlabelled: bool
    ) -> AsyncGenerator[list[Labelled], None]:
        """Return the annotations of a project in parts: see `labels.labels`."""
        return labels(
            *(api, self.directory, project),
            external_database=self.external_database,
            unlabelled=unlabelled,
        )

    async def paths(self) -> PathOf:
        """Return a function from a URL in a task to the path of its file."""
        return await asyncio.to_thread(
            lambda: item_paths(self.directory, self.files, external_database=self.external_database)
        )

    def base(self, body: Mapping[str, Any]) -> str:
        """Return the folder where relative paths start: the notebook's, or Jupyter's root."""
        return absolute(self.root, body.get("base") or "")

    def rule(self, request: web.BaseRequest) -> CheckPath:
        """Return the rule that says where this request may write."""
        return rule_of(request.headers, self.token, Path(self.root) if self.files else None)


class NoProject(Problem):
    """There is no project with this number."""

    status = 404

    def __init__(self, number: str) -> None:
        super().__init__(
            f"There is no project {number}.",
            "It may have been deleted.",
            "`projects` lists all projects.",
        )
