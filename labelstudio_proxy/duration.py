"""A time as text."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Return a time as text for people, rounded."""
    if seconds < 120:
        return f"{seconds:.3g} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"
