"""The database between two Label Studios: made ready for the next one, and noted as that one's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from ..backends.base import Backend
from ..data_directory import upgrade
from ..data_directory.directory import DataDirectory
from .first_start import place_template


async def prepare_database(
    backend: Backend, directory: DataDirectory, progress: Callable[[int, int], None]
) -> str:
    """Back it up before another version touches it, or begin it with a template.

    Gives what people should know, empty for nothing. `progress` is told of a backup: pages done, of
    all. Raises Problem.
    """
    if await asyncio.to_thread(upgrade.is_unfinished, directory):
        await backend.remove_leftover()
    loop = asyncio.get_running_loop()

    def report(done: int, total: int) -> None:
        loop.call_soon_threadsafe(progress, done, total)

    version, package = _version(backend), backend.build.package
    before = asyncio.create_task(
        asyncio.to_thread(upgrade.prepare, directory, version, package, report)
    )
    try:
        notice: str = await asyncio.shield(before)
    finally:
        # A thread goes on when nobody waits for it, and this one must not while another start, or
        # another server, has the directory.
        while not before.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([before])
    await asyncio.to_thread(place_template, directory, backend.versions.get("Label Studio", ""))
    return notice


async def note_database(backend: Backend, directory: DataDirectory) -> None:
    """Once Label Studio has answered: the database is this version's now."""
    await asyncio.to_thread(upgrade.finish, directory, _version(backend))


def _version(backend: Backend) -> str:
    """The version of Label Studio, else what else tells one from another."""
    return backend.versions.get("Label Studio") or backend.build.image
