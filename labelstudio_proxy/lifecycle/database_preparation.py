"""What a start does to the database: the first account, the template, and upgrades."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import lzma
import secrets
import sqlite3
from collections.abc import Callable

from ..backends.base import Backend, Owner
from ..data_directory import template, upgrade
from ..data_directory.directory import DataDirectory
from ..problem import Problem

logger = logging.getLogger(__name__)

LABEL_STUDIO = "Label Studio"  # in `Backend.versions`, after `prepare`


def new_owner(
    directory: DataDirectory, email: str, name: str, *, external_database: bool
) -> Owner | None:
    """Return the account to make, or None if there are accounts; raises Problem. Blocks.

    `name`: that Label Studio shows; empty: the e-mail address.
    """
    try:
        if not external_database:
            directory.recover()
            if directory.has_accounts():
                return None
    except sqlite3.Error as error:
        raise Problem(
            f"Label Studio's database {directory.database} cannot be read.",
            f"SQLite says: {error}.",
            "Put back a copy that worked, then try again. Or set `data_dir` to another folder and "
            "restart Jupyter.",
        ) from error
    return Owner(email, secrets.token_urlsafe(24), name)


async def prepare_database(
    backend: Backend, directory: DataDirectory, progress: Callable[[int, int], None]
) -> str:
    """Back the database up before another version uses it, or copy the template if there is none.

    Return a notice for the user, empty for none. `progress` receives the pages that the backup has
    done, and all of them. Raises Problem.
    """
    if await asyncio.to_thread(upgrade.is_unfinished, directory):
        await backend.remove_leftover()
    loop = asyncio.get_running_loop()

    def report(done: int, total: int) -> None:
        loop.call_soon_threadsafe(progress, done, total)

    version, package = backend.versions[LABEL_STUDIO], backend.build.package
    preparation = asyncio.create_task(
        asyncio.to_thread(
            upgrade.prepare, directory, version, package, report, backend.how_to_install
        )
    )
    try:
        notice: str = await asyncio.shield(preparation)
    finally:
        # A cancelled thread keeps running. Nobody else may use the directory until it is done.
        while not preparation.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([preparation])
    await asyncio.to_thread(_place_template, directory, version)
    return notice


async def record_version(backend: Backend, directory: DataDirectory) -> None:
    """Record that the database belongs to this version, after its first response."""
    await asyncio.to_thread(upgrade.finish, directory, backend.versions[LABEL_STUDIO])


def _place_template(directory: DataDirectory, version: str) -> None:
    try:
        template.place(directory, version)
    except (OSError, lzma.LZMAError) as error:
        # Label Studio then makes the database itself, and reports a full disk.
        logger.warning("Label Studio (%s) starts without a template: %s", directory.path, error)
