"""From annotations to rows: one for each labelled item, or one for each region.

docs/projects.md describes the columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..label_studio.paths import FILES
from . import regions
from .interface import NESTED, Control, Interface

# Added to the name of a source's column, or of a control, that another column has.
OF_SOURCE, OF_CONTROL = "_source", "_control"
_ANNOTATION = ("annotator", "created_at", "updated_at", "lead_time", "task_id", "annotation_id")
# Columns that are there only if a row has one.
_RARE = ("relations", "channel", "item_index")

PathOf = Callable[[str], "str | None"]
Result = Sequence[Mapping[str, Any]]  # of an annotation, in Label Studio's format
Row = dict[str, Any]


@dataclass(frozen=True)
class Labelled:
    """A task with one of its annotations, or without one.

    annotation_id: None for a task without an annotation.
    annotator:     an e-mail address; "" if the account was removed.
    created_at, updated_at: in UTC, such as "2026-11-29T16:56:46.000000Z", or "".
    lead_time:     the seconds that the annotator needed, if they are known.
    """

    task_id: int
    data: dict[str, Any]
    meta: dict[str, Any]
    annotation_id: int | None = None
    annotator: str = ""
    created_at: str = ""
    updated_at: str = ""
    lead_time: float | None = None
    skipped: bool = False
    result: Result = ()


@dataclass(frozen=True)
class Table:
    """Some rows, as lists of values."""

    columns: list[str]
    rows: list[list[Any]]


def rows(
    labelled: Iterable[Labelled], interface: Interface, path_of: PathOf = lambda url: None
) -> Iterator[Row]:
    """Return the rows, which JSON can hold: masks stay in Label Studio's encoding.

    path_of: returns the path on this machine of a URL in task data, or None.
    """
    form = _Form.of(interface)
    for each in labelled:
        item = form.source(each, path_of) | _annotation(each)
        found = [] if each.skipped else list(form.described(each.result))
        for described in found or [{"label": None}]:
            yield item | described


def tables(
    found: Iterable[Row],
    interface: Interface,
    *,
    unlabelled: bool = False,
    like: Row | None = None,
    size: int = 1000,
) -> Iterator[Table]:
    """Return the rows in tables of `size`; an empty table if there are no rows.

    A column that only later rows have is in later tables only.

    unlabelled: the rows include skipped items, so there is a column that marks them.
    like:       a row whose columns the first table has in any case.
    """
    form = _Form.of(interface)
    fixed = [*form.columns, *(["skipped"] if unlabelled else [])]
    iterator = iter(found)
    while (batch := list(islice(iterator, size))) or like is not None:
        names = dict.fromkeys(name for row in (like or {}, *batch) for name in row)
        source = [name for name in names if name not in form.reserved]
        columns = [*source, *fixed, *(name for name in _RARE if name in names)]
        yield Table(columns, [[row.get(name) for name in columns] for row in batch])
        like = None


def whole(found: Iterable[Row], interface: Interface) -> Iterator[Row]:
    """Return the rows with all their columns in the order of a table."""
    form = _Form.of(interface)
    for row in found:
        source = {name: value for name, value in row.items() if name not in form.reserved}
        fixed = {name: row.get(name) for name in form.columns}
        yield {**source, **fixed, **{name: row[name] for name in _RARE if name in row}}


def count_labels(results: Iterable[Result], interface: Interface) -> Counter[str]:
    """Return how often the column `label` has each value. Free text is not counted."""
    form = _Form.of(interface)
    counts: Counter[str] = Counter()
    if all(form.controls[name].tag == "TextArea" for name in form.main):
        return counts
    for result in results:
        for row in form.described(result):
            label = row["label"]
            counts.update(map(str, label if isinstance(label, list) else [label]))
    del counts[str(None)]
    return counts


def main_controls(interface: Interface) -> list[Control]:
    """Return the controls whose values the column `label` has."""
    form = _Form.of(interface)
    return [form.controls[name] for name in form.main]


def reserved_columns(interface: Interface) -> frozenset[str]:
    """Return the names that a column of the source cannot have; see OF_SOURCE."""
    return _Form.of(interface).reserved


def _annotation(each: Labelled) -> Row:
    return {
        "annotator": each.annotator or None,
        "created_at": each.created_at or None,
        "updated_at": each.updated_at or None,
        "lead_time": each.lead_time,
        "task_id": each.task_id,
        "annotation_id": each.annotation_id,
        "skipped": each.skipped,
    }


@dataclass(frozen=True)
class _Form:
    """What the rows of an interface look like."""

    keys: tuple[str, ...]  # of the task data that objects show
    controls: Mapping[str, Control]
    main: tuple[str, ...]  # the controls that give the label
    separate: Mapping[str, str]  # other columns: the control's name -> the column's
    columns: tuple[str, ...]  # which each row has, whatever the source is
    reserved: frozenset[str]  # names that a column of the source cannot have

    @classmethod
    def of(cls, interface: Interface) -> _Form:
        controls = {control.name: control for control in interface.controls}
        marking = [each for each in interface.controls if regions.marks_regions(each)]
        valued = [each.name for each in interface.controls if regions.has_values(each)]
        main = [each.name for each in marking if each.name in valued] or (
            ["label"] if "label" in valued else valued[:1]
        )
        described = [
            column
            for each in marking
            for column in regions.columns(each, interface.objects[each.to_name.split(",")[0]][0])
        ]
        ours = {"label", *described, *_ANNOTATION, "region_id", "skipped", *_RARE}
        separate = {
            name: f"{name}{OF_CONTROL}" if name in ours else name
            for name in valued
            if len(valued) > 1 and not (name == "label" and name in main)
        }
        last = ["region_id"] if marking else []
        columns = dict.fromkeys(["label", *described, *separate.values(), *_ANNOTATION, *last])
        rare = _RARE if marking else ()
        return cls(
            keys=tuple(dict.fromkeys(key for _, key in interface.objects.values() if key)),
            controls=controls,
            main=tuple(main),
            separate=separate,
            columns=tuple(columns),
            reserved=frozenset((*columns, "skipped", *rare)),
        )

    def source(self, each: Labelled, path_of: PathOf) -> Row:
        """Return the columns of the item: its index, its file, and its other data."""
        row: Row = {}
        if "index" in each.meta:
            row["index"] = each.meta["index"]
        if file := each.meta.get("file"):
            row["file"] = file
        for key, value in each.data.items():
            name = key
            if key in self.keys and isinstance(value, str):
                name = each.meta.get("column", key)
                if len(self.keys) > 1:
                    value = path_of(value) or value
                elif file:
                    if value == file or value.startswith(FILES):
                        continue
                elif path := path_of(value):
                    row["file"] = path
                    continue
            taken = name in self.reserved or name in row
            row[f"{name}{OF_SOURCE}" if taken else name] = value
        return row

    def described(self, result: Result) -> Iterator[Row]:
        """Return the labels, the other controls' values and the place of each row."""
        whole, areas, relations = _sorted(result)
        of_item = self._values(whole)
        if of_item and not areas:
            yield self._named(of_item)
        for entries in areas:
            row = self._named(of_item | self._values(entries)) | self._place(entries)
            row["region_id"] = entries[0].get("id")
            if row["region_id"] in relations:
                row["relations"] = relations[row["region_id"]]
            yield row

    def _values(self, entries: Iterable[Mapping[str, Any]]) -> Row:
        """Return what each control says, by its name."""
        found: dict[str, Any] = {}
        for entry in entries:
            name, value = entry["from_name"], _value(entry)
            if isinstance(value, list):
                found[name] = [*found.get(name, ()), *map(_path, value)]
            elif value is not None:
                found[name] = value
        return {name: self._plain(name, value) for name, value in found.items()}

    def _plain(self, name: str, value: Any) -> Any:
        """Return one value without its list, unless the control takes several."""
        if not isinstance(value, list) or len(value) > 1:
            return value
        control = self.controls.get(name)
        if control and control.multiple and control.tag != "TextArea":
            return value or None
        return value[0] if value else None

    def _named(self, values: Row) -> Row:
        label = next((values[name] for name in self.main if name in values), None)
        return {"label": label} | {
            column: values.get(name) for name, column in self.separate.items()
        }

    def _place(self, entries: Result) -> Row:
        # A text area's own text would hide that of its span.
        entry = next((each for each in entries if each.get("type") != "textarea"), entries[0])
        width, height = entry.get("original_width"), entry.get("original_height")
        place = regions.fields(entry["value"], (width, height) if width and height else None)
        if "item_index" in entry:
            place["item_index"] = entry["item_index"]
        return place


def _sorted(result: Result) -> tuple[Result, Iterable[Result], Mapping[str, list[Row]]]:
    """Return entries for the whole item, those of each region, and relations by their start."""
    whole: list[Mapping[str, Any]] = []
    areas: dict[object, list[Mapping[str, Any]]] = {}
    relations: dict[str, list[Row]] = {}
    for entry in result:
        if entry.get("type") == "relation":
            relation = {"to": entry["to_id"], "direction": entry.get("direction", "right")}
            relation["labels"] = entry.get("labels") or []
            relations.setdefault(entry["from_id"], []).append(relation)
        elif "value" not in entry or "from_name" not in entry:
            continue  # Label Studio accepts this from programs, and shows nothing
        elif regions.is_region(entry["value"]):
            # entries that a program made may have no id
            areas.setdefault(entry.get("id") or id(entry), []).append(entry)
        else:
            whole.append(entry)
    return whole, areas.values(), relations


# The key of a result's value; by default its type.
_KEYS = {
    "textarea": "text",
    "pairwise": "selected",
    "videorectangle": "labels",
    "videovector": "labels",
}


def _value(entry: Mapping[str, Any]) -> Any:
    kind = entry.get("type", "")
    return entry["value"].get(_KEYS.get(kind, kind))


def _path(value: Any) -> Any:
    """Return a nested choice as the interface names it."""
    return NESTED.join(map(str, value)) if isinstance(value, list) else value
