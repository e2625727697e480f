"""Explains why the container ended."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...label_studio.exit_reasons import Explained
from ...problem import Problem
from ..base import NoRestart
from .container_spec import NO_PROGRAM, ORPHAN_WORDS
from .plan import DockerSettings

# The exit status after SIGKILL; and after SIGTERM, while Label Studio serves and before.
KILLED = 137
TERMINATED = ("exit status 0", "exit status 143")

# Printed by our launcher, or by the init programs of Docker and Podman if the image has no shell.
NO_PROGRAM_LINE = rf"{NO_PROGRAM}|exec sh failed|failed to exec pid1"


def describe_exit(state: Mapping[str, Any]) -> str:
    """Return how a container ended, from its state in `docker inspect`."""
    if state.get("OOMKilled"):
        return "out of memory"
    return f"exit status {state.get('ExitCode')}"


def ended_on_purpose(name: str, what: str, why: str) -> Problem:
    """Return the Problem for a container that a user may have stopped on purpose."""
    return NoRestart(f"Label Studio's container {name} {what}.", why, "Try again.")


def explain_container_exit(
    name: str, settings: DockerSettings, how: str, tail: Sequence[str]
) -> Problem | None:
    """Return why it ended, None if that has nothing to do with containers.

    `how`: from `describe_exit`; `tail`: the last lines that it printed.
    """
    limit = settings.memory_limit
    if how == "out of memory":
        return Explained(
            f"Label Studio's container {name} ran out of memory.",
            f"It needed more than its `memory_limit` of {limit}."
            if limit
            else "The machine ran out of memory.",
            "Raise `memory_limit` and restart Jupyter (Label Studio needs at least 500 MB)."
            if limit
            else "Shut down kernels that you do not need, then try again.",
        )
    if how == f"exit status {KILLED}":
        return Explained(
            f"Label Studio's container {name} was killed.",
            "`docker kill` killed it, or the system did, because memory ran out"
            + (f" (`memory_limit` is {limit})." if limit else "."),
            "Try again.",
        )
    if how in TERMINATED and any(ORPHAN_WORDS in line for line in tail):
        return ended_on_purpose(
            name,
            "stopped because no gateway contacted it",
            "Perhaps Jupyter was suspended, and its container was not.",
        )
    if how in TERMINATED:
        return ended_on_purpose(
            name,
            "was stopped",
            "`docker stop` stopped it, or the container engine stopped or restarted.",
        )
    return no_program(settings.image, tail)


def no_program(image: str, printed: Sequence[str]) -> Problem | None:
    """Return the Problem if these lines say that the image has no Label Studio, else None."""
    if not any(re.search(NO_PROGRAM_LINE, line) for line in printed):
        return None
    return Explained(
        f"Label Studio does not start from the image {image}.",
        "The image has no `label-studio` program.",
        "Correct the setting `image` and restart Jupyter.",
    )
