"""Reports the progress that labelstudio_server.py prints while it starts."""

from __future__ import annotations

import re

from .base import Report

LOAD = ("load", "Load Label Studio")
RESPONSE = ("response", "Open Label Studio")


class StartOutput:
    """Reports the steps LOAD and RESPONSE from the lines of one start."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._migrations = 0
        self._applied = 0

    def accept(self, line: str) -> None:
        """Report the progress that a line shows, if any."""
        if match := re.fullmatch(r"labelstudio-proxy: (\d+) migrations to apply", line):
            self._migrations = int(match[1])
            if self._migrations:
                self._report_migrations()
        elif line.startswith("  Applying ") and self._applied < self._migrations:
            self._applied += 1
            self._report_migrations()
        elif line == "labelstudio-proxy: Making the account":
            self._report(LOAD[0], detail="making your account")
        elif line == "labelstudio-proxy: Serving":
            self._report(RESPONSE[0])

    def _report_migrations(self) -> None:
        done, total = self._applied, self._migrations
        self._report(LOAD[0], detail="updating the database", done=done, total=total)
