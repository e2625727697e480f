"""Label Studio's state in Jupyter's own REST API, for hubs, dashboards and scripts.

    GET  <base_url>api/labelstudio            the state, as `labelstudio-proxy status --json`
    POST <base_url>api/labelstudio/start      also stop and restart; 202 with the state

Jupyter authenticates, authorizes (as the resource `labelstudio`) and checks for cross-site requests.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import cast

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from .. import api_types
from ..aio import call_in_thread
from ..snapshot import Snapshot
from .proxy_handler import StreamingServerProcess

ROUTE = "api/labelstudio"
# The gateway responds at once unless the machine is overloaded.
TIMEOUT_SECONDS = 10.0


class StateHandler(APIHandler):
    """Returns the state of Label Studio; starts nothing."""

    auth_resource = "labelstudio"

    def initialize(self, server: StreamingServerProcess, instance: api_types.Instance) -> None:
        """`instance`: identifies this Label Studio; added to every response."""
        self.server = server
        self.instance = instance

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Send the state; `stopped` if no gateway runs."""
        await self.send_state("state", "GET")

    async def send_state(self, route: str, method: str) -> None:
        """Send the gateway's response, or `stopped` if nothing listens."""
        gateway = self.server.gateway()
        state: api_types.StateWithLog = {
            **Snapshot().as_json(),
            **self.instance,
            "address": "",
            "log": [],
        }
        if gateway is not None:
            try:
                ask = partial(gateway.ask, route, method, TIMEOUT_SECONDS)
                found = await asyncio.wait_for(call_in_thread(ask, "state"), TIMEOUT_SECONDS)
                state |= cast("api_types.StateWithLog", found)
            except ConnectionError:
                pass  # the gateway starts or exits at this moment
            except (OSError, ValueError, asyncio.TimeoutError) as error:
                raise web.HTTPError(504, "Label Studio's gateway does not respond") from error
        self.finish(dict(state))


class CommandHandler(StateHandler):
    """Starts, stops or restarts Label Studio, and responds before that is done."""

    @web.authenticated
    @authorized
    async def post(self, command: str) -> None:
        """`command`: start, stop or restart."""
        self.log.info("Label Studio (%s): %s, by Jupyter's API", self.instance["data_dir"], command)
        if command != "stop" or self.server.gateway() is not None:
            await self.server.start(self.application)
        self.set_status(202)
        await self.send_state(command, "POST")

    @web.authenticated
    @authorized
    async def get(self, command: str) -> None:
        """Refuse: a GET must change nothing."""
        self.set_header("Allow", "POST")
        raise web.HTTPError(405)
