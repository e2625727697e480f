"""This machine's clock, compared with what it has seen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from .finding import Finding, error, ok
from .situation import Situation

SPARE_SECONDS = 86_400.0  # wheels have times without a zone


def check(situation: Situation) -> Iterator[Finding]:
    """Check that it is later than the installation of this package."""
    yield compared(time.time(), Path(__file__).stat().st_mtime)


def compared(now: float, installed: float) -> Finding:
    """Return the finding; both are Unix times."""
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now > installed - SPARE_SECONDS:
        return ok("Clock", shown)
    return error(
        "Clock",
        f"It is {shown} by this machine's clock, which is before labelstudio-proxy was installed.",
        "Set the clock, for example by the network (NTP), then restart Jupyter.",
    )
