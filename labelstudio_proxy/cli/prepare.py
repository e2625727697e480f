"""Do before the first start what it would have to do, so that users wait less, without a network."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from .._version import LABEL_STUDIO_VERSION
from ..backends.factory import (
    container_planner,
    docker_sdk,
    process_environment,
    runs_as_process,
)
from ..backends.process.byte_code import compile_installation
from ..backends.process.installation import find_installation, is_installed
from ..config.settings import LabelStudioProxy
from ..gateway.assets.prepared import compress_scripts
from ..installation.folder import InstallFolder
from ..problem import Problem
from .install import install_label_studio
from .output import progress_bar


def prepare(settings: LabelStudioProxy) -> str:
    """Prepare what the settings choose; return what is ready now, as a sentence; raises Problem.

    Installs Label Studio where neither one nor a container engine is here.
    """
    if asyncio.run(_must_install(settings)):
        install_label_studio(InstallFolder(settings.install_directory()), LABEL_STUDIO_VERSION)
    return asyncio.run(_until_terminated(settings))


async def _must_install(settings: LabelStudioProxy) -> bool:
    folder = InstallFolder(settings.install_directory())
    if settings.backend == "docker" or is_installed(settings.label_studio, folder):
        return False
    if settings.backend == "process":
        return True
    with docker_sdk():
        from ..backends.docker.engine import connect_engine
    try:
        (await connect_engine()).close()
    except Problem:
        return True
    return False


async def _until_terminated(settings: LabelStudioProxy) -> str:
    task = asyncio.current_task()
    assert task is not None
    # As for Ctrl-C: it stops the download.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await _prepare(settings)


async def _prepare(settings: LabelStudioProxy) -> str:
    """Prepare what is here, the installation or the image.

    What is there already is not made again. Shows a progress bar on a terminal.
    """
    with progress_bar() as show:
        if runs_as_process(settings):
            return await _prepare_installation(settings, show)
        return await _prepare_image(settings, show)


async def _prepare_installation(settings: LabelStudioProxy, show: Callable[..., None]) -> str:
    """Compile Label Studio and compress its scripts, in its environment."""
    environment = process_environment(settings, files_root=None)
    folder = InstallFolder(settings.install_directory())
    found = await find_installation(settings.label_studio, environment, folder, can_install=False)
    name = f"Label Studio {found.version}"
    show(0, 1, f"compiling {name}")
    await compile_installation(found, environment)
    try:
        await asyncio.to_thread(
            compress_scripts,
            found.build,
            lambda done, total: show(done, total, "compressing its scripts"),
        )
    except OSError as error:
        return (
            f"{name} is ready. Its scripts could not be compressed for all users "
            f"({error.strerror}: {error.filename}), so the first start of each user does that."
        )
    return f"{name} is ready, with its byte code and compressed scripts."


async def _prepare_image(settings: LabelStudioProxy, show: Callable[..., None]) -> str:
    """Download the image and compile Label Studio in it, for this user."""
    with docker_sdk():
        from ..backends.docker.engine import connect_engine
        from ..backends.docker.image import get_image
        from ..backends.docker.plan import find_site
        from ..backends.docker.short_run import run, short_plan

    engine = await connect_engine()
    try:
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
