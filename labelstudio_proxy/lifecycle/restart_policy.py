"""Decides whether and when Label Studio restarts after a crash.

The pauses grow from crash to crash. After `MAX_CRASHES` crashes within `CRASH_WINDOW_SECONDS` only
a user restarts it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..problem import Problem

FIRST_PAUSE_SECONDS = 1.0
GROWTH = 4.0  # so 1, 4, 16, 60 s
LONGEST_PAUSE_SECONDS = 60.0
MAX_CRASHES = 5
CRASH_WINDOW_SECONDS = 600.0


@dataclass(frozen=True)
class RestartPolicy:
    """The times of the crashes (monotonic, seconds) since a user last started Label Studio."""

    crashes: tuple[float, ...] = ()

    def after_crash(self, now: float, *, was_ready: bool = True) -> RestartPolicy:
        """Return the policy after one more crash.

        It forgets crashes outside the window, except after a failed start (`was_ready` is False):
        slow starts that always fail would never reach `MAX_CRASHES` within the window.
        """
        kept = (time for time in self.crashes if now - time < CRASH_WINDOW_SECONDS or not was_ready)
        return RestartPolicy((*kept, now))

    @property
    def gives_up(self) -> bool:
        """True if Label Studio crashed too often to restart it."""
        return len(self.crashes) >= MAX_CRASHES

    @property
    def pause(self) -> float:
        """Seconds to wait before the next start."""
        exponent = max(0, len(self.crashes) - 1)
        return float(min(FIRST_PAUSE_SECONDS * GROWTH**exponent, LONGEST_PAUSE_SECONDS))

    def explain(self, problem: Problem) -> Problem:
        """Return the `problem` of the last crash; if this gives up, its reason says so."""
        if not self.gives_up:
            return problem
        within_window = self.crashes[-1] - self.crashes[0] < CRASH_WINDOW_SECONDS
        when = (
            f"within {CRASH_WINDOW_SECONDS / 60:g} minutes" if within_window else "while starting"
        )
        return Problem(
            problem.what,
            f"{problem.why} It crashed {MAX_CRASHES} times {when}, so it no longer restarts.",
            problem.remedy,
        )
