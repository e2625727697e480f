"""What went wrong, told to a person: what happened, why probably, what to do."""

from __future__ import annotations

from typing import Any


class Problem(Exception):
    """Raised for a fault that a person can mend; the start page shows its three parts as they are.

    what:   what happened, one sentence.
    why:    why it probably happened.
    remedy: what to do; commands stand in `backticks`.
    """

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.remedy = remedy

    def as_json(self) -> dict[str, str]:
        """The three parts, for the start page and for programs."""
        return {"what": self.what, "why": self.why, "remedy": self.remedy}

    def details_as_json(self) -> dict[str, Any]:
        """More fields for the state's JSON, beside `error`; a subclass may have some."""
        return {}


def unexpected(what: str, error: Exception) -> Problem:
    """For an `error` that can only be a fault of labelstudio-proxy."""
    return Problem(
        what,
        f"An error that labelstudio-proxy did not expect: {type(error).__name__}: {error}",
        "Use Copy diagnostics and report it; the log of Jupyter has the details.",
    )
