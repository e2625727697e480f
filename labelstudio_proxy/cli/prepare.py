"""Download and compile the image before the first start."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..backends.base import Report
from ..backends.factory import (
    container_planner,
    docker_sdk,
    docker_settings,
    process_environment,
    runs_as_process,
)
from ..backends.process.installation import find_installation
from ..config.settings import LabelStudioProxy
from .output import progress_bar


async def prepare(settings: LabelStudioProxy) -> str:
    """Pull the image, with a progress bar on a terminal; return what is here now, as a sentence.

    Where Label Studio runs as a process, only check its installation. Raises Problem.
    """
    if runs_as_process(settings):
        environment = process_environment(settings, files_root=None)
        found = await find_installation(settings.label_studio, environment)
        return f"Label Studio {found.version} is installed."
    with docker_sdk():
        from ..backends.docker.backend import get_configured_image
        from ..backends.docker.engine import connect_engine
        from ..backends.docker.plan import find_site
        from ..backends.docker.short_run import run, short_plan

    engine = await connect_engine()
    try:
        with progress_bar() as show:
            image = await get_configured_image(engine, docker_settings(settings), _report(show))
            show(1, 1, "compiling Label Studio")
            site = await find_site(engine)
            planner = container_planner(settings, files=None)
            plan = await asyncio.to_thread(short_plan, planner, str(image.id), site)
            await run(engine, plan, settings.image, "compile")
        return f"The image {settings.image} is here ({image.short_id}), with its byte code."
    finally:
        engine.close()


def _report(show: Callable[..., None]) -> Report:
    def report(
        step: str,
        *,
        detail: str | None = None,
        done: int | None = None,
        total: int | None = None,
    ) -> None:
        show(done or 0, total or 0, detail or step)

    return report
