"""A time as text."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Return a time as text for people, rounded."""
    if seconds < 120:
        count, unit = f"{seconds:.3g}", "second"
    elif seconds < 7200:
        count, unit = f"{seconds / 60:.0f}", "minute"
    else:
        count, unit = f"{seconds / 3600:.0f}", "hour"
    return f"{count} {unit}" if count == "1" else f"{count} {unit}s"
