"""The state of Label Studio at one moment, for pages and programs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from enum import Enum

from . import api_types
from ._version import __version__
from .label_studio.build import Build
from .label_studio.upstream import Endpoint
from .problem import Problem

# The id of the step that downloads an image.
PULL = "pull"


# How the ids of the steps begin that install Label Studio.
INSTALL = "install-"


class State(str, Enum):
    """The states that Label Studio goes through."""

    STOPPED = "stopped"
    PREPARING = "preparing"
    PULLING = "pulling"
    INSTALLING = "installing"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    FAILED = "failed"


_BEFORE_LAUNCH = frozenset({State.PREPARING, State.PULLING, State.INSTALLING})
CANCEL: api_types.Action = {"command": "stop", "label": "Cancel"}


@dataclass(frozen=True)
class Step:
    """One step of a start, for the start page."""

    id: str
    title: str
    state: api_types.StepState = "next"
    detail: str = ""
    began: float | None = None  # Unix time, seconds
    seconds: float | None = None


@dataclass(frozen=True)
class Snapshot:
    """The state at one moment. Its methods return the snapshot after a transition."""

    state: State = State.STOPPED
    since: float | None = None  # when it came into this state; Unix time, seconds
    steps: tuple[Step, ...] = ()
    progress: tuple[int, int] | None = None  # done, total of the current step
    versions: dict[str, str] = field(default_factory=lambda: {"labelstudio-proxy": __version__})
    backend: str = ""
    started_at: float | None = None  # Unix time, seconds
    ready_after: float | None = None  # seconds
    restarts: int = 0
    # how many of them users asked for ("asked"), and how many followed a crash ("ended")
    restart_reasons: dict[str, int] = field(default_factory=dict)
    error: Problem | None = None
    stopped_because: str = ""  # a sentence, if no user asked for the stop
    next_start: float | None = None  # after a crash, if it restarts; Unix time, seconds
    endpoint: Endpoint | None = None
    notices: tuple[str, ...] = ()  # for users; they do not stop the start
    file_problems: tuple[str, ...] = ()  # of files with labels that are not up to date; as notices
    build: Build = field(default_factory=Build)

    @property
    def underway(self) -> bool:
        """True during a start."""
        return self.state in {*_BEFORE_LAUNCH, State.STARTING}

    def preparing(self, backend: str = "", steps: tuple[Step, ...] = ()) -> Snapshot:
        """A start begins, or the start that began gets its `backend` and `steps`."""
        began = self.started_at if self.state is State.PREPARING else None
        return replace(
            self,
            state=State.PREPARING,
            steps=steps,
            progress=None,
            backend=backend or self.backend,
            started_at=began or time.time(),
            ready_after=None,
            error=None,
            stopped_because="",
            next_start=None,
            notices=(),
        )

    def at_step(
        self, step: str, *, detail: str | None, done: int | None, total: int | None
    ) -> Snapshot:
        """This step is current, and those before it are done; see `backends.base.Report`."""
        now = time.time()
        ids = [each.id for each in self.steps]
        if step not in ids:
            return self
        position = ids.index(step)
        steps = [
            _ended(each, "done", now) if index < position else each
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
        if state in _BEFORE_LAUNCH:
            installing = State.INSTALLING if step.startswith(INSTALL) else State.PREPARING
            state = State.PULLING if step == PULL else installing
        return replace(self, state=state, steps=tuple(steps), progress=progress)

    def ready(self, endpoint: Endpoint) -> Snapshot:
        """Label Studio responds at `endpoint`."""
        now = time.time()
        return replace(
            self,
            state=State.READY,
            steps=tuple(_ended(step, "done", now) for step in self.steps),
            progress=None,
            ready_after=now - (self.started_at or now),
            endpoint=endpoint,
        )

    def failed(self, error: Problem, next_start: float | None = None) -> Snapshot:
        """It failed with `error`; `next_start`: when it restarts, None if it does not."""
        now = time.time()
        return replace(
            self,
            state=State.FAILED,
            steps=tuple(
                _ended(step, "failed", now) if step.state == "current" else step
                for step in self.steps
            ),
            progress=None,
            error=error,
            endpoint=None,
            next_start=next_start,
        )

    def stopping(self) -> Snapshot:
        """Label Studio no longer accepts requests."""
        return replace(self, state=State.STOPPING, endpoint=None)

    def stopped(self, error: Problem | None = None) -> Snapshot:
        """Nothing of Label Studio runs; `error`: why a start failed that no user waited for."""
        return replace(
            self,
            state=State.STOPPED,
            steps=(),
            progress=None,
            started_at=None,
            error=error,
            next_start=None,
        )

    def as_json(self) -> api_types.Snapshot:
        """Return the JSON for pages and programs. It does not say where Label Studio listens."""
        now = time.time()
        details: api_types.Details = self.error.details_as_json() if self.error else {}
        return {
            "state": self.state.value,
            "since": self.since,
            "steps": [_step_json(step, now) for step in self.steps],
            "progress": {"done": self.progress[0], "total": self.progress[1]}
            if self.progress
            else None,
            "versions": self.versions,
            "backend": self.backend,
            "started_at": self.started_at,
            "now": now,
            "ready_after": self.ready_after,
            "restarts": self.restarts,
            "restart_reasons": self.restart_reasons,
            "stopped_because": self.stopped_because,
            "error": self.error.as_json() if self.error else None,
            "holder": details.get("holder"),
            "offer": details.get("offer"),
            "installed": details.get("installed", True),
            "actions": [CANCEL] if self.state is State.INSTALLING else details.get("actions", []),
            "next_start": self.next_start,
            "notices": [*self.notices, *self.file_problems],
        }


def _step_json(step: Step, now: float) -> api_types.Step:
    began = step.began if step.state == "current" else None
    return {
        "id": step.id,
        "title": step.title,
        "state": step.state,
        "detail": step.detail,
        "seconds": step.seconds if began is None else now - began,
    }


def _ended(step: Step, state: api_types.StepState, now: float) -> Step:
    """Return the step as `state` (done or failed). A step that never began took no time."""
    if step.state in {"done", "failed"}:
        return step
    return replace(step, state=state, seconds=0.0 if step.began is None else now - step.began)
