"""A container that a killed gateway has left behind, for whoever uses the data in another way.

The backend that made it adopts or replaces it. A local process, a container of another engine's, or
a restore knows of it by a note in the data directory, which stands there as long as there is one.
"""

from __future__ import annotations

import contextlib
import json
import logging
from pathlib import Path

from ... import private_file
from ...data_directory.directory import DataDirectory
from ...problem import Problem

logger = logging.getLogger(__name__)

NOTE = "container.json"


def note(directory: DataDirectory, engine: str, name: str, labels: dict[str, str]) -> None:
    """Note that there is, or may be, such a container of the engine at this address."""
    told: dict[str, object] = {"engine": engine, "name": name, "labels": labels}
    try:
        # The folder's number tells a copy of the directory, which has no container, from it.
        told["directory"] = directory.path.stat().st_ino
        private_file.write(_path(directory), json.dumps(told).encode())
    except OSError as error:
        logger.warning("It cannot be noted that %s uses %s: %s", name, directory.path, error)


def forget(directory: DataDirectory) -> None:
    """Note that there is no container."""
    with contextlib.suppress(OSError):
        _path(directory).unlink(missing_ok=True)


async def end_container(directory: DataDirectory, *, but_of: str = "") -> str:
    """Stop and remove what the note tells of; gives a sentence if there was something, or may be.

    `but_of`: the address of an engine whose container is to stay.
    """
    try:
        told = json.loads(_path(directory).read_text(encoding="utf-8"))
        url, name, labels = str(told["engine"]), str(told["name"]), dict(told["labels"])
        if told["directory"] != directory.path.stat().st_ino or url == but_of:
            return ""
    except (OSError, ValueError, TypeError, KeyError):
        return ""
    try:
        ended = await _end(url, name, labels)
    except Problem as problem:
        return (
            f"The container {name}, which a gateway before has left behind, may still use the same "
            f"data: {problem.what} `docker rm --force {name}` ends it."
        )
    forget(directory)
    return f"The container {name}, which a gateway before had left behind, is ended." * ended


async def _end(url: str, name: str, labels: dict[str, str]) -> bool:
    """Whether there was one; raises Problem."""
    from docker.errors import APIError, NotFound  # here: it takes long to import, and memory

    from .container import remove
    from .container_spec import DATA_LABEL, UID_LABEL, USER_LABEL
    from .engine import connect_engine_at
    from .engine_refusals import refused

    engine = await connect_engine_at(url)
    try:
        found = await engine.ask(lambda client: client.containers.get(name))
        # Of a container of ours alone, whatever stands in the note.
        ours = labels.keys() == {USER_LABEL, UID_LABEL, DATA_LABEL}
        if not ours or {label: found.labels.get(label) for label in labels} != labels:
            return False
        await remove(engine, found)
    except NotFound:
        return False
    except APIError as error:
        raise refused("could not be looked for", error) from error
    finally:
        engine.close()
    return True


def _path(directory: DataDirectory) -> Path:
    return directory.ours / NOTE
