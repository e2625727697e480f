"""Why the container is no more."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...label_studio.exit_reasons import Explained
from ...problem import Problem
from ..base import NoRestart
from .container_spec import ORPHAN_WORDS
from .plan import DockerSettings

# The exit status after SIGKILL, and after SIGTERM.
KILLED = 137
TERMINATED = 143


def ending(state: Mapping[str, Any]) -> str:
    """How a container has ended, by what the engine tells of its state."""
    if state.get("OOMKilled"):
        return "out of memory"
    return f"exit status {state.get('ExitCode')}"


def gone(name: str, what: str, why: str, remedy: str = "Try again.") -> Problem:
    """The Problem for a container that somebody may have meant to end."""
    return NoRestart(f"Label Studio's container {name} {what}.", why, remedy)


def explain_end(
    name: str, settings: DockerSettings, how: str, tail: Sequence[str]
) -> Problem | None:
    """Why it ended as `ending` says, where a container is the reason; `tail`: its last lines."""
    limit = settings.memory_limit
    if how == "out of memory":
        return Explained(
            f"Label Studio's container {name} was ended for want of memory.",
            f"It needed more than its `memory_limit` of {limit}."
            if limit
            else "The machine ran out of memory.",
            "Raise `memory_limit` and restart Jupyter (Label Studio needs at least 500 MB)."
            if limit
            else "Close kernels that are not needed, then try again.",
        )
    if how == f"exit status {KILLED}":
        return Explained(
            f"Label Studio's container {name} was killed.",
            "From outside, by somebody (`docker kill`) or by the system for want of memory"
            + (f" (`memory_limit` is {limit})." if limit else "."),
            "Try again.",
        )
    if how == f"exit status {TERMINATED}" and any(ORPHAN_WORDS in line for line in tail):
        return gone(
            name,
            "stopped because no gateway contacted it",
            "Perhaps Jupyter was suspended, and its container was not.",
        )
    if how == f"exit status {TERMINATED}":
        return gone(
            name,
            "was stopped",
            "By somebody (`docker stop`), or as the container engine was stopped or restarted.",
        )
    if any(re.search(r"label-studio failed|failed to exec pid1", line) for line in tail):
        return Explained(
            f"Label Studio could not be run from the image {settings.image}.",
            "The image has no `label-studio` program.",
            "Correct the setting `image` and restart Jupyter.",
        )
    return None
