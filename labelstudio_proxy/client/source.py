"""What users give as a source, as the gateway understands it."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from ..problem import Problem

S3 = "s3://"


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
        "`source` is nothing that can be labelled.",
        f"It is {source!r:.200} ({type(source).__name__}).",
        "Give a folder, a glob, an `s3://` URL, a list of paths or texts, or a DataFrame.",
    )


def _is_frame(source: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(source, pandas.DataFrame | pandas.Series)


def _frame(frame: Any, column: str | None) -> dict[str, Any]:
    if frame.ndim == 1:  # a Series
        name = str(frame.name if frame.name is not None else "text")
        frame, column = frame.to_frame(name), column or name
    columns = [str(each) for each in frame.columns]
    for name in columns:
        if columns.count(name) > 1:
            raise Problem(
                f"Two columns of the DataFrame are called {name!r}.", "", "Rename one of them."
            )
    return {
        "kind": "table",
        "column": column,
        "index_names": [None if each is None else str(each) for each in frame.index.names],
        "index_types": _level_types(frame.index),
        "index": [json_value(each) for each in frame.index],
        "columns": columns,
        "rows": [[json_value(value) for value in row] for row in frame.itertuples(index=False)],
    }


def _level_types(index: Any) -> list[str]:
    """Return "time" or "time <zone>" for each level that has times, and "" for the others."""
    levels = [index.get_level_values(level) for level in range(index.nlevels)]
    kinds = [str(level.dtype) for level in levels]
    return [
        f"time {level.tz or ''}".strip() if kind.startswith("datetime64") else ""
        for level, kind in zip(levels, kinds, strict=True)
    ]


def json_value(value: Any) -> Any:
    """Return a value of a DataFrame as JSON has it: dates as text, missing values as None."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if _is_missing(value):
        return None
    if isinstance(value, list | tuple):
        return [json_value(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): json_value(each) for name, each in value.items()}
    if hasattr(value, "isoformat"):
        return None if value != value else value.isoformat()  # noqa: PLR0124 - pandas.NaT
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # a number of numpy's
        return json_value(value.item())
    if hasattr(value, "tolist"):  # an array
        return json_value(value.tolist())
    return str(value)


def _is_missing(value: Any) -> bool:
    """Return True for `pandas.NA`, which cannot be compared."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and value is pandas.NA
