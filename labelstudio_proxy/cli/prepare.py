"""Getting ahead what a first start needs, for whoever builds a machine or hub image."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version
from tqdm import tqdm

from ..backends.base import Report
from ..backends.factory import docker_settings, runs_as_process
from ..backends.process.backend import Installation, find_installation
from ..config.settings import LabelStudioProxy
from ..data_directory import template
from ..label_studio.environment import labelstudio_environment
from ..problem import Problem

if TYPE_CHECKING:
    from ..backends.docker.engine import Engine

MIGRATION_SECONDS = 1800.0  # a minute on an idle machine


async def prepare(settings: LabelStudioProxy) -> list[str]:
    """Pull the image, and make a migrated database for a Label Studio that the package has none for.

    Shows a progress bar on a terminal; says what there is now, a sentence each. Raises Problem.
    """
    if runs_as_process(settings):
        found = await find_installation(settings.label_studio)
        said = [f"Label Studio {found.version} is installed."]
        if _lacks_template(found.version):
            said.append(_kept(await migrated_by_process(found), found.version))
        return said
    from ..backends.docker.backend import pull
    from ..backends.docker.engine import connect_engine
    from ..backends.docker.image import label_studio_version

    engine = await connect_engine()
    try:
        # Nothing is shown where nobody looks: in a build's log, say.
        with tqdm(unit="B", unit_scale=True, file=sys.stderr, disable=None) as bar:
            image = await pull(engine, docker_settings(settings), _shown_in(bar))
        said = [f"The image {settings.image} is here ({image.short_id})."]
        version = label_studio_version(image, settings.image)
        if _lacks_template(version):
            said.append(_kept(await _migrated_by_container(engine, image), version))
        return said
    finally:
        engine.close()


def _shown_in(bar: Any) -> Report:
    def show(
        step: str,
        *,
        detail: str | None = None,
        done: int | None = None,
        total: int | None = None,
    ) -> None:
        if total:
            bar.total, bar.n = total, done or 0
        bar.set_description_str((detail or step).partition(" · ")[0], refresh=True)

    return show


def _lacks_template(label_studio: str) -> bool:
    """Whether a first start of this version would have migrations to apply."""
    try:
        wanted = Version(label_studio)
    except InvalidVersion:
        return False  # nobody would know whom it is for
    found = template.find(label_studio)
    return found is None or found[0] != wanted


def _kept(made: bytes, label_studio: str) -> str:
    try:
        path = template.keep(made, label_studio)
    except OSError as error:
        raise Problem(
            "The migrated database could not be kept.",
            f"{error}.",
            "Run `labelstudio-proxy prepare` as a user who may write to the Python environment.",
        ) from error
    return f"A migrated database for it is at {path}."


async def migrated_by_process(found: Installation) -> bytes:
    """A template, made by an installed Label Studio in about a minute; raises Problem."""
    if found.executable is None:
        raise Problem(
            "No migrated database can be made.",
            "The executable `label-studio` is missing.",
            "Install Label Studio anew: `pip install --force-reinstall label-studio`.",
        )
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        environment = labelstudio_environment(
            {"PATH": os.environ.get("PATH", "")}, data_dir=data, files_root=None, extra={}
        )
        process = await asyncio.create_subprocess_exec(
            *(str(found.executable), "init", "--quiet"),
            env=environment | {"HOME": folder},
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            printed, _ = await process.communicate()
        finally:
            with contextlib.suppress(ProcessLookupError):  # as when it has ended
                process.kill()
            await process.wait()
        if process.returncode:
            raise _unmigrated(printed.decode(errors="replace"))
        return await asyncio.to_thread(template.compress, data / "label_studio.sqlite3")


async def _migrated_by_container(engine: Engine, image: Any) -> bytes:
    """A template, made by an image's Label Studio in about a minute; raises Problem."""
    from ..backends.docker.run_once import RESULTS, run_to_end

    data = Path(RESULTS, "data")
    environment = labelstudio_environment({}, data_dir=data, files_root=None, extra={})
    ended = await run_to_end(
        engine,
        str(image.id),
        ["init", "--quiet"],
        environment | {"HOME": "/tmp"},  # noqa: S108 - the container's own
        result=str(data / "label_studio.sqlite3"),
        seconds=MIGRATION_SECONDS,
    )
    if ended.status or ended.file is None:
        raise _unmigrated(ended.printed)
    return await asyncio.to_thread(_compressed, ended.file)


def _compressed(database: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "label_studio.sqlite3")
        path.write_bytes(database)
        return template.compress(path)


def _unmigrated(printed: str) -> Problem:
    return Problem(
        "Label Studio could not make a database.",
        f"The last that it printed: {printed[-1000:].strip()}",
        "A first start will try it again, and take longer.",
    )
