"""Label Studio's program run once, to its end, in a container that gets nothing of this machine's."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from docker.errors import APIError
from docker.models.containers import Container
from docker.types import LogConfig, Mount

from ..._version import __version__
from ...problem import Problem
from .container_files import file_in
from .container_spec import LOG_BYTES, PROCESSES
from .engine import Engine

LABEL = "labelstudio-proxy.once"  # by which it is known to be ours, should it be left behind
RESULTS = "/results"  # a volume that lives as long as the container: the rest cannot be written
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Ended:
    """What there is afterwards."""

    status: int
    printed: str
    file: bytes | None


async def run_to_end(
    engine: Engine,
    image: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    result: str,
    seconds: float,
) -> Ended:
    """Run `label-studio` with the `command`; gives also the file `result`, a path below RESULTS.

    Raises Problem, as when it has not ended after so many `seconds`. Nothing is left behind.
    """
    # Known beforehand: a request to make it that is cancelled may make it nevertheless.
    name = f"labelstudio-proxy-once-{secrets.token_hex(6)}"
    options = {
        "image": image,
        "command": list(command),
        "entrypoint": ["label-studio"],
        "name": name,
        "labels": {LABEL: __version__},
        "environment": dict(environment),
        "user": "0:0",  # without capabilities it may do nothing but own the volume
        "working_dir": "/tmp",  # noqa: S108 - the container's own
        "init": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "read_only": True,
        "tmpfs": {"/tmp": "mode=1777"},  # noqa: S108
        "pids_limit": PROCESSES,
        "mounts": [Mount(RESULTS, None, type="volume")],
        "network_mode": "none",
        "log_config": LogConfig(type=LogConfig.types.JSON, config={"max-size": LOG_BYTES}),
    }
    try:
        container: Container = await engine.ask(lambda client: client.containers.create(**options))
        await engine.ask(lambda _: container.start())
        status = await _end_of(engine, container, seconds)
        printed: bytes = await engine.ask(lambda _: container.logs())
        file = await engine.ask(lambda _: file_in(container, result))
        return Ended(status, printed.decode(errors="replace"), file)
    except APIError as error:
        raise Problem(
            "Label Studio could not be run once from its image.",
            f"The container engine said: {error.explanation or error}",
            "Try again; if it stays, check that the image has a program `label-studio`.",
        ) from error
    except asyncio.TimeoutError:
        raise Problem(
            f"Label Studio did not end within {seconds:g} seconds.",
            "The machine may be slow or busy.",
            "Try again when it has less to do.",
        ) from None
    finally:
        await _remove(engine, name)


async def _end_of(engine: Engine, container: Container, seconds: float) -> int:
    """The exit status, when it has ended; raises asyncio.TimeoutError."""
    deadline = time.monotonic() + seconds
    while container.status in {"created", "running"}:
        if time.monotonic() > deadline:
            raise asyncio.TimeoutError
        await asyncio.sleep(POLL_SECONDS)
        await engine.ask(lambda _: container.reload())
    return int(container.attrs["State"]["ExitCode"])


async def _remove(engine: Engine, name: str) -> None:
    def remove(client: Any) -> None:
        with contextlib.suppress(APIError):  # there is none, or it is being removed
            client.api.remove_container(name, v=True, force=True)

    with contextlib.suppress(Problem):  # an engine that has gone, which has been told
        await engine.ask(remove)
