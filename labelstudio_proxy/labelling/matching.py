"""Which item of a project a row of a model's output is for."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..problem import Problem
from .interface import Interface
from .rows import OF_SOURCE, PathOf, reserved_columns

# The key of a row that holds the index of a DataFrame or Series, or the key of a dict.
KEY = "_key"


@dataclass(frozen=True)
class Item:
    """A task of a project."""

    task_id: int
    data: Mapping[str, Any]
    meta: Mapping[str, Any]


class Items:
    """The items of a project."""

    def __init__(
        self,
        items: Iterable[Item],
        interface: Interface,
        *,
        folders: Sequence[str] = (),
        path_of: PathOf = lambda url: None,
        real: Callable[[str], str] = os.path.realpath,
    ) -> None:
        """`folders`: what relative paths in rows may be relative to, in this order.

        path_of: returns the path on this machine of a URL in task data, or None.
        real:    returns a path without links; it may read the disk.
        """
        self._folders, self._path_of, self._real = folders, path_of, real
        self._keys = [key for _, key in interface.objects.values() if key]
        self._reserved = reserved_columns(interface)
        self._by_id = {each.task_id: each for each in items}
        self._by_name: dict[str, list[Item]] = {}
        self._by_index: dict[str, list[Item]] = {}
        columns: dict[str, None] = {}  # of tables, that have another name in the task data
        for each in self._by_id.values():
            for name in self._names(each):
                self._by_name.setdefault(name, []).append(each)
            if "index" in each.meta:
                self._by_index.setdefault(_json(each.meta["index"]), []).append(each)
            if "column" in each.meta:
                columns[each.meta["column"]] = None
        self._by_real_path: dict[str, list[Item]] | None = None
        self._name_columns = self._columns_with_names(columns)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._by_id.values())

    def find(self, row: Mapping[str, Any], position: int) -> list[Item]:
        """Return the item that `row` names, or several with the same content; raises Problem."""
        if row.get("task_id") is not None:
            return [self._by_number(row["task_id"], position)]
        named: list[Any] = []
        for column in self._name_columns:
            if (name := row.get(column)) is not None:
                if found := self._named(name):
                    return self._narrowed(found, row)
                named.append(name)
                break
        else:
            key = row.get(KEY, row.get("index"))
            # The default index of a table that is not the project's says nothing.
            if key is not None and (self._by_index or isinstance(key, str)):
                if found := self._by_index.get(_json(key)) or self._named(key):
                    return found
                named.append(key)
            # For spans, this is the text of the span, or that of the item.
            for name in (row.get(each) for each in self._keys if each in self._reserved):
                if isinstance(name, str) and (found := self._named(name)):
                    return self._narrowed(found, row)
        raise _unknown(position, named[0]) if named else self._unnamed(position, row)

    def _columns_with_names(self, columns: Iterable[str]) -> list[str]:
        """Return the columns of a row that may name an item, the best first."""
        candidates = dict.fromkeys(["file", *columns, *self._keys])
        return [f"{each}{OF_SOURCE}" if each in self._reserved else each for each in candidates]

    def _names(self, item: Item) -> set[str]:
        values = [item.meta.get("file")]
        for key in self._keys:
            value = item.data.get(key)
            values += [value, self._path_of(value) if isinstance(value, str) else None]
        return {value for value in values if isinstance(value, str)}

    def _named(self, name: Any) -> list[Item]:
        if not isinstance(name, str):
            return []
        if found := self._by_name.get(name):
            return found
        paths = [os.path.normpath(os.path.join(folder, name)) for folder in self._folders]  # noqa: PTH118
        for path in paths:
            if found := self._by_name.get(path):
                return found
        if self._by_real_path is None:
            self._by_real_path = {
                self._real(path): found
                for path, found in self._by_name.items()
                if path.startswith("/") and "\0" not in path
            }
        return next(
            (
                found
                for path in paths
                if "\0" not in path and (found := self._by_real_path.get(self._real(path)))
            ),
            [],
        )

    def _narrowed(self, found: list[Item], row: Mapping[str, Any]) -> list[Item]:
        """Return those of several items with the same content that the row's index means."""
        if len(found) == 1:
            return found
        key = _json(row.get(KEY, row.get("index")))
        return [each for each in found if _json(each.meta.get("index")) == key] or found

    def _by_number(self, number: Any, position: int) -> Item:
        try:
            return self._by_id[number]
        except (KeyError, TypeError):
            raise Problem(
                f"Row {position} is for the task {number!r}, which the project does not have.",
                "",
                "Take `task_id` from the project's `to_dataframe(unlabelled=True)`, or name the items "
                "by `file`.",
            ) from None

    def _unnamed(self, position: int, row: Mapping[str, Any]) -> Problem:
        columns = [each for each in row if each != KEY]
        return Problem(
            f"Row {position} does not say which item it is for.",
            f"Its columns are {', '.join(map(repr, columns))}.",
            f"Add one of {', '.join(map(repr, ('task_id', *self._name_columns)))}.",
        )


def _unknown(position: int, name: Any) -> Problem:
    return Problem(
        f"Row {position} is for {_short(name)}, which the project does not have.",
        "",
        "Leave the row out, or `add` the item to the project.",
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
