"""Records which container uses a data directory, so that it can be removed after a crash.

After its gateway was killed, the same backend adopts or replaces the container. A local process, a
container of another engine, or a restore finds it by this record in the data directory.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from pathlib import Path
from typing import Any

from ... import private_file
from ...data_directory.directory import DataDirectory
from ...data_directory.foreign_containers import USER_LABEL
from ...problem import Problem

logger = logging.getLogger(__name__)

RECORD = "container.json"


def write_record(directory: DataDirectory, engine: str, name: str, labels: dict[str, str]) -> None:
    """Record the container before it is made; `engine`: the address of the engine."""
    record: dict[str, object] = {"engine": engine, "name": name, "labels": labels}
    try:
        # Differs in a copy of the data directory, which has no container.
        record["directory"] = directory.path.stat().st_ino
        private_file.write(_path(directory), json.dumps(record).encode())
    except OSError as error:
        logger.warning(
            "Could not record that container %s uses %s: %s", name, directory.path, error
        )


def clear_record(directory: DataDirectory) -> None:
    """Record that no container uses the data directory, and remove its socket."""
    for path in (_path(directory), directory.socket):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


async def remove_recorded(directory: DataDirectory, *, keep_engine: str = "") -> str:
    """Remove the recorded container, unless it is in the engine at `keep_engine`.

    Return a sentence for people if there was a container, or may still be one; never raises.
    """
    try:
        record, inode = await asyncio.to_thread(_read_record, directory)
        url, name, labels = str(record["engine"]), str(record["name"]), dict(record["labels"])
        if record["directory"] != inode or url == keep_engine:
            return ""
    except (OSError, ValueError, TypeError, KeyError):
        return ""
    try:
        removed = await _remove(url, name, labels)
    except (Problem, ImportError) as error:
        return (
            f"The container {name} of an earlier gateway may still use this data directory: "
            f"{error} Remove it with `docker rm --force {name}`."
        )
    await asyncio.to_thread(clear_record, directory)
    return f"The container {name} of an earlier gateway was removed." if removed else ""


def _read_record(directory: DataDirectory) -> tuple[Any, int]:
    """Return the record, and the inode of the directory; raises OSError and ValueError."""
    return json.loads(_path(directory).read_text(encoding="utf-8")), directory.path.stat().st_ino


async def _remove(url: str, name: str, labels: dict[str, str]) -> bool:
    """Return True if there was such a container; raises Problem."""
    from docker.errors import APIError, NotFound  # here: the import is slow and takes memory

    from .container import remove
    from .container_spec import DATA_LABEL, UID_LABEL
    from .engine import connect_engine_at
    from .engine_refusals import refusal

    engine = await connect_engine_at(url)
    try:
        found = await engine.ask(lambda client: client.containers.get(name))
        # The record may be forged: remove only a container that has labels of ours.
        ours = labels.keys() == {USER_LABEL, UID_LABEL, DATA_LABEL}
        if not ours or {label: found.labels.get(label) for label in labels} != labels:
            return False
        await remove(engine, found)
    except NotFound:
        return False
    except APIError as error:
        raise refusal("could not be looked for", error) from error
    finally:
        engine.close()
    return True


def _path(directory: DataDirectory) -> Path:
    return directory.proxy_folder / RECORD
