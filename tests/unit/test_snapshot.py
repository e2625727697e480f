"""The transitions of the state machine."""

from __future__ import annotations

from pathlib import Path

from labelstudio_proxy.label_studio.upstream import Endpoint
from labelstudio_proxy.problem import Problem
from labelstudio_proxy.snapshot import PULL, Snapshot, State, Step

STEPS = (Step("data", "Open"), Step(PULL, "Download"), Step("load", "Load"))
ENDPOINT = Endpoint(unix_socket=Path("/s"))
PROBLEM = Problem("What.", "Why.", "Remedy.")


def preparing() -> Snapshot:
    return Snapshot().preparing("process", STEPS)


def at(snapshot: Snapshot, step: str) -> Snapshot:
    return snapshot.at_step(step, detail=None, done=None, total=None)


def test_start_keeps_the_time_of_its_request() -> None:
    requested = Snapshot().preparing()
    assert requested.preparing("process", STEPS).started_at == requested.started_at


def test_next_start_has_a_new_time_and_no_trace_of_the_last_one() -> None:
    crashed = preparing().ready(ENDPOINT).failed(PROBLEM, next_start=1.0)
    again = crashed.preparing("process", STEPS)
    assert again.started_at is not None
    assert crashed.started_at is not None
    assert again.started_at > crashed.started_at
    assert (again.error, again.next_start, again.ready_after, again.notices) == (
        *(None, None, None),
        (),
    )


def test_steps_before_the_current_one_are_done() -> None:
    steps = at(preparing(), "load").steps
    assert [step.state for step in steps] == ["done", "done", "current"]


def test_download_has_its_own_state() -> None:
    pulling = at(preparing(), PULL)
    assert pulling.state is State.PULLING
    assert at(pulling, "load").state is State.PREPARING


def test_failure_marks_the_current_step() -> None:
    failed = at(preparing(), "load").failed(PROBLEM)
    assert [step.state for step in failed.steps] == ["done", "done", "failed"]
    assert failed.endpoint is None


def test_nothing_of_a_run_is_left_when_it_stops() -> None:
    stopping = preparing().ready(ENDPOINT).stopping()
    assert stopping.endpoint is None
    stopped = stopping.stopped()
    assert (stopped.state, stopped.steps, stopped.started_at) == (State.STOPPED, (), None)


def test_json_does_not_say_where_label_studio_listens() -> None:
    assert "/s" not in str(preparing().ready(ENDPOINT).as_json().values())
