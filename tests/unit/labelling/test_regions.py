"""From a region to pixels, offsets and seconds."""

from __future__ import annotations

import math
from typing import Any

import pytest

from labelstudio_proxy.labelling.regions import BOX, fields

SIZE = (200, 100)


def box_of(value: dict[str, Any]) -> list[float]:
    found = fields(value, SIZE)
    return [found[name] for name in BOX]


def test_a_box_is_in_pixels() -> None:
    value = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0}

    assert fields(value, SIZE) == dict(zip(BOX, (20, 20, 80, 60), strict=True)) | {"rotation": 0}


def test_a_rotated_box_is_inside_of_its_columns_and_has_its_corners() -> None:
    # turned clockwise around its first corner, on the screen and not in percent
    value = {"x": 50, "y": 10, "width": 20, "height": 20, "rotation": 90}

    assert box_of(value) == [80, 10, 100, 50]
    assert fields(value, SIZE)["points"] == [[100, 10], [100, 50], [80, 50], [80, 10]]


@pytest.mark.parametrize("rotation", [0, 30, 90, 200])
def test_the_box_of_an_ellipse_touches_it(rotation: float) -> None:
    value = {"x": 50, "y": 50, "radiusX": 20, "radiusY": 10, "rotation": rotation}
    angle = math.radians(rotation)
    around = [math.radians(step / 10) for step in range(3600)]
    xs = [
        100 + 40 * math.cos(t) * math.cos(angle) - 10 * math.sin(t) * math.sin(angle)
        for t in around
    ]
    ys = [
        50 + 40 * math.cos(t) * math.sin(angle) + 10 * math.sin(t) * math.cos(angle) for t in around
    ]

    assert box_of(value) == pytest.approx([min(xs), min(ys), max(xs), max(ys)], abs=0.01)
    found = fields(value, SIZE)
    assert (found["radius_x"], found["radius_y"], found["rotation"]) == (40, 10, rotation)


def test_outlines_have_points_and_a_box() -> None:
    polygon = {"points": [[0, 0], [50, 0], [25, 100]], "closed": True}
    vector = {"vertices": [{"x": 0, "y": 0}, {"x": 50, "y": 0}, {"x": 25, "y": 100}]}

    for value in (polygon, vector):
        assert fields(value, SIZE)["points"] == [[0, 0], [100, 0], [50, 100]]
        assert box_of(value) == [0, 0, 100, 100]


def test_a_key_point_is_a_box_without_extent() -> None:
    value = {"x": 10, "y": 10, "width": 0.5}

    assert fields(value, SIZE) == dict(zip(BOX, (20, 10, 20, 10), strict=True)) | {
        "points": [[20, 10]]
    }


def test_without_the_size_of_the_picture_there_are_no_pixels() -> None:
    assert fields({"x": 10, "y": 10, "width": 1, "height": 1}, None) == {}
    assert fields({"rle": [1]}, None) == {"mask": None}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"start": 1, "end": 3, "text": "da"}, {"start": 1, "end": 3, "text": "da"}),
        (
            {"start": 0.5, "end": 1.25, "channel": 0, "text": ["hello"]},
            {"start": 0.5, "end": 1.25, "channel": 0},
        ),
        (
            {
                "start": "/p[1]/text()[1]",
                "end": "/p[2]/text()[1]",
                "text": "b c",
                "startOffset": 1,
                "endOffset": 1,
                "globalOffsets": {"start": 1, "end": 4},
            },
            {"start": 1, "end": 4, "text": "b c"},
        ),
        (
            {
                "start": "0",
                "end": "2",
                "startOffset": 3,
                "endOffset": 5,
                "text": "x",
                "paragraphlabels": ["A"],
            },
            {"start": 3, "end": 5, "text": "x", "start_paragraph": 0, "end_paragraph": 2},
        ),
        (
            {"start": "2020-01-01", "end": "2020-02-01", "instant": False},
            {"start": "2020-01-01", "end": "2020-02-01"},
        ),
        ({"ranges": [{"start": 3, "end": 9}]}, {"start": 3, "end": 9}),
        (
            {"sequence": [{"frame": 1, "x": 5}], "labels": ["a"]},
            {"sequence": [{"frame": 1, "x": 5}]},
        ),
        ({"rle": [1, 2], "format": "rle"}, {"mask": {"rle": "AQI=", "width": 200, "height": 100}}),
        ({"imageDataURL": "data:x"}, {"mask": {"png": "data:x"}}),
    ],
)
def test_other_regions_are_as_label_studio_stores_them(
    value: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert fields(value, SIZE) == expected
