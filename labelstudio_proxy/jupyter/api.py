"""Label Studio's state in Jupyter's own REST API, for hubs, dashboards and scripts: docs/rest-api.md.

Jupyter authenticates, authorizes (as the resource `labelstudio`) and checks for cross-site requests.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, cast

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from .. import api_types
from ..aio import call_in_thread
from ..gateway_client import RunningGateway
from ..request_kind import SAFE_METHODS
from ..snapshot import Snapshot
from .proxy_handler import StreamingServerProcess
from .unavailable import GatewayUnavailable

ROUTE = "api/labelstudio"
# Routes of the gateway that change its state.
COMMANDS = ("start", "stop", "restart", "install", "take-over", "use-data", "no-data")
# The gateway responds at once unless the machine is overloaded.
TIMEOUT_SECONDS = 10.0


class LabelStudioHandler(APIHandler):
    """The base of all handlers. A GET is no activity: an open panel must not prevent culling."""

    auth_resource = "labelstudio"

    def initialize(self, server: StreamingServerProcess, instance: api_types.Instance) -> None:
        """`instance`: identifies this Label Studio, in the JSON of each state."""
        self.server = server
        self.instance = instance

    def update_api_activity(self) -> None:
        """Count the request as activity, if it changes something. Jupyter calls this for each response."""
        if self.request.method not in SAFE_METHODS:
            super().update_api_activity()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send an error as JSON; the problem if the gateway cannot start."""
        error = (kwargs.get("exc_info") or (None, None))[1]
        if not isinstance(error, GatewayUnavailable):
            super().write_error(status_code, **kwargs)
            return
        self.finish({"message": error.problem.as_sentence(), **error.problem.as_json()})

    async def ask(self, route: str, method: str = "GET") -> api_types.StateWithLog:
        """Return the gateway's response, or the state `stopped` without a gateway; raises HTTPError."""
        state: api_types.StateWithLog = {
            **Snapshot().as_json(),
            **self.instance,
            "address": "",
            "log": [],
        }
        if (gateway := self.server.gateway()) is not None:
            try:
                answer = await _answer(gateway, route, method)
                return cast("api_types.StateWithLog", {**state, **answer})
            except ConnectionError:
                pass  # the gateway starts or exits at this moment
            except (OSError, ValueError, asyncio.TimeoutError) as error:
                raise web.HTTPError(504, "Label Studio's gateway does not respond") from error
        return state


async def _answer(gateway: RunningGateway, route: str, method: str) -> dict[str, Any]:
    ask = partial(gateway.ask, route, method, TIMEOUT_SECONDS)
    return await asyncio.wait_for(call_in_thread(ask, "state"), TIMEOUT_SECONDS)


class StateHandler(LabelStudioHandler):
    """Returns the state of Label Studio; starts nothing."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Send the state; `stopped` without a gateway. With `?memory=1` also the memory in use."""
        state = await self.ask("state")
        if self.get_query_argument("memory", "") != "1":
            self.finish(dict(state))
            return
        answer = cast("dict[str, Any]", await self.ask("memory"))
        measured: api_types.StateWithMemory = {**state, "memory": answer.get("memory")}
        self.finish(dict(measured))


class LogHandler(LabelStudioHandler):
    """Returns the last lines of Label Studio's log."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Send them as text; nothing without a gateway."""
        state = await self.ask("state")
        text = "".join(f"{line}\n" for _, line in state["log"])
        self.set_header("Cache-Control", "no-store")
        self.finish(text.encode(errors="replace"), set_content_type="text/plain; charset=UTF-8")


class CommandHandler(LabelStudioHandler):
    """Runs a command, such as start or stop, and responds before it is complete."""

    @web.authenticated
    @authorized
    async def post(self, command: str) -> None:
        """`command`: one of COMMANDS."""
        self.log.info("Label Studio (%s): %s, by Jupyter's API", self.instance["data_dir"], command)
        if command != "stop" or self.server.gateway() is not None:
            await self.server.start(self.application)
        self.set_status(202)
        self.finish(dict(await self.ask(command, "POST")))

    @web.authenticated
    @authorized
    async def get(self, command: str) -> None:
        """Refuse: a GET must change nothing."""
        self.set_header("Allow", "POST")
        raise web.HTTPError(405)
