"""From a region of an annotation to the columns of a row: pixels, character offsets, seconds.

Label Studio stores percent of the picture. Rotating the view changes no region: coordinates always
refer to the picture as browsers show it, which for a photo means turned as its EXIF data say.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping
from typing import Any

from .interface import Control

BOX = ("x_min", "y_min", "x_max", "y_max")
SPAN = ("start", "end")
# Columns by the tag in lower case, without "labels" at its end.
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "rectangle": (*BOX, "rotation", "points"),
    "ellipse": (*BOX, "rotation", "radius_x", "radius_y"),
    "polygon": (*BOX, "points"),
    "vector": (*BOX, "points"),
    "keypoint": (*BOX, "points"),
    "brush": ("mask",),
    "magicwand": ("mask",),
    "bitmask": ("mask",),
    "ocr": (*BOX, "rotation", "points"),
    "hypertext": (*SPAN, "text"),
    "paragraph": (*SPAN, "text", "start_paragraph", "end_paragraph"),
    "timeseries": SPAN,
    "timeline": SPAN,
    "videorectangle": ("sequence",),
    "videovector": ("sequence",),
}
# Of `Labels`, by the tag of the object. On a picture, another control draws the regions.
_LABELS: Mapping[str, tuple[str, ...]] = {
    "Text": (*SPAN, "text"),
    "HyperText": (*SPAN, "text"),
    "Paragraphs": _COLUMNS["paragraph"],
    "Audio": SPAN,
    "Video": SPAN,
}


def marks_regions(control: Control) -> bool:
    """Return True if this control marks or names a part of an item."""
    tag = control.tag.lower()
    return tag.endswith("labels") or tag in _COLUMNS


def has_values(control: Control) -> bool:
    """Return True if results of this control have a value, and not only a region's shape."""
    return control.tag.lower() not in _COLUMNS


def columns(control: Control, object_tag: str) -> tuple[str, ...]:
    """Return the columns that describe the regions of this control."""
    tag = control.tag.lower()
    if tag == "labels":
        return _LABELS.get(object_tag, ())
    return _COLUMNS.get(tag.removesuffix("labels"), ())


def is_region(value: Mapping[str, Any]) -> bool:
    """Return True if the value of a result has a place in the item."""
    return not _PLACES.isdisjoint(value)


_PLACES = {
    *("x", "points", "vertices", "rle", "imageDataURL", "sequence", "ranges"),
    *("start", "startOffset", "globalOffsets"),
}


def fields(value: Mapping[str, Any], size: tuple[float, float] | None) -> dict[str, Any]:
    """Return the columns of a region.

    `size`: width and height of the picture in pixels. Without it, pixels are not known.
    """
    if "rle" in value or "imageDataURL" in value:
        return {"mask": _mask(value, size)}
    if "sequence" in value:
        return {"sequence": value["sequence"]}
    if "ranges" in value:
        first = (value["ranges"] or [{}])[0]
        return {"start": first.get("start"), "end": first.get("end")}
    if "x" in value or "points" in value or "vertices" in value:
        return _shape(value, size) if size else {}
    return _span(value)


def _mask(value: Mapping[str, Any], size: tuple[float, float] | None) -> dict[str, Any] | None:
    if "imageDataURL" in value:
        return {"png": value["imageDataURL"]}
    if size is None:
        return None
    packed = base64.b64encode(bytes(value["rle"])).decode()
    return {"rle": packed, "width": size[0], "height": size[1]}


def _shape(value: Mapping[str, Any], size: tuple[float, float]) -> dict[str, Any]:
    x_scale, y_scale = size[0] / 100, size[1] / 100
    if "points" in value or "vertices" in value:
        pairs = value.get("points") or [(each["x"], each["y"]) for each in value["vertices"]]
        return _outline([(x * x_scale, y * y_scale) for x, y in pairs])
    x, y = value["x"] * x_scale, value["y"] * y_scale
    rotation = value.get("rotation") or 0
    if "radiusX" in value:
        return _ellipse(x, y, value["radiusX"] * x_scale, value["radiusY"] * y_scale, rotation)
    if "height" not in value:
        return _outline([(x, y)])
    corners = _corners(x, y, value["width"] * x_scale, value["height"] * y_scale, rotation)
    found = _box(corners) | {"rotation": rotation}
    return found | {"points": _rounded(corners)} if rotation else found


def _outline(points: list[tuple[float, float]]) -> dict[str, Any]:
    return _box(points) | {"points": _rounded(points)}


def _corners(
    x: float, y: float, width: float, height: float, rotation: float
) -> list[tuple[float, float]]:
    """Return the corners of a rectangle that is turned clockwise around its first corner."""
    angle = math.radians(rotation)
    cos, sin = math.cos(angle), math.sin(angle)
    return [
        (x, y),
        (x + width * cos, y + width * sin),
        (x + width * cos - height * sin, y + width * sin + height * cos),
        (x - height * sin, y + height * cos),
    ]


def _ellipse(
    x: float, y: float, radius_x: float, radius_y: float, rotation: float
) -> dict[str, Any]:
    angle = math.radians(rotation)
    half_width = math.hypot(radius_x * math.cos(angle), radius_y * math.sin(angle))
    half_height = math.hypot(radius_x * math.sin(angle), radius_y * math.cos(angle))
    return _box([(x - half_width, y - half_height), (x + half_width, y + half_height)]) | {
        "rotation": rotation,
        "radius_x": round(radius_x, 3),
        "radius_y": round(radius_y, 3),
    }


def _box(points: Iterable[tuple[float, float]]) -> dict[str, Any]:
    xs, ys = zip(*points, strict=True)
    return dict(zip(BOX, (round(n, 3) for n in (min(xs), min(ys), max(xs), max(ys))), strict=True))


def _rounded(points: Iterable[tuple[float, float]]) -> list[list[float]]:
    return [[round(x, 3), round(y, 3)] for x, y in points]


def _span(value: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "paragraphlabels" in value:  # offsets inside of a paragraph, which has a number
        found["start"], found["end"] = value.get("startOffset"), value.get("endOffset")
        found["start_paragraph"] = int(value["start"])
        found["end_paragraph"] = int(value["end"])
    elif "globalOffsets" in value:
        found["start"] = value["globalOffsets"].get("start")
        found["end"] = value["globalOffsets"].get("end")
    else:
        found["start"], found["end"] = value.get("start"), value.get("end")
    if isinstance(value.get("text"), str):
        found["text"] = value["text"]
    if "channel" in value:
        found["channel"] = value["channel"]
    return found
