"""Label Studio's state, over Jupyter's own API: for hubs, dashboards and scripts.

    GET  <base_url>api/labelstudio            the state, as `labelstudio-proxy status --json`
    POST <base_url>api/labelstudio/start      likewise stop and restart; 202 with the state

Jupyter authenticates, authorizes (as the resource `labelstudio`) and checks for cross-site requests.
"""

from __future__ import annotations

import asyncio
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from .proxy_handler import StreamingServerProcess

ROUTE = "api/labelstudio"
# The gateway answers at once; Jupyter's clients wait no longer than they must.
ANSWER_SECONDS = 10.0


class StatusHandler(APIHandler):
    """What Label Studio is doing. To ask starts nothing."""

    auth_resource = "labelstudio"

    def initialize(self, server: StreamingServerProcess, instance: dict[str, str]) -> None:
        """`instance`: what tells this Label Studio from another; added to every answer."""
        self.server = server
        self.instance = instance

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """The state; `stopped` where there is no gateway."""
        await self.tell("state", "GET")

    async def tell(self, name: str, method: str) -> None:
        """Give the gateway's answer, or say `stopped` where nobody listens."""
        gateway = self.server.gateway()
        state: dict[str, Any] | None = None
        if gateway is not None:
            try:
                state = await asyncio.to_thread(gateway.ask, name, method, ANSWER_SECONDS)
            except ConnectionError:
                pass  # it is just starting, or has just ended
            except (OSError, ValueError) as error:
                raise web.HTTPError(504, "Label Studio's gateway does not answer") from error
        if state is None:
            # Here, not above: Jupyter's start shall not wait for it.
            from ..snapshot import Snapshot

            state = {**Snapshot().as_json(), "log": []}
        self.finish({**state, **self.instance})


class CommandHandler(StatusHandler):
    """Start, stop or restart Label Studio; returns at once, as the start goes on."""

    @web.authenticated
    @authorized
    async def post(self, command: str) -> None:
        """`command`: start, stop or restart."""
        self.log.info("Label Studio (%s): %s, by Jupyter's API", self.instance["data_dir"], command)
        if command != "stop":
            await self.server.start(self.application)
        self.set_status(202)
        await self.tell(command, "POST")

    @web.authenticated
    @authorized
    async def get(self, command: str) -> None:
        """What changes something is not asked for by a GET."""
        self.set_header("Allow", "POST")
        raise web.HTTPError(405)
