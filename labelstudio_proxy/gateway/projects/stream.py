"""Responses of long requests: a line of JSON for each progress, and one for the result or error."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from ... import api_types
from ...aio import cancel_and_wait
from ...problem import Problem, unexpected
from .failures import explained

logger = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
MEDIA_TYPE = "application/x-ndjson"

# Gets how much is done, of how much (0: not known), and of what.
Report = Callable[[int, int, str], None]


async def stream(
    request: web.BaseRequest, work: Callable[[Report], Awaitable[Mapping[str, Any]]]
) -> web.StreamResponse:
    """Run `work` and send its progress, then what it returns, or the Problem that it raises.

    Cancels it if the client leaves.
    """
    response = await begin(request)
    latest: tuple[int, int, str] = (0, 0, "")
    news = asyncio.Event()

    def report(done: int, total: int, what: str) -> None:
        nonlocal latest
        latest = done, total, what
        news.set()

    running = asyncio.ensure_future(work(report))
    try:
        while not running.done():
            waiting = asyncio.ensure_future(news.wait())
            try:
                await asyncio.wait(
                    [running, waiting], timeout=BEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                await cancel_and_wait(waiting)
            news.clear()
            done, total, what = latest
            line: api_types.ProgressLine = {
                "progress": {"done": done, "total": total, "what": what}
            }
            await send_line(response, line)
        await send_line(response, await outcome(running))
    finally:
        await cancel_and_wait(running)
    with contextlib.suppress(ConnectionError):
        await response.write_eof()
    return response


async def outcome(work: Awaitable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return what `work` returns, or its Problem as `{"error": …}`."""
    try:
        return await work
    except Problem as problem:
        return failed(problem)
    except ConnectionError:  # the client left
        raise
    except Exception as error:
        if (known := explained(error)) is not None:
            return failed(known)
        logger.exception("A request for projects failed")
        return failed(unexpected("This could not be done.", error))


def failed(problem: Problem) -> api_types.Failed:
    """Return the JSON that says why a request failed."""
    return {"error": problem.as_json()}


async def begin(request: web.BaseRequest) -> web.StreamResponse:
    """Return the response, whose lines the caller sends."""
    response = web.StreamResponse(
        headers={"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    return response


async def send_line(response: web.StreamResponse, message: Mapping[str, Any]) -> None:
    """Send one message; raises ConnectionError if the client left."""
    await response.write(json.dumps(message).encode() + b"\n")
