"""The routes that list all projects: once, or again at each change."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterable
from typing import Any

import aiohttp
from aiohttp import web

from ... import api_types
from ...data_directory import annotations as database
from ...problem import Problem
from .. import event_stream
from ..responses import json_response
from . import listing
from .access import Access

logger = logging.getLogger(__name__)

# The pause before the counts are read again: a page sends several requests for one label.
QUIET_SECONDS = 1.0


class ListingRoutes:
    """Serves lists of all projects."""

    def __init__(self, access: Access) -> None:
        """`access`: the way to the projects."""
        self._access = access

    async def every(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        """Send all projects."""
        projects = await (await self._access.api()).projects()
        return json_response(await asyncio.to_thread(self._shown, projects))

    async def events(self, request: web.BaseRequest, groups: list[str]) -> web.StreamResponse:
        """Send all projects as the event `projects`, now and at each change, until the client leaves."""
        response = await event_stream.begin(request)
        sent: api_types.Projects | None = None
        while True:
            change, began = self._access.keeper.next_change(), time.monotonic()
            found = await self._all()
            took = time.monotonic() - began
            if found is not None and found != sent:
                sent = found
                await response.write(event_stream.event("projects", found))
            while not await _is_set(change, event_stream.BEAT_SECONDS):
                await response.write(event_stream.BEAT)
            # So that a slow database has time for Label Studio.
            await asyncio.sleep(max(QUIET_SECONDS, 10 * took))

    async def _all(self) -> api_types.Projects | None:
        """Return all projects, from the database if possible; None if that needs a running Label Studio."""
        try:
            if not self._access.external_database:
                return await asyncio.to_thread(self._all_stored)
        except (database.UnknownTables, sqlite3.Error) as error:
            logger.info("Reading the projects by Label Studio's API: %s", error)
        if not self._access.is_ready:
            return None
        try:
            found = await (await self._access.api()).projects()
        except (Problem, aiohttp.ClientError):  # Label Studio stops at this moment
            return None
        return await asyncio.to_thread(self._shown, found)

    def _all_stored(self) -> api_types.Projects:
        if not self._access.directory.database.exists():
            return {"projects": []}
        stored = database.projects(self._access.directory)
        return self._shown(listing.as_listed(each) for each in reversed(stored))

    def _shown(self, projects: Iterable[dict[str, Any]]) -> api_types.Projects:
        return {"projects": [self._access.shown(each) for each in projects]}


async def _is_set(event: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()
