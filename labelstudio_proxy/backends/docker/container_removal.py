"""Ending a container for good."""

from __future__ import annotations

import contextlib

from docker.errors import APIError, NotFound
from docker.models.containers import Container

from ...problem import Problem
from .engine import Engine
from .engine_refusals import do

STOP_SECONDS = 10  # Label Studio's server ends at once; the engine sends SIGKILL then


async def remove(engine: Engine, container: Container) -> None:
    """Stop and remove it, as it may be; raises Problem."""

    def remove() -> None:
        with contextlib.suppress(NotFound):
            container.reload()
            if container.status == "paused":
                container.unpause()
            if container.status != "exited":
                container.stop(timeout=STOP_SECONDS)
            container.remove(v=True, force=True)

    try:
        await do(engine, "could not be removed", remove)
    except Problem:
        if not await _is_being_removed(engine, container):
            raise


async def _is_being_removed(engine: Engine, container: Container) -> bool:
    """Whether somebody else is at it, or was."""
    try:
        await engine.ask(lambda _: container.reload())
    except NotFound:
        return True
    except APIError:
        return False
    return str(container.status) == "removing"
