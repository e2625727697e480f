"""DataFrames from the gateway's rows."""

from __future__ import annotations

import base64
import sys
from typing import Any

import pytest

from labelstudio_proxy.client.frames import to_dataframe
from labelstudio_proxy.client.source import source_json
from labelstudio_proxy.problem import Problem

pd = pytest.importorskip("pandas")

USUAL: dict[str, Any] = {"column": None, "recursive": True}
COLUMNS = ["file", "label", "created_at", "lead_time", "task_id", "annotation_id", "skipped"]
ROWS: list[list[Any]] = [
    ["/1.png", "cat", "2026-11-29T16:56:46.123456Z", 1.5, 1, 7, False],
    ["/2.png", None, None, None, 2, None, True],
]


def test_columns_have_their_types() -> None:
    frame = to_dataframe([{"columns": COLUMNS, "rows": ROWS}])

    assert list(frame.columns) == COLUMNS
    assert frame["file"].tolist() == ["/1.png", "/2.png"]
    assert frame["created_at"][0] == pd.Timestamp("2026-11-29T16:56:46.123456Z")
    assert str(frame["created_at"].dt.tz) == "UTC"
    assert frame["created_at"].isna().tolist() == [False, True]
    assert frame["lead_time"].dtype == "float64"
    assert (frame["task_id"].dtype, frame["annotation_id"].dtype) == ("int64", "Int64")
    assert frame["annotation_id"].isna().tolist() == [False, True]
    assert frame["skipped"].dtype == bool
    assert frame["label"].isna().tolist() == [False, True]
    assert frame.index.tolist() == [0, 1]


def test_a_frame_without_rows_has_the_columns_and_types() -> None:
    frame = to_dataframe([{"columns": COLUMNS, "rows": []}])

    assert len(frame) == 0
    assert list(frame.columns) == COLUMNS
    full = to_dataframe([{"columns": COLUMNS, "rows": ROWS}])
    typed = ["created_at", "lead_time", "task_id", "annotation_id", "skipped"]
    assert [str(frame[name].dtype)[:6] for name in typed] == [
        str(full[name].dtype)[:6] for name in typed
    ]


def test_a_column_that_comes_late_is_empty_before() -> None:
    frame = to_dataframe(
        [
            {"columns": ["label", "x_min"], "rows": [["a", 1], ["b", 2]]},
            {"columns": ["label", "x_min", "relations"], "rows": [["c", None, [{"to": "x"}]]]},
            {"columns": ["label"], "rows": [["d"]]},
        ]
    )

    assert frame["label"].tolist() == ["a", "b", "c", "d"]
    assert frame["x_min"].fillna(-1).tolist() == [1.0, 2.0, -1.0, -1.0]
    assert frame["relations"].tolist()[2] == [{"to": "x"}]
    assert frame["relations"].isna().tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [([1, None], "Int64"), ([0.5, 1, None], "float64"), (["/p[1]", None], "object")],
)
def test_positions_are_characters_or_seconds(values: list[Any], dtype: str) -> None:
    frame = to_dataframe([{"columns": ["start"], "rows": [[value] for value in values]}])

    assert frame["start"].dtype == dtype
    assert frame["start"].isna().tolist() == [value is None for value in values]


def test_a_table_keeps_its_index() -> None:
    one: dict[str, list[Any]] = {"columns": ["index", "label"], "rows": [["b", "x"], ["a", "y"]]}
    two: dict[str, list[Any]] = {
        "columns": ["index", "label"],
        "rows": [[[1, "b"], "x"], [[2, "a"], "y"]],
    }

    frame = to_dataframe([one], ["key"])
    assert frame.loc["a", "label"] == "y"
    assert list(frame) == ["label"]
    assert frame.index.name == "key"
    assert to_dataframe([two], ["n", None]).index.tolist() == [(1, "b"), (2, "a")]
    assert to_dataframe([one]).index.name is None


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_an_index_of_times_has_times_again(zone: str | None) -> None:
    times = pd.DatetimeIndex(
        [pd.Timestamp("2026-03-29 00:00:00.5"), pd.Timestamp("2026-03-29 12:00:00"), pd.NaT],
        tz=zone,
    )
    numbers = pd.MultiIndex.from_arrays([times, [1, 2, 3]], names=["when", None])
    for index in (times, numbers):
        source = source_json(pd.DataFrame({"text": ["a", "b", "c"]}, index=index), **USUAL)
        rows = [[each, "x"] for each in source["index"]]

        table: dict[str, list[Any]] = {"columns": ["index", "label"], "rows": rows}
        frame = to_dataframe([table], source["index_names"], source["index_types"])

        assert frame.index.equals(index)
        assert frame.index.names == index.names


def test_masks_are_arrays() -> None:
    brush = pytest.importorskip("label_studio_sdk.converter.brush")
    numpy = pytest.importorskip("numpy")
    encoded = bytes(brush.mask2rle(numpy.array([[255, 0]], dtype=numpy.uint8)))
    mask = {"rle": base64.b64encode(encoded).decode(), "width": 2, "height": 1}

    frame = to_dataframe([{"columns": ["mask"], "rows": [[mask], [None]]}])

    assert frame["mask"][0].tolist() == [[True, False]]
    assert frame["mask"][1] is None


def test_without_pandas_there_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(Problem, match="pandas"):
        to_dataframe([])
