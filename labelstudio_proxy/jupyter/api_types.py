"""The JSON of the server extension's REST API.

`scripts/make-api-types` makes the types of the JupyterLab extension from it.
"""

from __future__ import annotations

from typing import Literal, TypedDict


class ProblemJson(TypedDict):
    """An error for people."""

    what: str
    why: str
    remedy: str


class StateJson(TypedDict):
    """The state of Label Studio."""

    state: Literal["stopped", "preparing", "pulling", "starting", "ready", "stopping", "failed"]
    backend: str
    versions: dict[str, str]
    started_at: float | None
    error: ProblemJson | None
    notices: list[str]
    data_dir: str
    prefix: str
