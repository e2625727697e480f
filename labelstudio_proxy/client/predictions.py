"""A model's output in Python, as the gateway understands it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from ..labelling.matching import KEY
from ..problem import Problem
from . import masks
from .source import json_value


def prediction_rows(predictions: Any, column: str) -> list[dict[str, Any]]:
    """Return a row for each label or region; raises Problem.

    `predictions`: a DataFrame, a list of dicts, a Series, or a dict from items to labels or to dicts.
    `column`: of the labels, where there is only one.
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(predictions, pandas.DataFrame):
        return _of_frame(predictions)
    if pandas is not None and isinstance(predictions, pandas.Series):
        return [_row(key, value, column) for key, value in predictions.items()]
    if isinstance(predictions, Mapping):
        return [_row(key, value, column) for key, value in predictions.items()]
    if isinstance(predictions, str | bytes) or not isinstance(predictions, Iterable):
        raise _no_predictions(f"They are of type {type(predictions).__name__}.")
    rows = list(predictions)
    for position, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise _no_predictions(f"Element {position} is {row!r:.100} ({type(row).__name__}).")
    return [_cells(row.items()) for row in rows]


def _of_frame(frame: Any) -> list[dict[str, Any]]:
    columns = [str(each) for each in frame.columns]
    if len(set(columns)) < len(columns):
        raise Problem("Two columns of the DataFrame have the same name.", "", "Rename one of them.")
    return [_cells(zip((KEY, *columns), row, strict=True)) for row in frame.itertuples(name=None)]


def _row(key: Any, value: Any, column: str) -> dict[str, Any]:
    cells = value.items() if isinstance(value, Mapping) else [(column, value)]
    return _cells([(KEY, key), *cells])


def _cells(cells: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    return {str(name): _json(str(name), value) for name, value in cells}


def _json(name: str, value: Any) -> Any:
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    if name == "mask" and hasattr(value, "ndim"):
        return masks.encode(value)
    return json_value(value)


def _no_predictions(why: str) -> Problem:
    return Problem(
        "The predictions are no table.",
        why,
        "Give a DataFrame, a list of dicts, or a dict from files to labels.",
    )
