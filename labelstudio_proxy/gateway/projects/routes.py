"""The routes below `_proxy/projects`: make, list, read and change projects."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from ... import api_types
from ...labelling.interface import Interface
from ...problem import Problem
from ...request_kind import CONTROL, RequestKind
from ..error_responses import ErrorResponses
from ..responses import json_response
from . import exporting
from .access import Access, NoProject
from .body import body_of
from .item_paths import may_read
from .listing_routes import ListingRoutes
from .looking import Looker
from .making_routes import MakingRoutes
from .outputs import Output, read_output
from .predicting import add_predictions
from .rows_response import send_rows
from .stream import Report, failed, stream
from .summary import summary, summary_by_api

Route = Callable[[web.BaseRequest, "list[str]"], Awaitable[web.StreamResponse]]


class ProjectRoutes:
    """Serves the requests of Python, the command line and Jupyter's API about projects."""

    def __init__(self, access: Access, errors: ErrorResponses) -> None:
        """`errors`: what is sent while Label Studio does not run."""
        self._access = access
        self._errors = errors
        self._predicting = asyncio.Lock()
        listing, self._making = ListingRoutes(access), MakingRoutes(access)
        making = self._making
        # The groups of a pattern are the arguments of its handler.
        self._routes: tuple[tuple[str, re.Pattern[str], Route], ...] = (
            ("GET", re.compile("/events"), listing.events),
            ("POST", re.compile("/source"), self._look),
            ("GET", re.compile(""), listing.every),
            ("POST", re.compile(""), making.make),
            ("GET", re.compile(r"/(\d+)"), self._show),
            ("POST", re.compile(r"/(\d+)/items"), making.add),
            ("GET", re.compile(r"/(\d+)/rows"), self._rows),
            ("POST", re.compile(r"/(\d+)/predictions"), self._predict),
            ("GET", re.compile(r"/(\d+)/formats"), self._formats),
            ("POST", re.compile(r"/(\d+)/export"), self._export),
        )

        self._without_label_studio = (listing.events, self._look)

    async def run(
        self, request: web.BaseRequest, target: str, kind: RequestKind
    ) -> web.StreamResponse:
        """Serve a request whose path matches PROJECTS."""
        name = kind.path.removeprefix(f"{CONTROL}projects")
        for method, pattern, route in self._routes:
            if request.method == method and (found := pattern.fullmatch(name)):
                needs_label_studio = route not in self._without_label_studio
                if needs_label_studio and not self._access.is_ready:
                    return self._errors.say_state(kind)
                try:
                    return await route(request, list(found.groups()))
                except Problem as problem:
                    status = problem.status if isinstance(problem, NoProject) else 400
                    return json_response(failed(problem), status)
        detail = f"labelstudio-proxy has no {request.method} {kind.path}."
        return json_response({"detail": detail}, 404)

    # ---- Handlers

    async def _show(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        api = await self._access.api()
        project = await self._access.project(api, groups[0])
        shown = await asyncio.to_thread(self._access.shown, project)
        if request.query.get("summary") != "1":
            one: api_types.OneProject = {"project": shown}
            return json_response(one)
        labels = await asyncio.to_thread(
            summary,
            self._access.directory,
            project["id"],
            project["label_config"],
            self._access.place.prefix,
            external_database=self._access.external_database,
        ) or await summary_by_api(api, project["id"], project["label_config"])
        with_summary: api_types.OneProjectWithSummary = {"project": {**shown, **labels}}
        return json_response(with_summary)

    async def _look(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        body = await body_of(request)
        looker = Looker(
            self._access.directory,
            self._access.records,
            self._access.root,
            self._access.files,
            self._access.place.prefix,
            self._access.settings.keep_labels,
            external_database=self._access.external_database,
        )
        found = await asyncio.to_thread(looker.look, body)
        # After *Cancel*, its project is removed a moment later
        if found["project"] and await self._making.settle():
            found = await asyncio.to_thread(looker.look, body)
        return json_response(found)

    async def _rows(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        api = await self._access.api()
        project = await self._access.project(api, groups[0])
        record = await asyncio.to_thread(self._access.records.of, project["id"])
        return await send_rows(
            request,
            Interface.parse(project["label_config"]),
            lambda unlabelled: self._access.labels(api, project["id"], unlabelled=unlabelled),
            await self._access.paths(),
            unlabelled=request.query.get("unlabelled") == "1",
            source=record.source if record else {},
        )

    async def _predict(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        body = await body_of(request)
        output = Output.of(body, self._access.base(body))

        async def work(report: Report) -> dict[str, Any]:
            api = await self._access.api()
            project = await self._access.project(api, groups[0])
            report(0, len(output.rows), "Looking at the items")
            found = await read_output(
                output,
                Interface.parse(project["label_config"]),
                self._access.labels(api, project["id"], unlabelled=True),
                await asyncio.to_thread(self._access.records.of, project["id"]),
                await self._access.paths(),
                report,
            )
            async with self._predicting:
                counts = await add_predictions(
                    self._access.api, project["id"], output.version, found, report
                )
            project = await self._access.project(await self._access.api(), groups[0])
            return {"project": await asyncio.to_thread(self._access.shown, project), **counts}

        return await stream(request, work)

    async def _formats(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        api = await self._access.api()
        project = await self._access.project(api, groups[0])
        interface = Interface.parse(project["label_config"])
        found: api_types.Formats = {
            "formats": await exporting.formats(api, project["id"], interface)
        }
        return json_response(found)

    async def _export(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        body = await body_of(request)
        wish = exporting.Wish.of(body, self._access.base(body))
        await asyncio.to_thread(self._access.rule(request), Path(wish.folder))

        async def work(report: Report) -> api_types.Exported:
            api = await self._access.api()
            project = await self._access.project(api, groups[0])
            found = exporting.Project(
                api,
                project["id"],
                Interface.parse(project["label_config"]),
                self._access.labels(api, project["id"], unlabelled=False),
                await self._access.paths(),
                partial(may_read, self._access.directory, self._access.files),
            )
            return await exporting.export(found, wish, report)

        return await stream(request, work)
