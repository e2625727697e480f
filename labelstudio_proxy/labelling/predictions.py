"""From the rows of a model's output to Label Studio's predictions: what `rows` does, backwards.

docs/projects.md describes the columns. Everything is checked before anything is sent.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..problem import Problem
from . import places
from .interface import NESTED, Control, Interface
from .matching import KEY, Item, Items
from .rows import OF_CONTROL

SizeOf = Callable[[Item], "places.Size | None"]
# Reports how many rows are done.
Done = Callable[[int], None]

# The key of a result's value, for controls that describe the whole item.
_WHOLE = {
    "Choices": "choices",
    "Taxonomy": "taxonomy",
    "TextArea": "text",
    "Rating": "rating",
    "Number": "number",
}
# Labels that a message lists.
LISTED = 20


@dataclass(frozen=True)
class Columns:
    """Which columns of the rows hold the labels and the scores."""

    label: str = "label"
    score: str = "score"


@dataclass
class Prediction:
    """What a model says of one item, as Label Studio's import takes it."""

    task: int
    row: int  # the first row that it is from
    result: list[dict[str, Any]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    @property
    def score(self) -> float | None:
        """The mean of its rows' scores."""
        return sum(self.scores) / len(self.scores) if self.scores else None


def predictions(
    rows: Sequence[Mapping[str, Any]],
    items: Items,
    interface: Interface,
    columns: Columns = Columns(),
    *,
    size_of: SizeOf = lambda item: None,
    done: Done = lambda count: None,
) -> list[Prediction]:
    """Return one prediction for each item that `rows` are for; raises Problem with the row.

    size_of: returns the width and height of an item's picture in pixels, or None; it may block.
    """
    if not rows:
        raise Problem("There are no predictions.", "The table has no rows.", "")
    reader = _Reader(interface, columns, size_of)
    if any(each.tag == "RectangleLabels" for each in reader.regions):
        _check_pixels(rows)
    found: dict[int, Prediction] = {}
    for position, row in enumerate(rows):
        if position % 1000 == 0:
            done(position)
        for item in items.find(row, position):
            is_new = item.task_id not in found
            prediction = found.setdefault(item.task_id, Prediction(item.task_id, position))
            if not is_new and not reader.regions:
                raise Problem(
                    f"Rows {prediction.row} and {position} are for the same item.",
                    _name(item),
                    "Give one row for each item.",
                )
            reader.add(prediction, row, position, item)
    return list(found.values())


def _check_pixels(rows: Iterable[Mapping[str, Any]]) -> None:
    """Raise Problem if all boxes would be smaller than a pixel, as the shares of YOLO's files are."""
    sides = [row.get(name) for row in rows for name in ("x_min", "y_min", "x_max", "y_max")]
    numbers = [each for each in sides if isinstance(each, int | float)]
    if numbers and max(numbers) <= 1:
        raise Problem(
            "The boxes are smaller than a pixel.",
            f"No coordinate is larger than {max(numbers):g}. They seem to be shares of the picture.",
            "Give pixels: multiply x by the width of the picture, and y by its height.",
        )


class _Reader:
    """Turns rows into results."""

    def __init__(self, interface: Interface, columns: Columns, size_of: SizeOf) -> None:
        self._interface, self._columns, self._size_of = interface, columns, size_of
        self._sizes: dict[int, places.Size | None] = {}
        whole = [each for each in interface.controls if each.tag in _WHOLE and not each.per_region]
        self.regions = [each for each in interface.controls if self._draws(each)]
        named = [each for each in whole if each.name == "label"]
        self._main = None if self.regions else next(iter(named or whole), None)
        # The other controls have separate columns, as in `rows`.
        self._others = [each for each in whole if each is not self._main]
        if self._main is None and not self.regions:
            tags = ", ".join(dict.fromkeys(f"<{each.tag}>" for each in interface.controls))
            raise Problem(
                "This project cannot show predictions of a table.",
                f"Its labelling interface has {tags}.",
                "Rows can be for "
                + ", ".join(f"<{tag}>" for tag in (*_WHOLE, *places.NEEDED))
                + ". For others, use Label Studio's API.",
            )

    def add(
        self, prediction: Prediction, row: Mapping[str, Any], position: int, item: Item
    ) -> None:
        """Add what `row` says to a prediction; raises Problem."""
        values = self._labels(row, position)
        score = self._score(row, position)
        if self._main is not None:
            if not values and self._speech and "" in row.values():  # a silent recording
                return
            if not values:
                raise Problem(
                    f"Row {position} has no label.",
                    f"{_name(item)} Its `{self._columns.label}` is {row[self._columns.label]!r}.",
                    "Leave the row out, or give it a label.",
                )
            entry = self._entry(self._main, item, prediction)
            entry["value"] = _whole_value(self._main, values, position)
            prediction.result.append(entry)
        elif region := self._region(row, position, item, values, prediction):
            prediction.result.append(region if score is None else region | {"score": score})
        for control in self._others:
            self._add_other(prediction, control, row, position, item)
        if score is not None:
            prediction.scores.append(score)

    def _add_other(
        self,
        prediction: Prediction,
        control: Control,
        row: Mapping[str, Any],
        position: int,
        item: Item,
    ) -> None:
        value = row.get(f"{control.name}{OF_CONTROL}")
        if value is None and control.name not in item.data:
            value = row.get(control.name)
        if value is None or any(each["from_name"] == control.name for each in prediction.result):
            return
        entry = self._entry(control, item, prediction)
        entry["value"] = _whole_value(control, _texts(value), position)
        prediction.result.append(entry)

    def _region(
        self,
        row: Mapping[str, Any],
        position: int,
        item: Item,
        values: list[str],
        prediction: Prediction,
    ) -> dict[str, Any] | None:
        """Return the result for a row's region; None for a row that says that there is none."""
        control = next((each for each in self.regions if places.fits(each.tag, row)), None)
        if control is None:
            given = [each for each in places.PLACES if row.get(each) is not None]
            if not given and not values:
                return None
            raise self._without_place(row, position, item)
        if not values:
            raise Problem(
                f"Row {position} has no label.",
                _name(item),
                f"Give its region one of {_listed(control.labels)}.",
            )
        _check(control, values, position)
        entry = self._entry(control, item, prediction)
        try:
            value = self._place(control, row, item, entry)
        except places.Unfit as unfit:
            raise Problem(f"Row {position} has {unfit}.", _name(item), "") from None
        entry["value"] = value | {control.tag.lower(): values}
        return entry

    def _place(
        self, control: Control, row: Mapping[str, Any], item: Item, entry: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the place of a region, and add what belongs to it to `entry`; raises Unfit."""
        if control.tag == "TimeSeriesLabels":
            return places.place_in_time(row) | {"instant": row["start"] == row["end"]}
        tag, key = self._interface.objects[control.to_name]
        if tag == "Text":
            return places.place_in_text(row, str(item.data.get(key, "")))
        if tag == "Audio":
            return places.place_in_time(row) | {"channel": row.get("channel") or 0}
        if item.task_id not in self._sizes:
            self._sizes[item.task_id] = self._size_of(item)
        size = self._sizes[item.task_id] or places.size_in(row)
        if size is None:
            raise places.Unfit(
                "pixels of a picture whose size is not known; add the columns `width` and `height`"
            )
        entry |= {"original_width": size[0], "original_height": size[1], "image_rotation": 0}
        return places.place_on_picture(control.tag, row, size)

    def _without_place(self, row: Mapping[str, Any], position: int, item: Item) -> Problem:
        needed = dict.fromkeys(places.NEEDED[each.tag] for each in self.regions)
        wanted = " or ".join(", ".join(f"`{each}`" for each in columns) for columns in needed)
        empty = [f"`{each}`" for each in dict.fromkeys(sum(needed, ())) if row.get(each) is None]
        return Problem(
            f"Row {position} has no value for {', '.join(empty)}."
            if empty
            else f"Row {position} describes nothing that this project has.",
            f"{_name(item)} A row of this project needs {wanted}.",
            "",
        )

    def _draws(self, control: Control) -> bool:
        if control.tag not in places.NEEDED:
            return False
        tag = self._interface.objects.get(control.to_name, ("", ""))[0]
        return tag in {
            "Labels": ("Text", "Audio"),
            "TimeSeriesLabels": ("TimeSeries",),
        }.get(control.tag, ("Image",))

    def _entry(self, control: Control, item: Item, prediction: Prediction) -> dict[str, Any]:
        return {
            # The same at each run, so that predictions can be compared.
            "id": f"{item.task_id}-{len(prediction.result)}",
            "from_name": control.name,
            "to_name": control.to_name,
            "type": control.tag.lower(),
        }

    def _labels(self, row: Mapping[str, Any], position: int) -> list[str]:
        column = self._columns.label
        if column not in row and column == "label" and self._speech and "text" in row:
            column = "text"
        if column not in row:
            raise Problem(
                f"Row {position} has no column {column!r}.",
                f"Its columns are {', '.join(repr(each) for each in row if each != KEY)}.",
                "Choose the one with the labels with `column`.",
            )
        return _texts(row[column])

    @property
    def _speech(self) -> bool:
        return self._main is not None and self._main.tag == "TextArea"

    def _score(self, row: Mapping[str, Any], position: int) -> float | None:
        column = self._columns.score
        if column not in row:
            if column == Columns.score:
                return None
            raise Problem(
                f"Row {position} has no column {column!r}.",
                f"Its columns are {', '.join(repr(each) for each in row if each != KEY)}.",
                "Choose the one with the scores with `score`.",
            )
        value = row[column]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise Problem(
                f"Row {position} has the score {'NaN' if value is None else repr(value)}.",
                "A score is a number from 0 to 1.",
                f"Correct the column {column!r}, or leave it out.",
            )
        return float(value)


def _whole_value(control: Control, values: list[str], position: int) -> dict[str, Any]:
    """Return the value of a result for the whole item; raises Problem."""
    key = _WHOLE[control.tag]
    if len(values) > 1 and not control.multiple:
        raise Problem(
            f"Row {position} has {len(values)} labels: {', '.join(map(repr, values))}.",
            f"<{control.tag}> {control.name!r} takes one.",
            "Give one label.",
        )
    if control.tag in {"Rating", "Number"}:
        try:
            number = float(values[0])
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise Problem(
                f"Row {position} has {values[0]!r} for <{control.tag}> {control.name!r}.",
                "It takes a number.",
                "Correct it.",
            )
        return {key: int(number) if number == int(number) else number}
    _check(control, values, position)
    if control.tag == "Taxonomy":
        return {key: [value.split(NESTED) for value in values]}
    return {key: values}


def _check(control: Control, values: Iterable[str], position: int) -> None:
    """Raise Problem for a label that the project does not have."""
    if not control.labels:  # free text, or labels that come from the data
        return
    for value in values:
        if value not in control.labels:
            close = difflib.get_close_matches(value, control.labels, cutoff=0.5)
            close += [each for each in control.labels if each.lower() == value.strip().lower()]
            raise Problem(
                f"Row {position} has the label {value!r}, which the project does not have.",
                f"Its labels are {_listed(control.labels)}.",
                f"Did you mean {' or '.join(map(repr, dict.fromkeys(close)))}?"
                if close
                else "Use one of these, or add the label in the settings of the project.",
            )


def _texts(value: Any) -> list[str]:
    """Return one value, or a list of them, as texts; numbers without a fraction as whole ones."""
    values = value if isinstance(value, list) else [value]
    return [
        str(int(each)) if isinstance(each, float) and each.is_integer() else str(each)
        for each in values
        if each is not None and each != ""
    ]


def _listed(labels: Sequence[str]) -> str:
    text = ", ".join(map(repr, labels[:LISTED]))
    rest = len(labels) - LISTED
    return f"{text} and {rest} more" if rest > 0 else text


def _name(item: Item) -> str:
    """Return a sentence that names an item."""
    content = item.meta.get("file") or next(
        (value for value in item.data.values() if isinstance(value, str)), f"task {item.task_id}"
    )
    return f"It is for {content!r}." if len(content) <= 200 else f"It is for {content[:200]!r}…"
