"""Label Studio's assets: fetched once, compressed once, and sent from disk after that.

Assets are public files of Label Studio's installation, the same for all users, so they are fetched
without an identity. What cannot be kept for any reason passes like other responses.
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
from .background import BackgroundCompression
from .cache import Asset, AssetFolder, close_folder, name_of, open_folder
from .fetch import fetch
from .prepared import prepared_in
from .responses import AssetResponse, asset_path, response_for

logger = logging.getLogger(__name__)

CHUNK_BYTES = 256 * 1024
# A developer or an upgrade may change Label Studio's files while it runs.
CHECK_SECONDS = 5.0

Key = tuple[Path, str, str]  # a folder, an asset's name, a coding
Fetch = Callable[[], Awaitable[Asset | None]]


class Assets:
    """Responds to requests for assets. Its owner must `close` it."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._endpoint: Endpoint | None = None
        self._fingerprint = ""
        self._checked = 0.0
        self._folder: AssetFolder | None = None
        self._opening = asyncio.Lock()
        self._underway: dict[Key, asyncio.Task[Asset | None]] = {}
        self._background = BackgroundCompression()
        self._last_warning = ""

    async def compress_ahead(self, version: str, build: Build) -> None:
        """Begin to compress the files of a Label Studio that starts, if they can be read here."""
        if build.front_end is None or not (fingerprint := await _fingerprint(build)):
            return
        try:
            folder = await asyncio.to_thread(open_folder, version, fingerprint, prepared_in(build))
        except OSError as error:
            self._warn(error)
            return
        self._background.compress_files(folder, build.front_end, self._prefix)

    async def open(self, endpoint: Endpoint | None, version: str, build: Build) -> None:
        """Use the assets of the Label Studio at `endpoint`, unless they are in use already."""
        async with self._opening:
            if self._endpoint is endpoint and time.monotonic() < self._checked + CHECK_SECONDS:
                return
            fingerprint = await _fingerprint(build)
            if self._endpoint is not endpoint or self._fingerprint != fingerprint:
                await self.leave()
                try:
                    self._folder = await asyncio.to_thread(
                        open_folder, version, fingerprint, prepared_in(build)
                    )
                except OSError as error:
                    self._warn(error)
                self._endpoint, self._fingerprint = endpoint, fingerprint
            self._checked = time.monotonic()

    async def leave(self) -> None:
        """Use the assets of no Label Studio."""
        folder, self._folder, self._endpoint = self._folder, None, None
        if folder is not None:
            await asyncio.to_thread(close_folder, folder)

    @property
    def endpoint(self) -> Endpoint | None:
        """The endpoint of the Label Studio whose assets are in use."""
        return self._endpoint

    async def close(self) -> None:
        """Cancel all work."""
        underway = list(self._underway.values())
        for task in underway:
            task.cancel()
        if underway:
            await asyncio.wait(underway)
        await self._background.close()
        await self.leave()

    async def respond(
        self, request: web.BaseRequest, target: str, session: aiohttp.ClientSession
    ) -> web.StreamResponse | None:
        """Respond to `request` for `target` (with its query); None if Label Studio must respond."""
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
        return await send(request, response_for(request.method, target, request.headers, asset))

    async def _find(self, folder: AssetFolder, name: str, coding: str, ask: Fetch) -> Asset | None:
        kept = await asyncio.to_thread(folder.load, name, coding)
        if kept is not None:
            return kept
        # One task for all requests that wait, which continues even if all clients disconnect.
        key = (folder.path, name, coding)
        task = self._underway.get(key)
        if task is None:
            task = asyncio.create_task(self._make(folder, name, coding, ask))
            self._underway[key] = task
            task.add_done_callback(lambda _: self._underway.pop(key))
        return await asyncio.shield(task)

    async def _make(self, folder: AssetFolder, name: str, coding: str, ask: Fetch) -> Asset | None:
        # An earlier task may have made it since the caller looked.
        kept = await asyncio.to_thread(folder.load, name, coding)
        if kept is not None:
            return kept
        if coding == IDENTITY:
            plain = await ask()
            if plain is not None:
                await self._save(folder, name, plain)
            return plain
        plain = await self._find(folder, name, IDENTITY, ask)
        if plain is None or not plain.compressible:
            return plain
        # The content may have been compressed before its name was known.
        kept = await asyncio.to_thread(folder.load, name, coding)
        if kept is not None:
            return kept
        level = kept_level(coding, len(plain.body))
        body = await asyncio.to_thread(compress, plain.body, coding, level)
        asset = replace(plain, body=body, coding=coding, level=level)
        if await self._save(folder, name, asset) and level < BEST[coding]:
            self._background.improve(folder, name, coding)
        return asset

    async def _save(self, folder: AssetFolder, name: str, asset: Asset) -> bool:
        try:
            await asyncio.to_thread(folder.save, name, asset)
        except OSError as error:
            self._warn(error)
            return False
        return True

    def _warn(self, error: OSError) -> None:
        if str(error) != self._last_warning:
            self._last_warning = str(error)
            logger.warning("Could not keep Label Studio's scripts and styles on disk: %s", error)


async def _fingerprint(build: Build) -> str:
    return await asyncio.to_thread(build.fingerprint)


def concerns(request: web.BaseRequest, target: str) -> bool:
    """Return True if this is a request for an asset."""
    return _path_of(request, target) is not None


def _path_of(request: web.BaseRequest, target: str) -> str | None:
    return asset_path(request.method, target, request.headers)


async def send(request: web.BaseRequest, content: AssetResponse) -> web.StreamResponse:
    """Send a response, as fast as the client reads it."""
    response = web.StreamResponse(status=content.status, headers=content.headers)
    await response.prepare(request)
    body = memoryview(content.body)  # its slices are no copies
    for start in range(0, len(body), CHUNK_BYTES):
        await response.write(body[start : start + CHUNK_BYTES])
    await response.write_eof()
    return response
