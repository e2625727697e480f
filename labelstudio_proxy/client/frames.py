"""DataFrames from the gateway's rows. pandas is imported when a frame is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..problem import Problem
from . import masks

if TYPE_CHECKING:
    import pandas as pd

TIMES = ("created_at", "updated_at")
NUMBERS = ("x_min", "y_min", "x_max", "y_max", "rotation", "radius_x", "radius_y", "lead_time")
# Integers that may be missing, which NumPy's cannot be.
INTEGERS = ("annotation_id", "start_paragraph", "end_paragraph", "item_index")


def to_dataframe(
    tables: Iterable[Mapping[str, Sequence[Any]]],
    index_names: Sequence[str | None] = (),
    index_types: Sequence[str] = (),
) -> pd.DataFrame:
    """Return the frame of tables `{"columns": […], "rows": [[…], …]}`, whose columns may differ.

    Times are in UTC. A column "index" becomes the index, with a name and a type for each level.
    Raises Problem without pandas.
    """
    try:
        import pandas as pd
    except ImportError:
        raise Problem(
            "A DataFrame needs pandas, which is not installed here.",
            "",
            "Install it: `pip install pandas`.",
        ) from None
    columns = _columns(tables)
    index = columns.pop("index", None)
    frame = pd.DataFrame({name: _series(name, values) for name, values in columns.items()})
    if index is not None:
        frame.index = _index(index, index_types)
        if len(index_names) == frame.index.nlevels:
            frame.index.names = list(index_names)
    return frame


def _columns(tables: Iterable[Mapping[str, Sequence[Any]]]) -> dict[str, list[Any]]:
    """Return the values of each column, None where a table does not have it."""
    columns: dict[str, list[Any]] = {}
    length = 0
    for table in tables:
        for name in table["columns"]:
            columns.setdefault(name, [None] * length)
        values_of = dict(zip(table["columns"], zip(*table["rows"], strict=True), strict=False))
        missing = [None] * len(table["rows"])
        for name, values in columns.items():
            values.extend(values_of.get(name, missing))
        length += len(missing)
    return columns


def _series(name: str, values: list[Any]) -> Any:
    import pandas as pd

    if name in TIMES:
        return pd.to_datetime(pd.Series(values, dtype=object), utc=True)
    if name in NUMBERS:
        return pd.Series(values, dtype="float64")
    if name in INTEGERS:
        return pd.Series(values, dtype="Int64")
    if name in ("start", "end"):
        return _positions(values)
    if name in ("task_id", "skipped"):
        return pd.Series(values, dtype="int64" if name == "task_id" else "bool")
    if name == "mask":
        values = [each and masks.decode(each) for each in values]
        return pd.Series(values, dtype=object)
    return pd.Series(values) if values else pd.Series(values, dtype=object)


def _positions(values: list[Any]) -> Any:
    """Return characters as integers, seconds as floats, and other texts (times, XPaths) as they are."""
    import pandas as pd

    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {int}:
        return pd.Series(values, dtype="Int64")
    if kinds <= {int, float}:
        return pd.Series(values, dtype="float64")
    return pd.Series(values, dtype=object)


def _index(values: list[Any], types: Sequence[str]) -> Any:
    """Return the index of the source's table. That of several levels has a list in each row."""
    import pandas as pd

    if values and all(isinstance(each, list) for each in values):
        levels = list(zip(*values, strict=True))
        kinds = types if len(types) == len(levels) else [""] * len(levels)
        return pd.MultiIndex.from_arrays(list(map(_level, levels, kinds)))
    return _level(values, types[0] if len(types) == 1 else "")


def _level(values: Iterable[Any], kind: str) -> Any:
    """Return a level of an index: times are text in JSON, everything else is as it was."""
    import pandas as pd

    if not kind:
        return pd.Index(list(values))
    # one by one, because some may have fractions of a second
    times = [pd.Timestamp(each) for each in values]
    _, _, zone = kind.partition(" ")
    return pd.to_datetime(times, utc=True).tz_convert(zone) if zone else pd.to_datetime(times)
