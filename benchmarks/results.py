"""Measured values: samples, rows with a target, tables without one. All are immutable."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


@dataclass(frozen=True)
class Sample:
    """Several measurements of one quantity."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Sample:
        return cls(tuple(values))

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def as_json(self) -> dict[str, Any]:
        return {
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "values": list(self.values),
        }

    def __str__(self) -> str:
        if len(set(self.values)) == 1:
            return number(self.median)
        low, high = number(min(self.values)), number(max(self.values))
        return f"{number(self.median)} ({low} to {high})"


class Compare(Enum):
    """Which value of a row is compared with its target."""

    RATIO = "ratio"  # of the medians
    ADDED = "added"  # the difference of the medians
    ALONE = "alone"  # our median


@dataclass(frozen=True)
class Row:
    """A target and the measured result."""

    key: str
    what: str
    unit: str
    compare: Compare
    target: float
    ours: Sample | None  # None: not available; the notes say why
    against: Sample | None = None
    against_name: str = ""
    at_least: bool = False  # the target is a minimum
    others: Mapping[str, Sample | str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def result(self) -> float | None:
        if self.ours is None or (self.compare is not Compare.ALONE and self.against is None):
            return None
        if self.compare is Compare.ALONE or self.against is None:
            return self.ours.median
        if self.compare is Compare.RATIO:
            return self.ours.median / self.against.median
        return self.ours.median - self.against.median

    @property
    def used(self) -> float | None:
        """Return the result as a share of the target; above 1 the target is missed."""
        result = self.result
        if result is None:
            return None
        return self.target / result if self.at_least else max(result, 0) / self.target

    @property
    def met(self) -> bool | None:
        return None if self.used is None else self.used <= 1

    def target_text(self) -> str:
        bound = "at least" if self.at_least else "at most"
        return f"{bound} {self._with_unit(self.target)}"

    def result_text(self) -> str:
        return "not available" if self.result is None else self._with_unit(self.result)

    def _with_unit(self, value: float) -> str:
        if self.compare is Compare.RATIO:
            return f"{number(value)} times"
        sign = "+" if self.compare is Compare.ADDED and value >= 0 else ""
        return f"{sign}{number(value)} {self.unit}"

    def as_json(self) -> dict[str, Any]:
        def plain(sample: Sample | str | None) -> Any:
            return sample.as_json() if isinstance(sample, Sample) else sample

        return {
            "key": self.key,
            "what": self.what,
            "unit": self.unit,
            "compare": self.compare.value,
            "target": self.target,
            "at_least": self.at_least,
            "result": self.result,
            "met": self.met,
            "ours": plain(self.ours),
            "against": plain(self.against),
            "against_name": self.against_name,
            "others": {name: plain(sample) for name, sample in self.others.items()},
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Table:
    """Values without a target, such as the phases of a start."""

    key: str
    title: str
    columns: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "title": self.title,
            "columns": list(self.columns),
            "lines": [list(line) for line in self.lines],
            "notes": list(self.notes),
        }


def number(value: float) -> str:
    """Format with three significant digits and a space between thousands."""
    if value and abs(value) < 100:
        return f"{value:.3g}"
    return f"{value:,.0f}".replace(",", " ")
