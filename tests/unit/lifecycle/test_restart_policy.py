"""When a Label Studio that has ended is started again."""

from __future__ import annotations

from labelstudio_proxy.lifecycle.restart_policy import (
    LONGEST_SECONDS,
    MOST_ENDS,
    WITHIN_SECONDS,
    Restarts,
)


def test_the_pauses_grow_to_a_minute() -> None:
    restarts, pauses = Restarts(), []
    for second in range(6):
        restarts = restarts.ended(float(second))
        pauses.append(restarts.pause)
    assert pauses == [1.0, 4.0, 16.0, LONGEST_SECONDS, LONGEST_SECONDS, LONGEST_SECONDS]


def test_the_fifth_end_within_ten_minutes_is_the_last() -> None:
    restarts = Restarts()
    for number in range(MOST_ENDS):
        assert not restarts.exhausted
        restarts = restarts.ended(number * WITHIN_SECONDS / MOST_ENDS)
    assert restarts.exhausted


def test_starts_that_come_to_nothing_are_given_up_however_long_they_take() -> None:
    restarts = Restarts()
    for number in range(MOST_ENDS):
        assert not restarts.exhausted
        restarts = restarts.ended(number * WITHIN_SECONDS, was_ready=False)
    assert restarts.exhausted


def test_ends_that_lie_far_back_do_not_count() -> None:
    restarts = Restarts()
    for number in range(20):
        restarts = restarts.ended(number * (WITHIN_SECONDS / (MOST_ENDS - 1) + 1))
        assert not restarts.exhausted
