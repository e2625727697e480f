"""What users give as a source, as the gateway understands it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from ..problem import Problem

S3 = "s3://"
# The column that holds the items, if a table has one of these and the user names none.
USUAL_COLUMNS = (
    *("file", "path", "filename", "file_name", "filepath", "image", "image_path"),
    *("text", "audio", "video"),
)


def source_json(source: Any, *, column: str | None, recursive: bool) -> dict[str, Any]:
    """Return `source` as the gateway understands it; raises Problem.

    `source`: a folder, a glob, an `s3://` URL, a list of paths or texts, or a DataFrame or Series.
    """
    if _is_frame(source):
        return _frame(source, column)
    if column is not None:
        raise Problem(
            "`column` is for a DataFrame.",
            f"The source is of type {type(source).__name__}.",
            "Leave out `column`.",
        )
    if isinstance(source, str) and source.startswith(S3):
        return {"kind": "s3", "url": source, "recursive": recursive}
    if isinstance(source, str | PurePath):
        return {"kind": "path", "path": file_path(source), "recursive": recursive}
    if isinstance(source, bytes | Mapping) or not isinstance(source, Iterable):
        raise _no_source(source)
    values = list(source)
    for position, value in enumerate(values):
        if not isinstance(value, str | PurePath):
            raise Problem(
                f"Item {position} of the source is no text and no path.",
                f"It is {value!r:.200} ({type(value).__name__}).",
                "Give a list of texts or of paths.",
            )
    return {"kind": "list", "values": [os.fspath(value) for value in values]}


def file_path(path: str | os.PathLike[str]) -> str:
    """Return a path as text, with `~` expanded."""
    return os.path.expanduser(os.fspath(path))  # noqa: PTH111 - a glob is no path


def _no_source(source: Any) -> Problem:
    return Problem(
        f"A project cannot be made over a {type(source).__name__}.",
        "",
        "Give a folder, a glob, an `s3://` URL, a list of paths or texts, or a DataFrame.",
    )


def _is_frame(source: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(source, pandas.DataFrame | pandas.Series)


def _frame(frame: Any, column: str | None) -> dict[str, Any]:
    if frame.ndim == 1:  # a Series
        name = str(frame.name if frame.name is not None else "text")
        frame = frame.to_frame(name)
        column = column or name
    name = _column(frame, column)
    if not frame.index.is_unique:
        twice = frame.index[frame.index.duplicated()][0]
        raise Problem(
            f"The index of the DataFrame has {twice!r} more than once.",
            "Labels are put back by the index, so it must be unique.",
            "Use `frame.reset_index(drop=True)`.",
        )
    missing = frame.index[frame[name].isna()]
    if len(missing):
        raise Problem(
            f"The column {name!r} has no value in {len(missing)} rows, the first with index "
            f"{missing[0]!r}.",
            "",
            f"Leave these rows out: `frame.dropna(subset=[{name!r}])`.",
        )
    return {
        "kind": "table",
        "column": name,
        "index_names": [None if each is None else str(each) for each in frame.index.names],
        "index": [json_value(each) for each in frame.index],
        "columns": [str(each) for each in frame.columns],
        "rows": [[json_value(value) for value in row] for row in frame.itertuples(index=False)],
    }


def _column(frame: Any, column: str | None) -> str:
    columns = [str(each) for each in frame.columns]
    if len(set(columns)) < len(columns):
        raise Problem("Two columns of the DataFrame have the same name.", "", "Rename one of them.")
    if column is not None:
        if column in columns:
            return column
        why = f"Its columns are {', '.join(map(repr, columns))}."
        raise Problem(f"The DataFrame has no column {column!r}.", why, "Choose one with `column`.")
    usual = [each for each in USUAL_COLUMNS if each in columns]
    if len(columns) == 1 or usual:
        return usual[0] if usual else columns[0]
    raise Problem(
        "It is not clear which column of the DataFrame to label.",
        f"Its columns are {', '.join(map(repr, columns))}.",
        f"Choose one with `column`, for example `column={columns[0] if columns else 'text'!r}`.",
    )


def json_value(value: Any) -> Any:
    """Return a value of a DataFrame as JSON has it: dates as text, missing values as None."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124
    if isinstance(value, list | tuple):
        return [json_value(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): json_value(each) for name, each in value.items()}
    if hasattr(value, "isoformat"):
        return None if value != value else value.isoformat()  # noqa: PLR0124 - NaT
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # a number of numpy's
        return json_value(value.item())
    if hasattr(value, "tolist"):  # an array
        return json_value(value.tolist())
    return str(value)
