"""A model's output as rows."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from labelstudio_proxy.client import masks
from labelstudio_proxy.client.predictions import prediction_rows
from labelstudio_proxy.labelling.matching import KEY
from labelstudio_proxy.problem import Problem

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")


def test_every_kind_of_table_gives_rows() -> None:
    assert prediction_rows({Path("/a.png"): "Cat", "b.png": {"label": "Dog", "score": 1}}, "y") == [
        {KEY: "/a.png", "y": "Cat"},
        {KEY: "b.png", "label": "Dog", "score": 1},
    ]
    assert prediction_rows([{"task_id": np.int64(1), "label": {"b", "a"}}], "label") == [
        {"task_id": 1, "label": ["a", "b"]}
    ]
    assert prediction_rows(pd.Series([1, 2], index=["a", "b"]), "label") == [
        {KEY: "a", "label": 1},
        {KEY: "b", "label": 2},
    ]
    frame = pd.DataFrame({"score": [0.5, np.nan], "points": [np.array([[1, 2], [3, 4]]), None]})
    assert prediction_rows(frame, "label") == [
        {KEY: 0, "score": 0.5, "points": [[1, 2], [3, 4]]},
        {KEY: 1, "score": None, "points": None},
    ]


def test_missing_values_are_none_whatever_the_column_is() -> None:
    frame = pd.DataFrame(
        {
            "task_id": pd.array([1, None], dtype="Int64"),
            "label": pd.array(["a", None], dtype="string"),
            "score": pd.array([0.5, None], dtype="Float64"),
            "kind": pd.Categorical(["x", None]),
            "day": pd.to_datetime(["2026-11-29", None]),
        }
    )

    _, last = prediction_rows(frame, "label")

    assert last == {KEY: 1} | dict.fromkeys(frame.columns)


@pytest.mark.parametrize("given", ["Cat", 7, ["Cat"], None])
def test_other_values_are_refused(given: Any) -> None:
    with pytest.raises(Problem, match="The predictions are no table"):
        prediction_rows(given, "label")


def test_masks_of_any_type_are_what_they_were() -> None:
    rng = np.random.default_rng(1)
    for shape in ((1, 1), (3, 5), (60, 80), (400, 300)):
        mask = rng.random(shape) > 0.5
        mask[: shape[0] // 2] = True  # a run that is longer than one entry holds
        for given in (mask, mask.astype("uint8") * 255, mask.astype("int64"), mask.astype("f4")):
            (row,) = prediction_rows([{"mask": given}], "label")
            assert (masks.decode(row["mask"]) == mask).all()


def test_masks_are_those_of_label_studios_converter() -> None:
    brush = pytest.importorskip("label_studio_sdk.converter.brush")
    mask = np.zeros((50, 100), bool)
    mask[10:20, 30:60] = True

    ours = list(base64.b64decode(masks.encode(mask)["rle"]))

    assert ours == brush.mask2rle(mask.astype("uint8") * 255)[: len(ours)]
    pixels = brush.decode_rle(ours).reshape(50, 100, 4)
    assert ((pixels[:, :, 3] > 0) == mask).all()


def test_a_mask_has_two_dimensions() -> None:
    with pytest.raises(Problem, match="A mask has 3 dimensions"):
        prediction_rows([{"mask": np.zeros((2, 2, 3))}], "label")
