"""The routes below `_proxy/projects`: make, list, read and change projects."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import sqlite3
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from ... import api_types
from ...config.notebook_files import NotebookFiles
from ...config.settings import LabelStudioProxy
from ...data_directory import annotations as database
from ...data_directory.directory import DataDirectory
from ...data_directory.project_records import ProjectRecords
from ...labelling.interface import Interface
from ...labelling.items import Item
from ...labelling.rows import Labelled, PathOf
from ...labelling.tasks import task_named
from ...lifecycle.supervisor import Supervisor
from ...problem import Problem
from ...request_kind import CONTROL, RequestKind
from ...snapshot import State
from .. import event_stream
from ..connection import Connection
from ..error_responses import ErrorResponses
from ..place import Place
from ..responses import json_response
from . import exporting, listing
from .body import body_of
from .folders import absolute
from .item_paths import item_paths, may_read
from .keep_path import choose_keep, folder_of
from .keeping import Keeper
from .label_studio_api import LabelStudioAPI
from .labels import labels
from .leftovers import remove_leftovers
from .looking import Looker
from .making import Wish, add, make
from .outputs import Output, read_output
from .predicting import add_predictions
from .reading import new_items
from .rows_response import send_rows
from .s3 import check
from .s3_source import S3, read_s3
from .sources import Context, Source, read_source
from .stream import Report, failed, stream
from .summary import summary, summary_by_api
from .writing import CheckPath, rule_of

logger = logging.getLogger(__name__)

# Before the counts are read again: a page sends several requests for one label.
QUIET_SECONDS = 1.0

Work = Callable[[Report], Awaitable[Mapping[str, Any]]]
Route = Callable[[web.BaseRequest, "list[str]"], Awaitable[web.StreamResponse]]


class ProjectRoutes:
    """Serves the requests of Python, the command line and Jupyter's API about projects."""

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
        root: str,
        external_database: bool,
        keeper: Keeper,
        token: str,
    ) -> None:
        """`files`: the folders that projects may be over; None for no folders.

        `root`: the folder that Jupyter shows, of relative paths. Only programs with the `token`
        write outside of it.
        """
        self._root = root
        self._token = token
        self._keeper = keeper
        self._settings = settings
        self._directory = directory
        self._external_database = external_database
        self._supervisor = supervisor
        self._connection = connection
        self._errors = errors
        self._place = place
        self._files = files
        self._records = ProjectRecords(directory)
        self._making = asyncio.Lock()
        self._predicting = asyncio.Lock()
        # The groups of a pattern are the arguments of its handler.
        self._routes: tuple[tuple[str, re.Pattern[str], Route], ...] = (
            ("GET", re.compile("/events"), self._events),
            ("POST", re.compile("/source"), self._look),
            ("GET", re.compile(""), self._list),
            ("POST", re.compile(""), self._make),
            ("GET", re.compile(r"/(\d+)"), self._show),
            ("POST", re.compile(r"/(\d+)/items"), self._add),
            ("GET", re.compile(r"/(\d+)/rows"), self._rows),
            ("POST", re.compile(r"/(\d+)/predictions"), self._predict),
            ("GET", re.compile(r"/(\d+)/formats"), self._formats),
            ("POST", re.compile(r"/(\d+)/export"), self._export),
        )

        self._without_label_studio = (self._events, self._look)

    async def run(
        self, request: web.BaseRequest, target: str, kind: RequestKind
    ) -> web.StreamResponse:
        """Serve a request whose path matches PROJECTS."""
        name = kind.path.removeprefix(f"{CONTROL}projects")
        for method, pattern, route in self._routes:
            if request.method == method and (found := pattern.fullmatch(name)):
                needs_label_studio = route not in self._without_label_studio
                if needs_label_studio and self._supervisor.snapshot.state is not State.READY:
                    return self._errors.say_state(kind)
                try:
                    return await route(request, list(found.groups()))
                except Problem as problem:
                    status = problem.status if isinstance(problem, NoProject) else 400
                    return json_response(failed(problem), status)
        detail = f"labelstudio-proxy has no {request.method} {kind.path}."
        return json_response({"detail": detail}, 404)

    async def _api(self) -> LabelStudioAPI:
        return LabelStudioAPI(await self._connection.upstream(), self._directory)

    def _shown(self, project: dict[str, Any]) -> api_types.Project:
        return listing.project_json(
            project,
            self._records.of(project["id"]),
            prefix=self._place.prefix,
            keep_problem=self._keeper.problem_of(project["id"]),
            new_browser_tab=self._settings.new_browser_tab,
        )

    async def _found(self, api: LabelStudioAPI, number: str) -> dict[str, Any]:
        project = await api.project(int(number))
        if project is None:
            raise NoProject(number)
        return project

    def _labels(
        self, api: LabelStudioAPI, project: dict[str, Any], *, unlabelled: bool
    ) -> AsyncGenerator[list[Labelled], None]:
        return labels(
            *(api, self._directory, project["id"]),
            external_database=self._external_database,
            unlabelled=unlabelled,
        )

    async def _paths(self) -> PathOf:
        return await asyncio.to_thread(
            lambda: item_paths(
                self._directory, self._files, external_database=self._external_database
            )
        )

    def _rule(self, request: web.BaseRequest) -> CheckPath:
        """Return where this request may write."""
        return rule_of(request.headers, self._token, Path(self._root) if self._files else None)

    # ---- Handlers

    async def _list(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        projects = await (await self._api()).projects()
        return json_response(await asyncio.to_thread(self._all_shown, projects))

    async def _events(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        """Send the event `projects` with all projects, now and after each change, until the client leaves."""
        response = await event_stream.begin(request)
        sent: api_types.Projects | None = None
        while True:
            change, began = self._keeper.next_change(), time.monotonic()
            found = await self._all()
            took = time.monotonic() - began
            if found is not None and found != sent:
                sent = found
                await response.write(event_stream.event("projects", found))
            while not await _is_set(change, event_stream.BEAT_SECONDS):
                await response.write(event_stream.BEAT)
            # Label Studio needs the database, too.
            await asyncio.sleep(max(QUIET_SECONDS, 10 * took))

    async def _all(self) -> api_types.Projects | None:
        """Return all projects, if possible without Label Studio; None if it must run for that."""
        try:
            if not self._external_database:
                return await asyncio.to_thread(self._all_stored)
        except (database.UnknownTables, sqlite3.Error) as error:
            logger.info("Label Studio's API is asked for projects: %s", error)
        if self._supervisor.snapshot.state is not State.READY:
            return None
        try:
            found = await (await self._api()).projects()
        except (Problem, aiohttp.ClientError):  # it stops at this moment
            return None
        return await asyncio.to_thread(self._all_shown, found)

    def _all_stored(self) -> api_types.Projects:
        if not self._directory.database.exists():
            return {"projects": []}
        stored = database.projects(self._directory)
        return self._all_shown(listing.as_listed(each) for each in reversed(stored))

    def _all_shown(self, projects: Iterable[dict[str, Any]]) -> api_types.Projects:
        return {"projects": [self._shown(each) for each in projects]}

    async def _show(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        api = await self._api()
        project = await self._found(api, groups[0])
        shown = await asyncio.to_thread(self._shown, project)
        if request.query.get("summary") != "1":
            one: api_types.OneProject = {"project": shown}
            return json_response(one)
        labels = await asyncio.to_thread(
            summary,
            self._directory,
            project["id"],
            project["label_config"],
            self._place.prefix,
            external_database=self._external_database,
        ) or await summary_by_api(api, project["id"], project["label_config"])
        with_summary: api_types.OneProjectWithSummary = {"project": {**shown, **labels}}
        return json_response(with_summary)

    async def _look(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        body = await body_of(request)
        looker = Looker(
            self._directory,
            self._records,
            self._root,
            self._files,
            self._place.prefix,
            self._settings.keep_labels,
            external_database=self._external_database,
        )
        return json_response(await asyncio.to_thread(looker.look, body))

    async def _make(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        body = await body_of(request)
        keep = body.pop("keep", None)
        wish = Wish(**{name: body[name] for name in Wish.__dataclass_fields__ if body.get(name)})
        if wish.labels is not None and wish.config:
            raise Problem(
                "`labels` and `config` exclude each other.",
                "An own labelling interface has its labels.",
                "Leave out one of them.",
            )

        async def work(report: Report) -> api_types.Made:
            api = await self._api()
            source = await self._read(api, body, wish.task, wish.config, report)
            every = await api.projects()
            if not self._external_database:  # where other gateways may make projects
                every = await remove_leftovers(api, self._records, every)
            existing, new = await self._found_again(api, every, source, wish.title)
            file, sentences = await choose_keep(
                api,
                self._records,
                keep,
                default=self._settings.keep_labels,
                folder=folder_of(source.identity, self._base(body)),
                check_path=self._rule(request),
                project=existing["id"] if existing else None,
            )
            source = replace(source, notes=[*source.notes, *sentences])
            title = wish.title or listing.free_title(source.title, every)
            chosen = replace(wish, title=title, keep=file)
            number = await make(api, self._records, source, chosen, existing, new, report)
            return await self._result(api, number, source, len(new))

        return await stream(request, self._in_turn(work))

    async def _add(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        body = await body_of(request)

        async def work(report: Report) -> api_types.Made:
            api = await self._api()
            project = await self._found(api, groups[0])
            record = await asyncio.to_thread(self._records.of, project["id"])
            task = listing.task_of(project, record)
            source = await self._read(api, body, task, project["label_config"], report)
            new = await self._new(api, project["id"], source)
            await add(api, project["id"], source, new, report)
            return await self._result(api, project["id"], source, len(new))

        return await stream(request, self._in_turn(work))

    async def _rows(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        api = await self._api()
        project = await self._found(api, groups[0])
        record = await asyncio.to_thread(self._records.of, project["id"])
        return await send_rows(
            request,
            Interface.parse(project["label_config"]),
            lambda unlabelled: self._labels(api, project, unlabelled=unlabelled),
            await self._paths(),
            unlabelled=request.query.get("unlabelled") == "1",
            source=record.source if record else {},
        )

    async def _predict(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        body = await body_of(request)
        output = Output.of(body, self._base(body))

        async def work(report: Report) -> dict[str, Any]:
            api = await self._api()
            project = await self._found(api, groups[0])
            report(0, len(output.rows), "Looking at the items")
            found = await read_output(
                output,
                Interface.parse(project["label_config"]),
                self._labels(api, project, unlabelled=True),
                await asyncio.to_thread(self._records.of, project["id"]),
                await self._paths(),
                report,
            )
            async with self._predicting:
                counts = await add_predictions(
                    self._api, project["id"], output.version, found, report
                )
            project = await self._found(await self._api(), groups[0])
            return {"project": await asyncio.to_thread(self._shown, project), **counts}

        return await stream(request, work)

    async def _formats(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        api = await self._api()
        project = await self._found(api, groups[0])
        interface = Interface.parse(project["label_config"])
        found: api_types.Formats = {
            "formats": await exporting.formats(api, project["id"], interface)
        }
        return json_response(found)

    async def _export(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        body = await body_of(request)
        wish = exporting.Wish.of(body, self._base(body))
        await asyncio.to_thread(self._rule(request), Path(wish.folder))

        async def work(report: Report) -> api_types.Exported:
            api = await self._api()
            project = await self._found(api, groups[0])
            found = exporting.Project(
                api,
                project["id"],
                Interface.parse(project["label_config"]),
                self._labels(api, project, unlabelled=False),
                await self._paths(),
                partial(may_read, self._directory, self._files),
            )
            return await exporting.export(found, wish, report)

        return await stream(request, work)

    def _in_turn(self, work: Work) -> Work:
        """Return `work` that waits for the making of another project.

        A call that is repeated at once after Ctrl-C must not find the project that is about to be
        removed.
        """

        async def wait_and_work(report: Report) -> Mapping[str, Any]:
            if self._making.locked():
                report(0, 0, "Waiting for another call that makes a project")
            async with self._making:
                try:
                    return await work(report)
                finally:
                    self._keeper.touch()

        return wait_and_work

    async def _read(
        self, api: LabelStudioAPI, body: dict[str, Any], task: str, config: str, report: Report
    ) -> Source:
        report(0, 0, "Looking at the files")
        context = Context(
            base=self._base(body),
            task=task_named(task) if task else None,
            own=Interface.parse(config) if config and not task else None,
            files=self._files,
            progress=_thread_safe(report, "Looking at the files"),
        )
        source = body.get("source")
        allowed = self._settings.aws_credentials
        if isinstance(source, dict) and source.get("kind") == S3:
            return await read_s3(api, source, context, allowed=allowed)
        read = await asyncio.to_thread(read_source, source, context)
        for location in read.locations:
            await check(api, location, allowed=allowed)
        return read

    def _base(self, body: dict[str, Any]) -> str:
        """Return the folder of relative paths: that of the notebook, or Jupyter's."""
        return absolute(self._root, body.get("base") or "")

    async def _found_again(
        self, api: LabelStudioAPI, every: list[dict[str, Any]], source: Source, title: str
    ) -> tuple[dict[str, Any] | None, list[Item]]:
        """Return the project that was made over `source`, if there is one, and the new items."""
        records = await asyncio.to_thread(self._records.all)
        for project in listing.candidates(every, records, source, title):
            new = await self._new(api, project["id"], source)
            # Two tables, or lists, are the same if they have an item in common.
            if title or source.is_file_source or len(new) < len(source.items):
                return project, new
        return None, source.items

    async def _new(self, api: LabelStudioAPI, project: int, source: Source) -> list[Item]:
        there: list[Labelled] = []
        async for part in labels(
            *(api, self._directory, project),
            external_database=self._external_database,
            unlabelled=True,
        ):
            there += part
        return await asyncio.to_thread(new_items, there, source.items, source.key)

    async def _result(
        self, api: LabelStudioAPI, number: int, source: Source, added: int
    ) -> api_types.Made:
        project = await self._found(api, str(number))
        shown = await asyncio.to_thread(self._shown, project)
        return {"project": shown, "added": added, "notes": source.notes}


async def _is_set(event: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()


def _thread_safe(report: Report, what: str) -> Callable[[int, int], None]:
    """Return a function that a thread may call to report how many files are done."""
    loop = asyncio.get_running_loop()

    def progress(done: int, total: int) -> None:
        loop.call_soon_threadsafe(report, done, total, what)

    return progress


class NoProject(Problem):
    """There is no project with this number."""

    status = 404

    def __init__(self, number: str) -> None:
        super().__init__(
            f"There is no project {number}.",
            "It may have been deleted.",
            "`projects` lists the projects that there are.",
        )
