"""Projects in Jupyter's own REST API: the gateway's routes, for Jupyter's front ends.

    GET  <base_url>api/labelstudio/projects      and below: as the gateway's `_proxy/projects`
    POST <base_url>api/labelstudio/projects      and below; starts the gateway

Jupyter authenticates, authorizes (as the resource `labelstudio`) and checks for cross-site requests.
Paths in a request are relative to Jupyter's root folder.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
from jupyter_server.auth.decorator import authorized
from tornado import web
from tornado.iostream import StreamClosedError
from yarl import URL

from ..label_studio.upstream import HOST, Endpoint, open_session, url_of
from ..request_kind import CONTROL
from ..snapshot import Snapshot
from .api import LabelStudioHandler

PROJECTS = "projects"
# Marks a request as a program's, which may start Label Studio. Jupyter has authenticated the user.
PROGRAM = {"Authorization": "token this-user"}


class _PassingHandler(LabelStudioHandler):
    """Passes a request to the gateway, and its response back while it arrives."""

    _passing: asyncio.Task[None] | None = None

    def on_connection_close(self) -> None:
        """Called when the client leaves, so that the gateway cancels its work at once."""
        super().on_connection_close()
        if self._passing is not None:
            self._passing.cancel()

    async def _pass(self, method: str, name: str) -> None:
        self._passing = asyncio.ensure_future(self._pass_on(method, name))
        await asyncio.wait([self._passing])
        if not self._passing.cancelled():
            self._passing.result()

    async def _pass_on(self, method: str, name: str) -> None:
        gateway = self.server.gateway()
        if gateway is None:
            self._say_stopped()
            return
        endpoint = Endpoint(unix_socket=Path(gateway.unix_socket))
        target = f"{CONTROL}{PROJECTS}{name}"
        if self.request.query:
            target += f"?{self.request.query}"
        try:
            async with (
                open_session(endpoint) as session,
                session.request(
                    method,
                    URL(url_of(endpoint, target), encoded=True),
                    headers={"Host": HOST, **(PROGRAM if method == "POST" else {})},
                    data=self.request.body or None,
                ) as response,
            ):
                self.set_status(response.status)
                self.set_header("Content-Type", response.content_type)
                async for chunk in response.content.iter_any():
                    self.write(chunk)
                    await self.flush()
        except StreamClosedError:  # the client left
            return
        except aiohttp.ClientConnectorError:
            self._say_stopped()
        except aiohttp.ClientError as error:
            if self._headers_written:  # the client must notice that the response is not complete
                self.detach().close()
                return
            raise web.HTTPError(504, "Label Studio's gateway does not respond") from error

    def _say_stopped(self) -> None:
        self.set_status(503)
        self.finish(Snapshot().as_json())


class ProjectsHandler(_PassingHandler):
    """Reads and changes projects."""

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Read projects. Status 503 with the state if Label Studio does not run; starts nothing."""
        await self._pass("GET", name)

    @web.authenticated
    @authorized
    async def post(self, name: str) -> None:
        """Change projects; starts Label Studio, and returns 503 with the state until it is ready."""
        await self.server.start(self.application)
        await self._pass("POST", name)


class SourceHandler(_PassingHandler):
    """Says what a project over a folder or files would be."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Look at the folder or the files in the request. Starts the gateway, but not Label Studio."""
        await self.server.start(self.application)
        await self._pass("POST", "/source")
