"""Waiting for the first answer of a Label Studio that has been started."""

from __future__ import annotations

import asyncio
import time

from ..problem import Problem
from .upstream import Endpoint, healthy, open_session

POLL_SECONDS = 0.05


async def first_answer(endpoint: Endpoint, ended: asyncio.Task[str], seconds: float) -> None:
    """Come back when it answers, or has ended; raises Problem after so many `seconds`."""
    deadline = time.monotonic() + seconds
    async with open_session(endpoint) as session:
        while not ended.done() and not await healthy(session, endpoint):
            if time.monotonic() > deadline:
                raise Problem(
                    f"Label Studio did not answer within {seconds:g} seconds.",
                    "The machine may be slow or busy, or Label Studio waits for something, such as "
                    "a database that cannot be reached.",
                    "Try again; if it takes that long on this machine, raise `start_timeout`.",
                )
            await asyncio.wait([ended], timeout=POLL_SECONDS)
