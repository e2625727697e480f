"""What a check finds: how bad it is, what it is, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ..problem import Problem


class Severity(str, Enum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"  # works now, but not as well as it could, or not for long
    ERROR = "error"  # keeps Label Studio, or its tile, from working


@dataclass(frozen=True)
class Finding:
    """One line of the result. `remedy`: what to do; empty if nothing."""

    subject: str
    severity: Severity
    what: str
    remedy: str = ""

    def as_line(self) -> str:
        """Return it as one line, whatever another program has written into it."""
        text = f"{self.subject}: {self.what} {self.remedy}"
        return f"{self.severity.value:<8} {' '.join(text.split())}"

    def as_json(self) -> dict[str, str]:
        """Return its fields."""
        return {
            "subject": self.subject,
            "severity": self.severity.value,
            "what": self.what,
            "remedy": self.remedy,
        }

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> Finding:
        """Return what `as_json` was called on; raises KeyError and ValueError."""
        severity = Severity(fields["severity"])
        return cls(fields["subject"], severity, fields["what"], fields["remedy"])


def ok(subject: str, what: str) -> Finding:
    """Return a finding that needs nothing."""
    return Finding(subject, Severity.OK, what)


def warning(subject: str, what: str, remedy: str = "") -> Finding:
    """Return a warning."""
    return Finding(subject, Severity.WARNING, what, remedy)


def error(subject: str, what: str, remedy: str) -> Finding:
    """Return an error."""
    return Finding(subject, Severity.ERROR, what, remedy)


def of_problem(subject: str, problem: Problem) -> Finding:
    """Return the finding for a Problem that would keep Label Studio from starting."""
    return error(subject, " ".join(filter(None, (problem.what, problem.why))), problem.remedy)


def worst(findings: Iterable[Finding]) -> Severity:
    """Return the worst severity of the findings."""
    order = list(Severity)
    return max((each.severity for each in findings), key=order.index, default=Severity.OK)
