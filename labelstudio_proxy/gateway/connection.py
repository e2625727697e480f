"""The connection to the Label Studio that is ready now, with the owner's identity."""

from __future__ import annotations

import asyncio

import aiohttp

from ..config.settings import LabelStudioProxy
from ..data_directory.directory import DataDirectory
from ..label_studio.upstream import open_session
from ..lifecycle.supervisor import Supervisor
from .identity import establish
from .proxy.forward import Upstream


class Connection:
    """Holds one session for each start of Label Studio; the caller must `close` it."""

    def __init__(
        self,
        settings: LabelStudioProxy,
        directory: DataDirectory,
        supervisor: Supervisor,
        *,
        external_database: bool,
    ) -> None:
        """`external_database`: the accounts are in a database that is not SQLite."""
        self._settings = settings
        self._directory = directory
        self._supervisor = supervisor
        self._external_database = external_database
        self._upstream: Upstream | None = None
        self._connecting = asyncio.Lock()

    async def upstream(self) -> Upstream:
        """Return the session and the identity for the Label Studio that is ready now.

        Raises Problem if there is no account to act as, and aiohttp.ClientConnectionError if Label
        Studio is not ready.
        """
        async with self._connecting:
            endpoint = self._supervisor.snapshot.endpoint
            if self._upstream is not None and self._upstream.endpoint is endpoint:
                return self._upstream
            await self.close()
            if endpoint is None:  # it stopped since the caller looked
                raise aiohttp.ClientConnectionError
            session = open_session(endpoint)
            try:
                identity = await establish(
                    session,
                    endpoint,
                    self._directory,
                    environment=self._settings.environment,
                    external_database=self._external_database,
                    owner_email=self._settings.owner(),
                )
            except BaseException:
                await session.close()
                raise
            self._upstream = Upstream(session, endpoint, identity, self._directory.temporary)
            return self._upstream

    async def close(self) -> None:
        """Close the session, if there is one."""
        if self._upstream is not None:
            await self._upstream.session.close()
            self._upstream = None
