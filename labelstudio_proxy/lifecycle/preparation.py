"""What a start does before it launches Label Studio."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from ..backends.base import Backend, Owner
from ..backends.docker.leftover import remove_recorded
from ..config.settings import user_name
from ..data_directory import foreign_containers, foreign_processes
from ..data_directory.directory import DataDirectory
from ..data_directory.earlier_data import Choice, EarlierData
from ..data_directory.file_system import warning_about
from ..data_directory.lock import DirectoryLock, check_database_locks
from ..data_directory.lock_record import Holder
from .database_preparation import new_owner, prepare_database
from .state_store import StateStore


@dataclass(frozen=True)
class Preparation:
    """Prepares the data directory, the database and the backend; the same for every start."""

    directory: DataDirectory
    lock: DirectoryLock
    store: StateStore
    owner_email: str
    owner_name: str
    external_database: bool
    earlier_data: EarlierData | None = None

    async def run(
        self,
        backend: Backend,
        *,
        choice: Choice | None,
        insists: Callable[[], bool],
        on_request: Callable[[Holder], None],
    ) -> Owner | None:
        """Prepare a start; return the account that Label Studio must make; raises Problem.

        `choice`: the user's, if there are earlier data. `insists`: return True to take the directory
        over from another server. `on_request` is called when another server asks for it.
        """
        self.store.report("data")
        path = self.directory.path
        if self.earlier_data is not None:
            await asyncio.to_thread(self.earlier_data.settle, choice)
        # Before anything is changed: a container has other rights than this process.
        await foreign_containers.ensure_none(path, user_name())
        await asyncio.to_thread(self.directory.prepare)
        self.store.add_notice(await asyncio.to_thread(warning_about, path))
        if not self.external_database:
            await asyncio.to_thread(check_database_locks, self.directory.database)
        await self._lock(insists, on_request)
        self.store.report("data", detail="looking for other programs that use it")
        await foreign_processes.ensure_none(path)
        self.store.report("data", detail="")
        await asyncio.to_thread(self.directory.clear_temporary)
        external = self.external_database
        owner = await asyncio.to_thread(
            new_owner,
            *(self.directory, self.owner_email, self.owner_name),
            external_database=external,
        )
        await backend.prepare()
        self.store.report("database")
        self.store.add_notice(await remove_recorded(self.directory, keep_engine=backend.engine_url))
        if not external:
            progress = self.store.report_backup
            self.store.add_notice(await prepare_database(backend, self.directory, progress))
        return owner

    async def _lock(
        self, insists: Callable[[], bool], on_request: Callable[[Holder], None]
    ) -> None:
        loop = asyncio.get_running_loop()

        def requested(by: Holder) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(on_request, by)

        self.lock.on_request = requested
        await self.lock.take(lambda detail: self.store.report("data", detail=detail), insists)
