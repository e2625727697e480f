"""Whether and when Label Studio restarts after a crash."""

from __future__ import annotations

from labelstudio_proxy.lifecycle.restart_policy import (
    CRASH_WINDOW_SECONDS,
    LONGEST_PAUSE_SECONDS,
    MAX_CRASHES,
    RestartPolicy,
)
from labelstudio_proxy.problem import Problem

CRASH = Problem("Label Studio crashed.", "Why.", "Remedy.")


def after_crashes(*times: float, was_ready: bool = True) -> RestartPolicy:
    policy = RestartPolicy()
    for time in times:
        assert not policy.gives_up
        policy = policy.after_crash(time, was_ready=was_ready)
    return policy


def test_pauses_grow_to_a_minute() -> None:
    policy, pauses = RestartPolicy(), []
    for second in range(6):
        policy = policy.after_crash(float(second))
        pauses.append(policy.pause)
    longest = LONGEST_PAUSE_SECONDS
    assert pauses == [1.0, 4.0, 16.0, longest, longest, longest]


def test_gives_up_after_five_crashes_within_ten_minutes() -> None:
    step = CRASH_WINDOW_SECONDS / MAX_CRASHES
    policy = after_crashes(*(number * step for number in range(MAX_CRASHES)))
    assert policy.gives_up
    assert "crashed 5 times within 10 minutes" in policy.explain(CRASH).why


def test_gives_up_after_five_failed_starts_however_long_they_take() -> None:
    times = [number * CRASH_WINDOW_SECONDS for number in range(MAX_CRASHES)]
    policy = after_crashes(*times, was_ready=False)
    assert policy.gives_up
    assert "crashed 5 times while starting" in policy.explain(CRASH).why


def test_forgets_crashes_outside_the_window() -> None:
    step = CRASH_WINDOW_SECONDS / (MAX_CRASHES - 1) + 1
    policy = after_crashes(*(number * step for number in range(20)))
    assert not policy.gives_up
    assert policy.explain(CRASH) is CRASH
