"""What a container engine refuses, and why a container ended, turned into Problems."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from docker.errors import APIError, ImageNotFound

from ...label_studio.exit_reasons import Faults, find_fault
from ...problem import Problem
from .engine import Engine

# The words are those of Docker, Podman, runc and crun; the first that fits is told.
REFUSALS: Faults = (
    (
        r"catatonit|docker-init|container-init",
        "The engine lacks the small program that it runs first in a container.",
        (
            "Install it (on Debian and Ubuntu `sudo apt-get install catatonit` for Podman, "
            "`sudo apt-get install tini` for Docker), then try again."
        ),
    ),
    (
        r"executable file.*not found|no such file or directory.*label-studio",
        "The image has no `label-studio` program.",
        "Correct the setting `image` and restart Jupyter.",
    ),
    (
        r"mounts denied|is not shared",
        "The engine may not give this folder to containers.",
        (
            "Share it in the engine's own settings (Docker Desktop: Resources, File sharing), then try "
            "again."
        ),
    ),
    (
        r"bind source path does not exist|no such file or directory",
        (
            "The container engine does not see a folder that Jupyter sees: it runs on another machine, "
            "or in another container."
        ),
        "Set `data_dir` and `files_root` to folders that both share, and restart Jupyter.",
    ),
    (
        r"(stat|mkdir|lstat|mounting) .*permission denied",
        (
            "The container engine may not look into a folder of this user's, as on a network file "
            "system that trusts no root."
        ),
        (
            "Set `data_dir` and `files_root` to folders on a local disk, or use a rootless engine, and "
            "restart Jupyter."
        ),
    ),
    (
        r"no space left on device",
        "The disk of the container engine is full.",
        "Free some space, for example with `docker system prune`, then try again.",
    ),
    (
        r"network .*not found|unable to find network",
        "There is no such network as `docker_network` names.",
        "`docker network ls` shows those there are; correct `docker_network` and restart Jupyter.",
    ),
    (
        r"memory limit|nanocpus|cpus",
        "The engine cannot keep the limits that are set.",
        "Correct `memory_limit` and `cpu_limit`, and restart Jupyter.",
    ),
    (
        r"name .* is already in use",
        "Another Jupyter of this user was just starting Label Studio on the same data directory.",
        "Use that one, or stop Label Studio there, then try again.",
    ),
)


def refused(failure: str, error: APIError) -> Problem:
    """The Problem for what the engine did not do; `failure`: what did not happen to the container."""
    said = str(error.explanation or error)
    why, remedy = find_fault(REFUSALS, [said]) or (
        "",
        "Try again. If it stays, use Copy diagnostics when asking for help.",
    )
    what = f"Label Studio's container {failure}."
    return Problem(what, f"{why} The container engine said: {said}".strip(), remedy)


async def do(engine: Engine, failure: str, call: Callable[[], Any]) -> Any:
    """What `call` gives; raises Problem, which says `failure` of the container."""
    try:
        return await engine.ask(lambda _: call())
    except ImageNotFound as error:
        raise refused("could not be made, since its image has gone", error) from error
    except APIError as error:
        raise refused(failure, error) from error
