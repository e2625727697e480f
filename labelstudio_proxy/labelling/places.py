"""From the columns of a row to the place of a region: what `regions` does, backwards.

Coordinates are pixels of the picture as browsers show it, which for a photo means turned as its EXIF
data say.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

from .regions import BOX, SPAN

Row = Mapping[str, Any]
Size = tuple[int, int]  # width and height of a picture in pixels

# By the tag of the control: the columns that a row of it must have.
NEEDED: Mapping[str, tuple[str, ...]] = {
    "BrushLabels": ("mask",),
    "PolygonLabels": ("points",),
    "KeyPointLabels": ("points",),
    "RectangleLabels": BOX,
    "Labels": SPAN,
    "TimeSeriesLabels": SPAN,
}
PLACES = frozenset(column for columns in NEEDED.values() for column in columns)
# Where Label Studio draws a key point, in percent of the picture's width.
KEY_POINT_SIZE = 0.5


class Unfit(ValueError):
    """Raised for columns that describe no place; its text completes "Row 3 has …"."""


def fits(tag: str, row: Row) -> bool:
    """Return True if `row` describes a region of a control with this tag, rather than another."""
    if any(row.get(column) is None for column in NEEDED[tag]):
        return False
    if tag == "RectangleLabels":  # frames of polygons and key points have the box around them
        return row.get("points") is None or bool(row.get("rotation"))
    if tag in {"PolygonLabels", "KeyPointLabels"}:
        return (len(row["points"]) == 1) == (tag == "KeyPointLabels")
    return True


def size_in(row: Row) -> Size | None:
    """Return the size of the picture that the row itself gives, for pictures that cannot be read."""
    mask = row.get("mask")
    if isinstance(mask, Mapping):
        return int(mask["width"]), int(mask["height"])
    if row.get("width") is None or row.get("height") is None:
        return None
    return int(_number(row["width"], "width")), int(_number(row["height"], "height"))


def place_on_picture(tag: str, row: Row, size: Size) -> dict[str, Any]:
    """Return the value of a result, without its labels; raises Unfit."""
    if tag == "BrushLabels":
        return _mask(row["mask"], size)
    if tag == "RectangleLabels":
        return _turned(row, size) if row.get("rotation") else _box(row, size)
    points = _points(row["points"], size)
    if tag == "KeyPointLabels":
        return {"x": points[0][0], "y": points[0][1], "width": KEY_POINT_SIZE}
    if len(points) < 3:
        raise Unfit(f"{len(points)} `points`, and a polygon has at least 3")
    return {"points": points, "closed": True}


def place_in_text(row: Row, text: str) -> dict[str, Any]:
    """Return the value of a span of characters, without its labels; raises Unfit."""
    start, end = (_number(row[column], column) for column in SPAN)
    if not (0 <= start < end <= len(text) and start == int(start) and end == int(end)):
        raise Unfit(
            f"`start` {start:g} and `end` {end:g}, and its text has the characters 0 to {len(text)}"
        )
    first, last = int(start), int(end)
    return {"start": first, "end": last, "text": text[first:last]}


def place_in_time(row: Row) -> dict[str, Any]:
    """Return the value of a span of time, without its labels; raises Unfit."""
    start, end = (
        row[column] if isinstance(row[column], str) else _number(row[column], column)
        for column in SPAN
    )
    if isinstance(start, float) and isinstance(end, float) and not 0 <= start <= end:
        raise Unfit(f"`start` {start:g} and `end` {end:g}")
    return {"start": start, "end": end}


def _mask(mask: Any, size: Size) -> dict[str, Any]:
    try:
        own, packed = (mask["width"], mask["height"]), base64.b64decode(mask["rle"], validate=True)
    except (KeyError, TypeError, ValueError):
        raise Unfit("a `mask` that is no array of numbers or booleans, [height, width]") from None
    if own != size:
        raise Unfit(
            f"a `mask` of {own[0]} x {own[1]} pixels, and its picture has {size[0]} x {size[1]}"
        )
    return {"format": "rle", "rle": list(packed)}


def _box(row: Row, size: Size) -> dict[str, Any]:
    x_min, y_min, x_max, y_max = (_number(row[column], column) for column in BOX)
    if not (x_min < x_max and y_min < y_max):
        raise Unfit(f"no box: x from {x_min:g} to {x_max:g}, y from {y_min:g} to {y_max:g}")
    width, height = size
    # Models give boxes that go a little beyond the edge; Label Studio accepts none.
    left, right = max(x_min, 0.0), min(x_max, float(width))
    top, bottom = max(y_min, 0.0), min(y_max, float(height))
    if not (left < right and top < bottom):
        raise Unfit(
            f"a box outside of its picture: x from {x_min:g} to {x_max:g}, y from {y_min:g} to "
            f"{y_max:g}, and the picture has {width} x {height} pixels"
        )
    return {
        "x": left * 100 / width,
        "y": top * 100 / height,
        "width": (right - left) * 100 / width,
        "height": (bottom - top) * 100 / height,
        "rotation": 0,
    }


def _turned(row: Row, size: Size) -> dict[str, Any]:
    """Return a rectangle that is turned around its first corner, from its four corners."""
    corners = _pairs(row["points"])
    if len(corners) != 4:
        raise Unfit(f"a `rotation` and {len(corners)} `points`, not the 4 corners of the box")
    first, second, _, last = corners
    return {
        "x": first[0] * 100 / size[0],
        "y": first[1] * 100 / size[1],
        "width": math.dist(first, second) * 100 / size[0],
        "height": math.dist(first, last) * 100 / size[1],
        "rotation": _number(row["rotation"], "rotation"),
    }


def _points(points: Any, size: Size) -> list[list[float]]:
    """Return pairs of pixels as pairs of percent, those a little outside moved to the edge."""
    pairs = _pairs(points)
    inside = [(min(max(x, 0.0), size[0]), min(max(y, 0.0), size[1])) for x, y in pairs]
    if pairs and all(math.dist(*both) > 1 for both in zip(pairs, inside, strict=True)):
        x, y = pairs[0]
        raise Unfit(f"the point [{x:g}, {y:g}], and its picture has {size[0]} x {size[1]} pixels")
    return [[x * 100 / size[0], y * 100 / size[1]] for x, y in inside]


def _pairs(points: Any) -> list[tuple[float, float]]:
    try:
        return [(_number(x, "points"), _number(y, "points")) for x, y in points]
    except (TypeError, ValueError) as error:
        if isinstance(error, Unfit):
            raise
        raise Unfit("`points` that are no list of pairs, [[x, y], …]") from None


def _number(value: Any, column: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise Unfit(f"`{column}` {value!r}, which is no number")
