"""Runs labelstudio_server.py in an image without any data: to ask for its version, and to compile it."""

from __future__ import annotations

import asyncio
import contextlib
import json

from docker.errors import APIError
from docker.models.containers import Container

from ... import private_file
from ...problem import Problem
from . import byte_code
from .container_spec import VOLUME, Plan
from .engine import Engine
from .engine_problems import EngineProblem
from .engine_refusals import request
from .exit_reasons import no_program
from .plan import Planner, Site

SECONDS = 600.0
VERSION = "version"  # a file in the folder for byte code


def short_plan(planner: Planner, image: str, site: Site) -> Plan:
    """Return the plan of a container that serves nothing. It reads from disk."""
    user = planner.container_user(site)
    return Plan(
        image=image,
        user_name="",
        user=user,
        groups=(),
        user_namespace=site.user_namespace,
        binds=(),
        hidden=(),
        environment=planner.environment,
        private={},
        memory=None,
        cpus=None,
        network=None,
        security=site.security,
        publish=False,
        byte_code=byte_code.source(site.jupyter, image, user),
    )


async def ask_version(engine: Engine, plan: Plan, name: str) -> str:
    """Return the version of Label Studio in the image `name`; raises Problem if there is none.

    The folder for byte code keeps it for the next time.
    """
    folder = await asyncio.to_thread(byte_code.folder, plan.image, plan.user)
    kept = folder / VERSION if folder is not None else None
    if kept is not None:
        with contextlib.suppress(OSError):
            return kept.read_text(encoding="utf-8")
    try:
        version = str(json.loads(await run(engine, plan, name, "probe"))["label-studio"])
    except (ValueError, KeyError) as error:
        raise Problem(
            f"The image {name} does not say which version of Label Studio it has.",
            "No package `label-studio` is installed for the Python of its `label-studio` program.",
            "Set `image` to another one and restart Jupyter.",
        ) from error
    if kept is not None:
        with contextlib.suppress(OSError):
            private_file.write(kept, version.encode())
    return version


async def run(engine: Engine, plan: Plan, name: str, command: str) -> str:
    """Run the command in a container of the image `name`; return what it printed; raises Problem."""
    options, files = plan.short_options(command), plan.files({})
    container: Container = await request(
        engine, "could not be made", lambda: engine.client.containers.create(**options)
    )
    try:
        await request(engine, "could not be prepared", lambda: container.put_archive(VOLUME, files))
        await request(engine, "could not be started", container.start)
        status = await engine.ask(lambda _: container.wait(timeout=SECONDS), seconds=SECONDS)
        printed = await engine.ask(lambda _: container.logs(stdout=True, stderr=False))
        errors = await engine.ask(lambda _: container.logs(stdout=False, stderr=True))
    finally:
        with contextlib.suppress(APIError, EngineProblem):
            await engine.ask(lambda _: container.remove(v=True, force=True))
    if status["StatusCode"]:
        lines = (printed + errors).decode(errors="replace").strip().splitlines()
        raise no_program(name, lines) or Problem(
            f"Label Studio does not start from the image {name}.",
            "\n".join(lines[-3:]),
            "Correct the setting `image` and restart Jupyter.",
        )
    return str(printed.decode(errors="replace"))
