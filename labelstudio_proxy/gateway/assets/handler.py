"""Label Studio's assets: fetched once, packed once, and answered from disk from then on.

They are public files of its installation, the same for everybody, so they are fetched without an
identity. What cannot be kept, for whatever reason, passes as any other answer does.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import aiohttp
from aiohttp import web

from ...label_studio.build import Build
from ...label_studio.upstream import Endpoint
from ..proxy.compression import BEST, IDENTITY, compress, kept_level, negotiate
from .ahead import is_done
from .cache import Asset, AssetFolder, close_folder, name_of, open_folder
from .fetch import fetch
from .repack import Repacker
from .responses import AssetAnswer, answer, asset_path

logger = logging.getLogger(__name__)

CHUNK_BYTES = 256 * 1024
# A Label Studio that is worked on, or upgraded while it runs, changes its files under our eyes.
CHECK_SECONDS = 5.0

Key = tuple[Path, str, str]  # a folder, an asset's name, a coding
Fetch = Callable[[], Awaitable[Asset | None]]


class Assets:
    """Answers requests for assets; whoever makes it must `close` it."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._endpoint: Endpoint | None = None
        self._fingerprint = ""
        self._checked = 0.0
        self._folder: AssetFolder | None = None
        self._opening = asyncio.Lock()
        self._underway: dict[Key, asyncio.Task[Asset | None]] = {}
        self._repacker = Repacker()
        self._complained = ""

    async def pack_ahead(self, version: str, build: Build) -> None:
        """Use the time in which Label Studio starts, if its files can be seen from here."""
        if build.front_end is None or not (fingerprint := await _fingerprint(build)):
            return
        try:
            folder = await asyncio.to_thread(open_folder, version, fingerprint)
        except OSError as error:
            self._complain(error)
            return
        if not is_done(folder):
            self._repacker.pack_ahead(folder, build.front_end, self._prefix)

    async def open(self, endpoint: Endpoint | None, version: str, build: Build) -> None:
        """Use the assets of the Label Studio at `endpoint`, unless they are in use."""
        async with self._opening:
            if self._endpoint is endpoint and time.monotonic() < self._checked + CHECK_SECONDS:
                return
            fingerprint = await _fingerprint(build)
            if self._endpoint is not endpoint or self._fingerprint != fingerprint:
                self.leave()
                try:
                    self._folder = await asyncio.to_thread(open_folder, version, fingerprint)
                except OSError as error:
                    self._complain(error)
                self._endpoint, self._fingerprint = endpoint, fingerprint
            self._checked = time.monotonic()

    def leave(self) -> None:
        """Use none any more."""
        folder, self._folder, self._endpoint = self._folder, None, None
        if folder is not None:
            close_folder(folder)

    @property
    def endpoint(self) -> Endpoint | None:
        """Whose assets are in use."""
        return self._endpoint

    async def close(self) -> None:
        """End what is under way."""
        underway = list(self._underway.values())
        for task in underway:
            task.cancel()
        if underway:
            await asyncio.wait(underway)
        await self._repacker.close()
        self.leave()

    async def answer(
        self, request: web.BaseRequest, target: str, session: aiohttp.ClientSession
    ) -> web.StreamResponse | None:
        """Answer `request` for `target` (with its query), None if that is not to be done here."""
        path, folder, endpoint = _path_of(request, target), self._folder, self._endpoint
        if path is None or folder is None or endpoint is None:
            return None
        name = name_of(path, self._prefix)
        coding = negotiate(", ".join(request.headers.getall("Accept-Encoding", ())))
        asset = await self._find(
            folder, name, coding, partial(fetch, session, endpoint, path, self._prefix)
        )
        if asset is None:
            return None
        return await send(request, answer(request.method, target, request.headers, asset))

    async def _find(self, folder: AssetFolder, name: str, coding: str, ask: Fetch) -> Asset | None:
        kept = await asyncio.to_thread(folder.load, name, coding)
        if kept is not None:
            return kept
        if coding == IDENTITY:
            fetching = partial(self._fetch, folder, name, ask)
            return await self._once((folder.path, name, IDENTITY), fetching)
        plain = await self._find(folder, name, IDENTITY, ask)
        if plain is None or not plain.varies:
            return plain
        packing = partial(self._pack, folder, name, coding, plain)
        return await self._once((folder.path, name, coding), packing)

    async def _once(self, key: Key, make: Fetch) -> Asset | None:
        """Make it once for all who wait for it, also when they have gone."""
        task = self._underway.get(key)
        if task is None:
            task = self._underway[key] = asyncio.ensure_future(make())
            task.add_done_callback(lambda _: self._underway.pop(key))
        return await asyncio.shield(task)

    async def _fetch(self, folder: AssetFolder, name: str, ask: Fetch) -> Asset | None:
        # It may have come since the caller looked.
        kept = await asyncio.to_thread(folder.load, name, IDENTITY)
        if kept is not None:
            return kept
        asset = await ask()
        if asset is not None:
            await self._keep(folder, name, asset)
        return asset

    async def _pack(self, folder: AssetFolder, name: str, coding: str, plain: Asset) -> Asset:
        kept = await asyncio.to_thread(folder.load, name, coding)
        if kept is not None and kept.content == plain.content:
            return kept
        ahead = await asyncio.to_thread(folder.load, plain.content, coding)
        level = ahead.level if ahead is not None else kept_level(coding, len(plain.body))
        body = (
            ahead.body
            if ahead is not None
            else await asyncio.to_thread(compress, plain.body, coding, level)
        )
        asset = replace(plain, body=body, coding=coding, level=level)
        if await self._keep(folder, name, asset) and level < BEST[coding]:
            self._repacker.add(folder, name, coding)
        return asset

    async def _keep(self, folder: AssetFolder, name: str, asset: Asset) -> bool:
        try:
            await asyncio.to_thread(folder.save, name, asset)
        except OSError as error:
            self._complain(error)
            return False
        return True

    def _complain(self, error: OSError) -> None:
        if str(error) != self._complained:
            self._complained = str(error)
            logger.warning("Label Studio's assets are not kept: %s", error)


async def _fingerprint(build: Build) -> str:
    return await asyncio.to_thread(build.fingerprint)


def concerns(request: web.BaseRequest, target: str) -> bool:
    """Whether `Assets` may have an answer to this request."""
    return _path_of(request, target) is not None


def _path_of(request: web.BaseRequest, target: str) -> str | None:
    return asset_path(request.method, target, request.headers)


async def send(request: web.BaseRequest, given: AssetAnswer) -> web.StreamResponse:
    """Send an answer, as fast as the browser takes it."""
    response = web.StreamResponse(status=given.status, headers=given.headers)
    await response.prepare(request)
    for at in range(0, len(given.body), CHUNK_BYTES):
        await response.write(given.body[at : at + CHUNK_BYTES])
    await response.write_eof()
    return response
