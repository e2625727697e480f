"""Which columns of a table Label Studio draws as time series."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..problem import Problem

# The beginning of a file tells.
_LENGTH = 64 * 1024
_ROWS = 100
_SEPARATORS = ",;\t"
# Names of columns that number the rows. They would be drawn as a straight line.
_TIMES = frozenset(("", "time", "timestamp", "date", "datetime", "t", "index", "unnamed: 0"))


@dataclass(frozen=True)
class Series:
    """The shape of a table.

    separator: between its columns.
    columns:   Label Studio's name of each column with numbers -> the name for people.
    """

    separator: str
    columns: Mapping[str, str]


def read_series(path: str) -> Series:
    """Return the shape of the table in the file at `path`, or raise Problem."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LENGTH)
    except OSError as error:
        raise Problem(
            f"`{path}` cannot be read.", f"{error.strerror}.", "Correct its permissions."
        ) from None
    lines = content.decode("utf-8-sig", "replace").splitlines()
    if len(content) == _LENGTH:
        lines.pop()  # only a part of it
    by_separator = {separator: _split(lines[:_ROWS], separator) for separator in _SEPARATORS}
    # the one with the most columns
    separator, rows = max(by_separator.items(), key=lambda item: min(map(len, item[1][:2] or [[]])))
    if len(rows) < 2 or len(rows[0]) < 2:
        raise Problem(
            f"`{path}` is no table of time series.",
            "Label Studio needs at least two columns, and two rows.",
            "Save it as CSV, with a column for the time or the number of the row.",
        )
    columns = _columns(rows)
    if not columns:
        raise Problem(
            f"`{path}` has no column with numbers.",
            "Label Studio draws a line for each of these.",
            "Save the numbers with a decimal point, and without units.",
        )
    return Series(separator, columns)


def _split(lines: Sequence[str], separator: str) -> list[list[str]]:
    """Return the fields of each row as Label Studio splits them: it keeps quotation marks."""
    field = re.compile(
        rf'"(?:""|[^"])*"|[^"{separator}]+|(?={separator}(?:{separator}|$))|^(?={separator})'
    )
    return [field.findall(line.strip()) for line in lines if line.strip()]


def _columns(rows: Sequence[Sequence[str]]) -> dict[str, str]:
    has_names = any(_is_number(a) != _is_number(b) for a, b in zip(*rows[:2], strict=False))
    # Label Studio numbers columns without names.
    names = rows[0] if has_names else [str(place) for place in range(len(rows[0]))]
    numbers = {
        name: _shown(name)
        for place, name in enumerate(names)
        if all(len(row) > place and _is_number(row[place]) for row in rows[has_names:])
    }
    values = {name: shown for name, shown in numbers.items() if shown.lower() not in _TIMES}
    return values or numbers


def _shown(name: str) -> str:
    name = name.strip()
    return name[1:-1].replace('""', '"') if name[:1] == '"' else name


def _is_number(text: str) -> bool:
    """Return True as Label Studio does: it reads an empty field as 0."""
    try:
        float(text or "0")
    except ValueError:
        return False
    return True
