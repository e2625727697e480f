"""What is known of Label Studio at one moment, for pages and programs."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from typing import Any

from ._version import __version__
from .label_studio.build import Build
from .label_studio.upstream import Endpoint
from .problem import Problem

# The id of the step that downloads an image.
PULL = "pull"


class State(str, Enum):
    """Where Label Studio is in its life."""

    STOPPED = "stopped"
    PREPARING = "preparing"
    PULLING = "pulling"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    FAILED = "failed"


@dataclass(frozen=True)
class Step:
    """One step of a start, for the start page."""

    id: str
    title: str
    state: str = "next"  # next, current, done, failed
    detail: str = ""
    began: float | None = None  # Unix time, seconds
    seconds: float | None = None


@dataclass(frozen=True)
class Snapshot:
    """What is known at one moment. Never changed: a change makes a new one."""

    state: State = State.STOPPED
    steps: tuple[Step, ...] = ()
    progress: tuple[int, int] | None = None  # done, total of the current step
    versions: dict[str, str] = field(default_factory=lambda: {"labelstudio-proxy": __version__})
    backend: str = ""
    started_at: float | None = None  # Unix time, seconds
    ready_after: float | None = None  # seconds
    restarts: int = 0
    # how many of them somebody asked for, and how many because Label Studio had ended
    restart_reasons: dict[str, int] = field(default_factory=dict)
    error: Problem | None = None
    stopped_because: str = ""  # a sentence, where nobody has asked for the stop
    next_start: float | None = None  # of a failed one that is started again; Unix time, seconds
    endpoint: Endpoint | None = None
    notices: tuple[str, ...] = ()  # what people should know, while all works
    build: Build = field(default_factory=Build)

    @property
    def underway(self) -> bool:
        """Whether a start is going on."""
        return self.state in {State.PREPARING, State.PULLING, State.STARTING}

    def at_step(
        self, step: str, *, detail: str | None, done: int | None, total: int | None
    ) -> Snapshot:
        """With this step under way, and every one before it done; see `backends.base.Report`."""
        now = time.time()
        ids = [each.id for each in self.steps]
        if step not in ids:
            return self
        position = ids.index(step)
        steps = [
            as_ended(each, "done", now) if index < position else each
            for index, each in enumerate(self.steps)
        ]
        current = steps[position]
        steps[position] = replace(
            current,
            state="current",
            began=current.began or now,
            detail=current.detail if detail is None else detail,
        )
        progress = (done, total) if done is not None and total else None
        state = self.state
        if state in {State.PREPARING, State.PULLING}:
            state = State.PULLING if step == PULL else State.PREPARING
        return replace(self, state=state, steps=tuple(steps), progress=progress)

    def ready(self, endpoint: Endpoint) -> Snapshot:
        """With Label Studio answering at `endpoint`."""
        now = time.time()
        return replace(
            self,
            state=State.READY,
            steps=tuple(as_ended(step, "done", now) for step in self.steps),
            progress=None,
            ready_after=now - (self.started_at or now),
            endpoint=endpoint,
        )

    def failed(self, error: Problem, next_start: float | None = None) -> Snapshot:
        """With an `error`; `next_start`: when it is started again by itself."""
        now = time.time()
        return replace(
            self,
            state=State.FAILED,
            steps=tuple(
                as_ended(step, "failed", now) if step.state == "current" else step
                for step in self.steps
            ),
            progress=None,
            error=error,
            endpoint=None,
            next_start=next_start,
        )

    def as_json(self) -> dict[str, Any]:
        """For the start page and for programs; where Label Studio listens is left out."""
        now = time.time()
        return {
            "state": self.state.value,
            "steps": [_step_json(step, now) for step in self.steps],
            "progress": self.progress and {"done": self.progress[0], "total": self.progress[1]},
            "versions": self.versions,
            "backend": self.backend,
            "started_at": self.started_at,
            "now": now,
            "ready_after": self.ready_after,
            "restarts": self.restarts,
            "restart_reasons": self.restart_reasons,
            "stopped_because": self.stopped_because,
            "error": self.error and self.error.as_json(),
            "holder": None,
            **(self.error.details_as_json() if self.error else {}),
            "next_start": self.next_start,
            "notices": list(self.notices),
        }


def _step_json(step: Step, now: float) -> dict[str, Any]:
    fields = asdict(step)
    began = fields.pop("began")
    if step.state == "current" and began is not None:
        fields["seconds"] = now - began
    return fields


def as_ended(step: Step, state: str, now: float) -> Step:
    """The step as `state` (done or failed); a step that was never begun took no time."""
    if step.state in {"done", "failed"}:
        return step
    return replace(step, state=state, seconds=0.0 if step.began is None else now - step.began)
