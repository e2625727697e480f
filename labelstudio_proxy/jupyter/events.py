"""Server-sent events about Label Studio, while a front end listens. They start nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from jupyter_server.auth.decorator import authorized
from tornado import web
from tornado.iostream import StreamClosedError
from yarl import URL

from .. import api_types
from ..gateway_client import RunningGateway
from ..label_studio.upstream import HOST, Endpoint, open_session, url_of
from ..request_kind import CONTROL
from ..snapshot import Snapshot, State
from .api import LabelStudioHandler

# The pause between two checks for a gateway. A check reads a variable of this process.
LOOK_SECONDS = 0.5
# The pause between two signs of life while there is no gateway.
BEAT_SECONDS = 10.0
BEAT = b": still here\n\n"
# A gateway that sends nothing for so long hangs: its signs of life come more often.
SILENT_SECONDS = 30.0
STATE, LOG = "state", "log"


class EventsHandler(LabelStudioHandler):
    """Sends `state` and `projects` now and at each change, and `log` with new lines."""

    _following: asyncio.Task[None] | None = None
    _state = ""  # the last one that the client received
    _sent = 0.0  # when the client last received something, by the monotonic clock

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Send events until the client leaves. They continue after a restart of the gateway."""
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Accel-Buffering", "no")  # nginx
        last = self.request.headers.get("Last-Event-ID", "")
        self._writing = asyncio.Lock()
        self._following = asyncio.ensure_future(self._follow(last if last.isdecimal() else ""))
        await asyncio.wait([self._following])
        if self._following.cancelled():
            return
        error = self._following.exception()
        if error is not None and not isinstance(error, StreamClosedError):
            raise error

    def on_connection_close(self) -> None:
        """Called when the client leaves."""
        super().on_connection_close()
        if self._following is not None:
            self._following.cancel()

    async def _follow(self, last: str) -> None:
        """Send events. `last`: the number of the last line of the log that the client received."""
        self._last_line = last
        await self._send(b"retry: 1000\n\n")
        pid = 0
        while True:
            gateway = self.server.gateway()
            if gateway is not None:
                if pid not in {0, gateway.pid}:
                    self._last_line = ""  # a new gateway numbers its lines from 1
                pid = gateway.pid
            if gateway is None or await self._pass(gateway):
                if self._state != State.STOPPED.value:
                    await self._send(self._event(Snapshot().as_json()))
                elif time.monotonic() - self._sent > BEAT_SECONDS:
                    await self._send(BEAT)
            await asyncio.sleep(LOOK_SECONDS)

    async def _pass(self, gateway: RunningGateway) -> bool:
        """Send the gateway's events until they break off; return True if no gateway listens."""
        endpoint = Endpoint(unix_socket=Path(gateway.unix_socket))
        async with open_session(endpoint) as session:
            streams = [
                asyncio.ensure_future(self._pass_stream(session, url_of(endpoint, CONTROL + path)))
                for path in ("events?follow=1", "projects/events")
            ]
            try:
                await asyncio.wait(streams, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for stream in streams:
                    stream.cancel()
                ends = await asyncio.gather(*streams, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception) and not isinstance(end, aiohttp.ClientError):
                raise end
        return any(isinstance(end, aiohttp.ClientConnectorError) for end in ends)

    async def _pass_stream(self, session: aiohttp.ClientSession, url: str) -> None:
        """Send the events of a stream until it ends; raises ClientError if it breaks off."""
        async with session.get(
            URL(url, encoded=True),
            headers={"Host": HOST, "Last-Event-ID": self._last_line},
            timeout=aiohttp.ClientTimeout(total=None, sock_read=SILENT_SECONDS),
        ) as response:
            response.raise_for_status()
            async for block in _blocks(response.content):
                await self._send(self._complete(block))

    def _complete(self, block: bytes) -> bytes:
        """Return an event of the gateway for the client: a state gets the fields of `instance`."""
        fields = dict(line.split(b": ", 1) for line in block.splitlines() if b": " in line)
        if fields.get(b"event") == LOG.encode():
            self._last_line = fields[b"id"].decode()
        if fields.get(b"event") != STATE.encode():
            return block
        return self._event(json.loads(fields[b"data"]))

    def _event(self, snapshot: api_types.Snapshot) -> bytes:
        state: api_types.State = {**snapshot, **self.instance}
        self._state = state["state"]
        return f"event: {STATE}\ndata: {json.dumps(state)}\n\n".encode()

    async def _send(self, block: bytes) -> None:
        async with self._writing:  # of two concurrent writes, Tornado loses one
            self.write(block)
            await self.flush()
        self._sent = time.monotonic()


async def _blocks(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yield each event, with the empty line at its end."""
    rest = b""
    async for chunk in content.iter_any():
        *blocks, rest = (rest + chunk).split(b"\n\n")
        for block in blocks:
            yield block + b"\n\n"
