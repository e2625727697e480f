"""Kept assets for Jupyter's process: from disk or from memory, without asking the gateway.

Four tabs that load a page at once would wait for a second process that gives what the first could
have read: that halves the number of answers in a second.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from .asset_cache import Asset, AssetFolder, name_of
from .codings import IDENTITY

# Of a first page's assets the large ones; the rest is read from disk as quickly.
MEMORY_BYTES = 4 * 1024 * 1024
# What was packed in a hurry is replaced on disk soon after.
FRESH_SECONDS = 20.0


class _Held(NamedTuple):
    asset: Asset
    until: float


class Shelf:
    """The assets under one prefix."""

    def __init__(self, prefix: str, pointer: Path) -> None:
        """`pointer`: the link that the gateway keeps, see `asset_cache.asset_pointer`."""
        self._prefix = prefix
        self._pointer = pointer
        self._held: OrderedDict[tuple[Path, str, str], _Held] = OrderedDict()
        self._bytes = 0

    async def find(self, path: str, coding: str) -> Asset | None:
        """The asset at `path`; None: the gateway has to be asked."""
        try:
            folder = self._pointer.readlink()
        except OSError:
            return None
        key = (folder, path, coding)
        held = self._held.get(key)
        if held is not None and held.until > time.monotonic():
            self._held.move_to_end(key)
            return held.asset
        asset = await asyncio.to_thread(self._load, AssetFolder(folder), path, coding)
        self._hold(key, asset)
        return asset

    def _load(self, folder: AssetFolder, path: str, coding: str) -> Asset | None:
        name = name_of(path, self._prefix)
        asset = folder.load(name, coding)
        if asset is None and coding != IDENTITY:
            plain = folder.load(name, IDENTITY)
            # What has other codings the gateway packs.
            asset = plain if plain is not None and not plain.varies else None
        return asset

    def _hold(self, key: tuple[Path, str, str], asset: Asset | None) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            self._bytes -= len(held.asset.body)
        if asset is None:
            return
        self._held[key] = _Held(asset, time.monotonic() + FRESH_SECONDS)
        self._bytes += len(asset.body)
        while self._bytes > MEMORY_BYTES:
            _, oldest = self._held.popitem(last=False)
            self._bytes -= len(oldest.asset.body)
