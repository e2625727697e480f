"""The routes below `_proxy/`: state, commands, and the files of the gateway's pages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from aiohttp import web

from .. import api_types
from ..data_directory.directory import DataDirectory
from ..data_directory.earlier_data import Choice
from ..label_studio.upstream import is_healthy, open_session
from ..lifecycle.supervisor import Supervisor
from ..request_kind import CONTROL, RequestKind
from ..snapshot import Snapshot, State
from . import event_stream
from .assets.handler import send
from .assets.responses import response_for
from .diagnostics import Diagnostics
from .event_stream import event
from .idle_stop import IdleStop
from .proxy.compression import negotiate
from .responses import json_response
from .static_files import MEDIA_TYPES, static_file, versioned

logger = logging.getLogger(__name__)

# jupyter-server-proxy does not notice that a browser left, so the gateway ends each stream of a page.
STREAM_SECONDS = 30.0
LOG_LINES = 200
RESPONDS_SECONDS = 5.0
# What watch.js shows of the state; open pages ask for it every few seconds.
SHOWN_OVER_PAGES = (
    *("state", "backend", "ready_after", "stopped_because", "error", "holder", "next_start"),
)


class ControlRoutes:
    """Serves what pages, commands and Jupyter's API ask of the gateway itself."""

    def __init__(
        self,
        directory: DataDirectory,
        supervisor: Supervisor,
        idle_stop: IdleStop,
        diagnostics: Diagnostics,
    ) -> None:
        self._directory = directory
        self._supervisor = supervisor
        self._idle_stop = idle_stop
        self._diagnostics = diagnostics
        self._routes: dict[
            tuple[str, str], Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
        ] = {
            ("GET", "state"): self._state,
            ("GET", "snapshot"): self._snapshot,
            ("GET", "memory"): self._memory,
            ("GET", "events"): self._events,
            ("GET", "diagnostics"): self._diagnostics_text,
            ("GET", "doctor"): self._doctor,
            ("GET", "activity"): self._activity,
            ("POST", "activity"): self._activity,
            ("GET", "responds"): self._responds,
            ("POST", "start"): self._command("start", supervisor.start),
            ("POST", "stop"): self._command("stop", supervisor.stop),
            ("POST", "restart"): self._command("restart", supervisor.restart),
            ("POST", "take-over"): self._command("take over", supervisor.take_over),
            ("POST", "install"): self._command("install", supervisor.install),
            ("POST", "use-data"): self._command(
                "use the earlier data", partial(supervisor.choose_data, Choice.USE)
            ),
            ("POST", "no-data"): self._command(
                "start with no data", partial(supervisor.choose_data, Choice.NONE)
            ),
        }

    async def run(
        self, request: web.BaseRequest, target: str, kind: RequestKind
    ) -> web.StreamResponse:
        """Serve a request whose path is below CONTROL."""
        name, query = kind.path.removeprefix(CONTROL), target.partition("?")[2]
        method = "GET" if request.method == "HEAD" else request.method
        if name.startswith("static/") and method == "GET":
            return await self._static(request, name.removeprefix("static/"), query)
        route = self._routes.get((method, name))
        if route is None:
            detail = f"labelstudio-proxy has no {request.method} {CONTROL}{name}."
            return json_response({"detail": detail}, 404)
        return await route(request)

    async def _static(self, request: web.BaseRequest, name: str, query: str) -> web.StreamResponse:
        if name not in MEDIA_TYPES:
            return json_response({"detail": "There is no such file."}, 404)
        accepted = ", ".join(request.headers.getall("Accept-Encoding", ()))
        file = await asyncio.to_thread(static_file, name, negotiate(accepted))
        # A browser must not keep this file under another version's URL.
        current = f"{name}?{query}" == versioned(name)
        target = versioned(name) if current else name
        return await send(request, response_for(request.method, target, request.headers, file))

    async def _state(self, request: web.BaseRequest) -> web.StreamResponse:
        log = self._supervisor.log
        state: api_types.SnapshotWithLog = {
            **self._supervisor.snapshot.as_json(),
            "address": self._supervisor.address,
            "log": log.since(log.last - LOG_LINES),
        }
        return json_response(state)

    async def _snapshot(self, request: web.BaseRequest) -> web.StreamResponse:
        """For Jupyter's metrics: the state without the log."""
        return json_response(self._supervisor.snapshot.as_json())

    async def _memory(self, request: web.BaseRequest) -> web.StreamResponse:
        """For `labelstudio-proxy status`: the bytes that Label Studio uses; null if it does not run."""
        return json_response({"memory": await self._supervisor.memory()})

    async def _doctor(self, request: web.BaseRequest) -> web.StreamResponse:
        """For `labelstudio-proxy doctor`: what its checks find here."""
        return json_response(await self._diagnostics.checks())

    async def _diagnostics_text(self, request: web.BaseRequest) -> web.StreamResponse:
        text = await self._diagnostics.text()
        return web.Response(
            # A file name that is not valid UTF-8 has lone surrogates, which cannot be encoded.
            body=text.encode(errors="backslashreplace"),
            content_type="text/plain",
            charset="utf-8",
            headers={"Cache-Control": "no-store"},
        )

    async def _activity(self, request: web.BaseRequest) -> web.StreamResponse:
        """For watch.js, which reports activity with a POST: that counts as every change does."""
        snapshot: Mapping[str, Any] = self._supervisor.snapshot.as_json()
        return json_response(
            {
                **{name: snapshot[name] for name in SHOWN_OVER_PAGES},
                "timeout": self._idle_stop.timeout,
                "stop_in": self._idle_stop.stop_in,
            }
        )

    async def _responds(self, request: web.BaseRequest) -> web.StreamResponse:
        """For watch.js: whether Label Studio responds; null if it does not run."""
        endpoint = self._supervisor.snapshot.endpoint
        responds = None
        if endpoint is not None:
            async with open_session(endpoint) as session:
                responds = await is_healthy(session, endpoint, RESPONDS_SECONDS)
            if self._supervisor.snapshot.endpoint is not endpoint:
                responds = None
        return json_response({"responds": responds})

    def _command(
        self, name: str, command: Callable[[], None]
    ) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
        async def run_command(request: web.BaseRequest) -> web.StreamResponse:
            cause = "by a button, a command or Jupyter's API"
            logger.info("Label Studio (%s): %s, %s", self._directory.path, name, cause)
            command()
            return json_response(self._supervisor.snapshot.as_json(), 202)

        return run_command

    async def _events(self, request: web.BaseRequest) -> web.StreamResponse:
        """Send events: `state` at each change, `log` with new lines; see start.js.

        With `?follow=1` until the client leaves. Else until Label Studio is ready or failed, for
        STREAM_SECONDS at most.
        """
        follow = request.query.get("follow") == "1"
        response = await event_stream.begin(request)
        supervisor, log = self._supervisor, self._supervisor.log
        begin = max(0, log.last - LOG_LINES)
        last = request.headers.get("Last-Event-ID", "")
        line = int(last) if last.isdecimal() else begin
        if line > log.last:  # the number is from an earlier gateway
            line = begin
        await response.write(b"retry: 1000\n\n")
        loop = asyncio.get_running_loop()
        end = loop.time() + STREAM_SECONDS
        shown: Snapshot | None = None
        while True:
            news = b""
            if lines := log.since(line):
                line = lines[-1][0]
                news += event("log", lines, line)
            if supervisor.snapshot is not shown:
                shown = supervisor.snapshot
                news += event("state", shown.as_json())
            await response.write(news or event_stream.BEAT)
            settled = shown.state in {State.READY, State.FAILED} and shown.next_start is None
            if not follow and (settled or loop.time() >= end):
                break
            if supervisor.snapshot is shown and log.last == line:
                await supervisor.changed(event_stream.BEAT_SECONDS)
        await response.write_eof()
        return response
