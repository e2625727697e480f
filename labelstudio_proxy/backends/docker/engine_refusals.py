"""Explains what a container engine refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from docker.errors import APIError, ImageNotFound

from ...label_studio.exit_reasons import Faults, find_fault
from ...problem import Problem
from .engine import Engine

# In the words of Docker, Podman, runc and crun. The first match counts.
REFUSALS: Faults = (
    (
        r"catatonit|docker-init|container-init",
        "The engine lacks the init program that it runs first in a container.",
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
        "The engine is not allowed to share this folder with containers.",
        (
            "Share it in the engine's settings (Docker Desktop: Resources, File sharing), then try "
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
            "The container engine cannot read a folder of this user, for example on a network file "
            "system that refuses root."
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
        "The network that `docker_network` names does not exist.",
        "List networks with `docker network ls`; correct `docker_network` and restart Jupyter.",
    ),
    (
        r"memory limit|nanocpus|cpus",
        "The engine cannot apply the limits in the settings.",
        "Correct `memory_limit` and `cpu_limit`, and restart Jupyter.",
    ),
    (
        r"name .* is already in use",
        "Another Jupyter of this user is starting Label Studio on the same data directory.",
        "Use that one, or stop Label Studio there, then try again.",
    ),
)


def refusal(failure: str, error: APIError) -> Problem:
    """Return the Problem for a refused request; `failure`: what did not happen to the container."""
    message = str(error.explanation or error)
    why, remedy = find_fault(REFUSALS, [message]) or (
        "",
        "Try again. If it happens again, use Copy diagnostics and ask for help.",
    )
    what = f"Label Studio's container {failure}."
    return Problem(what, f"{why} The container engine said: {message}".strip(), remedy)


async def request(engine: Engine, failure: str, call: Callable[[], Any]) -> Any:
    """Return what `call` returns, in a thread; raises Problem, which names the `failure`."""
    try:
        return await engine.ask(lambda _: call())
    except ImageNotFound as error:
        raise refusal("could not be made, because its image was removed", error) from error
    except APIError as error:
        raise refusal(failure, error) from error
