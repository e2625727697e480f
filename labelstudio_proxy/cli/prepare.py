"""Download and compile the image before the first start."""

from __future__ import annotations

import asyncio

from ..backends.factory import (
    container_planner,
    docker_sdk,
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
        from ..backends.docker.engine import connect_engine
        from ..backends.docker.image import get_image
        from ..backends.docker.plan import find_site
        from ..backends.docker.short_run import run, short_plan

    engine = await connect_engine()
    try:
        with progress_bar() as show:
            image = await get_image(
                engine,
                settings.image,
                settings.pull_policy,
                lambda text, done, total: show(done, total, text),
            )
            show(1, 1, "compiling Label Studio")
            site = await find_site(engine)
            planner = container_planner(settings, files=None)
            plan = await asyncio.to_thread(short_plan, planner, str(image.id), site)
            await run(engine, plan, settings.image, "compile")
        return f"The image {settings.image} is here ({image.short_id}), with its byte code."
    finally:
        engine.close()
