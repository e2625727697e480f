"""Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

# A reader that receives nothing for longer assumes that the gateway hangs.
BEAT_SECONDS = 10.0
BEAT = b": still here\n\n"


async def begin(request: web.BaseRequest) -> web.StreamResponse:
    """Return the response, into which the caller writes events."""
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",  # nginx
        }
    )
    await response.prepare(request)
    return response


def event(name: str, data: Any, number: int | None = None) -> bytes:
    """Return an event. `number`: its id, after which a reader continues when the connection broke."""
    identifier = "" if number is None else f"id: {number}\n"
    return f"event: {name}\n{identifier}data: {json.dumps(data)}\n\n".encode()
