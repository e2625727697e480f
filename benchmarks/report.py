"""The results as JSON, Markdown and SVG, and in docs/performance.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import chart
from .results import Compare, Row, Sample, Table

DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


@dataclass
class Report:
    """One run."""

    date: str
    machine: dict[str, str]
    versions: dict[str, str]
    small: bool
    rows: list[Row] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        whole = {
            "date": self.date,
            "machine": self.machine,
            "versions": self.versions,
            "small": self.small,
            "rows": [row.as_json() for row in self.rows],
            "tables": [table.as_json() for table in self.tables],
            "failures": self.failures,
        }
        (folder / "results.json").write_text(json.dumps(whole, indent=1) + "\n")
        (folder / "results.md").write_text(self.markdown("results.svg"))
        (folder / "results.svg").write_text(chart.draw(self.rows))

    def write_document(self) -> None:
        """Write the results between the two marks in docs/performance.md."""
        text = DOCUMENT.read_text()
        before, _, rest = text.partition(BEGIN)
        _, _, after = rest.partition(END)
        block = self.markdown("../benchmarks/results/results.svg")
        DOCUMENT.write_text(f"{before}{BEGIN}\n{block}{END}{after}")

    def markdown(self, picture: str) -> str:
        parts = [self._about()]
        if self.small:
            parts.insert(0, "**A trial run with little data: these figures say nothing.**")
        if self.rows:
            parts.append(f"![Each result as a share of what its target allows]({picture})")
            parts.append(_markdown(*self._targets()))
        notes = [f"- {row.what}: {note}" for row in self.rows for note in row.notes]
        notes += [f"- {key} could not be measured: {why}" for key, why in self.failures.items()]
        if notes:
            parts.append("\n".join(notes))
        if compared := [row for row in self.rows if row.others]:
            parts += ["### Beside other programs", *(_others(row) for row in compared)]
        for table in self.tables:
            parts += [f"### {table.title}", _markdown(table.columns, table.lines), *table.notes]
        return "\n\n".join(parts) + "\n"

    def _about(self) -> str:
        machine = "; ".join(f"{name}: {value}" for name, value in self.machine.items())
        versions = ", ".join(f"{name} {value}" for name, value in self.versions.items())
        return f"Measured on {self.date}. Machine: {machine}. Versions: {versions}."

    def _targets(self) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        columns = ("what", "measured", "against", "result", "target", "met")
        lines = []
        for row in self.rows:
            met = {True: "yes", False: "**no**", None: ""}[row.met]
            against = f"{row.against_name}: {_text(row.against, row.unit)}" if row.against else ""
            lines.append(
                (
                    row.what,
                    _text(row.ours, row.unit),
                    against,
                    row.result_text() if row.compare is not Compare.ALONE or not row.ours else "",
                    row.target_text(),
                    met,
                )
            )
        return columns, lines


def _others(row: Row) -> str:
    ways = {"through the tile": row.ours or "not available"}
    if row.against:
        ways[row.against_name] = row.against
    lines = [(name, _text(sample, row.unit)) for name, sample in {**ways, **row.others}.items()]
    return _markdown((row.what, "median (min to max)"), lines)


def _text(sample: Sample | str | None, unit: str) -> str:
    if sample is None:
        return "not available"
    return sample if isinstance(sample, str) else f"{sample} {unit}"


def _markdown(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(re.sub(r"\s*\n\s*|\|", " ", cell) for cell in cells) + " |"

    return "\n".join([line(columns), line("---" for _ in columns), *map(line, lines)])
