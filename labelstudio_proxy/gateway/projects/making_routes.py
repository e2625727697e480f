"""The routes that make projects and add items to them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from ... import api_types
from ...labelling.interface import Interface
from ...labelling.items import Item
from ...labelling.rows import Labelled
from ...labelling.tasks import task_named
from ...problem import Problem
from . import listing
from .access import Access
from .body import body_of
from .keep_path import choose_keep, folder_of
from .label_studio_api import LabelStudioAPI
from .leftovers import remove_leftovers
from .making import Wish, add, make
from .reading import new_items
from .s3 import check
from .s3_source import S3, read_s3
from .sources import Context, Source, read_source
from .stream import Report, stream

Work = Callable[[Report], Awaitable[Mapping[str, Any]]]


class MakingRoutes:
    """Serves the requests that make a project or add to it."""

    def __init__(self, access: Access) -> None:
        """`access`: the way to the projects."""
        self._access = access
        self._making = asyncio.Lock()

    async def settle(self) -> bool:
        """Wait until no project is in the making; return whether one was."""
        was_making = self._making.locked()
        async with self._making:
            return was_making

    async def make(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        """Make a project, or add what is new in its source."""
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
            api = await self._access.api()
            source = await self._read(api, body, wish.task, wish.config, report)
            every = await api.projects()
            if not self._access.external_database:  # other gateways may make projects there
                every = await remove_leftovers(api, self._access.records, every)
            existing, new = await self._found_again(api, every, source, wish.title)
            file, sentences = await choose_keep(
                api,
                self._access.records,
                keep,
                default=self._access.settings.keep_labels,
                folder=folder_of(source.identity, self._access.base(body)),
                check_path=self._access.rule(request),
                project=existing["id"] if existing else None,
            )
            source = replace(source, notes=[*source.notes, *sentences])
            title = wish.title or listing.free_title(source.title, every)
            chosen = replace(wish, title=title, keep=file)
            number = await make(api, self._access.records, source, chosen, existing, new, report)
            return await self._result(api, number, source, len(new))

        return await stream(request, self._in_turn(work))

    async def add(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        """Add the items of a source to a project."""
        body = await body_of(request)

        async def work(report: Report) -> api_types.Made:
            api = await self._access.api()
            project = await self._access.project(api, groups[0])
            record = await asyncio.to_thread(self._access.records.of, project["id"])
            task = listing.task_of(project, record)
            source = await self._read(api, body, task, project["label_config"], report)
            new = await self._new(api, project["id"], source)
            await add(api, project["id"], source, new, report)
            return await self._result(api, project["id"], source, len(new))

        return await stream(request, self._in_turn(work))

    def _in_turn(self, work: Work) -> Work:
        """Return `work` that first waits until no other call makes a project.

        A call that is repeated immediately after Ctrl-C must not find the project that will be removed.
        """

        async def wait_and_work(report: Report) -> Mapping[str, Any]:
            if self._making.locked():
                report(0, 0, "Waiting for another call that makes a project")
            async with self._making:
                try:
                    return await work(report)
                finally:
                    self._access.keeper.touch()

        return wait_and_work

    async def _read(
        self, api: LabelStudioAPI, body: dict[str, Any], task: str, config: str, report: Report
    ) -> Source:
        report(0, 0, "Looking at the files")
        context = Context(
            base=self._access.base(body),
            task=task_named(task) if task else None,
            own=Interface.parse(config) if config and not task else None,
            files=self._access.files,
            progress=_thread_safe(report, "Looking at the files"),
        )
        source = body.get("source")
        allowed = self._access.settings.aws_credentials
        if isinstance(source, dict) and source.get("kind") == S3:
            return await read_s3(api, source, context, allowed=allowed)
        read = await asyncio.to_thread(read_source, source, context)
        for location in read.locations:
            await check(api, location, allowed=allowed)
        return read

    async def _found_again(
        self, api: LabelStudioAPI, every: list[dict[str, Any]], source: Source, title: str
    ) -> tuple[dict[str, Any] | None, list[Item]]:
        """Return the project that was made over `source`, if there is one, and the new items."""
        records = await asyncio.to_thread(self._access.records.all)
        for project in listing.candidates(every, records, source, title):
            new = await self._new(api, project["id"], source)
            # Two tables, or lists, are the same if they have an item in common.
            if title or source.is_file_source or len(new) < len(source.items):
                return project, new
        return None, source.items

    async def _new(self, api: LabelStudioAPI, project: int, source: Source) -> list[Item]:
        there: list[Labelled] = []
        async for part in self._access.labels(api, project, unlabelled=True):
            there += part
        return await asyncio.to_thread(new_items, there, source.items, source.key)

    async def _result(
        self, api: LabelStudioAPI, number: int, source: Source, added: int
    ) -> api_types.Made:
        project = await self._access.project(api, str(number))
        shown = await asyncio.to_thread(self._access.shown, project)
        return {"project": shown, "added": added, "notes": source.notes}


def _thread_safe(report: Report, what: str) -> Callable[[int, int], None]:
    """Return a function that a thread may call to report how many files are done."""
    loop = asyncio.get_running_loop()

    def progress(done: int, total: int) -> None:
        loop.call_soon_threadsafe(report, done, total, what)

    return progress
