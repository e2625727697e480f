"""When a Label Studio that has ended by itself is started again: a pure policy.

It is worth another try, at first soon, then less and less often. What ends again and again is
left alone, so that neither the machine nor its user is kept busy for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..problem import Problem

FIRST_SECONDS = 1.0
GROWTH = 4.0  # so 1, 4, 16, 60 s
LONGEST_SECONDS = 60.0
# So many ends within so long, and it is not started again by itself.
MOST_ENDS = 5
WITHIN_SECONDS = 600.0


@dataclass(frozen=True)
class Restarts:
    """The ends (monotonic time, seconds) since somebody last asked for a start."""

    ends: tuple[float, ...] = ()

    def ended(self, now: float, *, was_ready: bool = True) -> Restarts:
        """With one more end; those far back are forgotten, but for starts that came to nothing.

        Those may take so long each that there are never many within so long.
        """
        kept = (end for end in self.ends if now - end < WITHIN_SECONDS or not was_ready)
        return Restarts((*kept, now))

    @property
    def exhausted(self) -> bool:
        """Whether it has ended too often."""
        return len(self.ends) >= MOST_ENDS

    @property
    def pause(self) -> float:
        """Seconds to wait before the next start."""
        exponent = max(0, len(self.ends) - 1)
        return float(min(FIRST_SECONDS * GROWTH**exponent, LONGEST_SECONDS))

    def told(self, problem: Problem) -> Problem:
        """What people are told of the last end, for which `problem` is the reason."""
        if not self.exhausted:
            return problem
        soon = self.ends[-1] - self.ends[0] < WITHIN_SECONDS
        within = f"within {WITHIN_SECONDS / 60:g} minutes" if soon else "before it was ready"
        return Problem(
            problem.what,
            f"{problem.why} It has ended {MOST_ENDS} times {within}, and is not started again by "
            "itself any more.",
            problem.remedy,
        )
