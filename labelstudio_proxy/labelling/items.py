"""What there is to label, as Label Studio imports it: of files, and of the rows of a table."""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..label_studio.paths import local_file
from ..problem import Problem
from .files import LeftOut
from .tasks import Task

NO_TEXT = "no text in UTF-8"
EMPTY = "empty"
TOO_LONG = "longer than 1 MB"
# A page with more is slow.
_LONGEST = 1_000_000
# Label Studio finds these after `$`.
_SIMPLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_PATH_COLUMNS = ("file", "path", "filename", "file_name", "filepath", "file_path")


@dataclass(frozen=True)
class Item:
    """One task of Label Studio.

    data: what its interface shows.
    meta: where it comes from: {"file": absolute path}, {"index": of the row in its table}.
    """

    data: dict[str, Any]
    meta: dict[str, Any]


@dataclass(frozen=True)
class Table:
    """Rows as JSON has them: a DataFrame, or a list of texts with the column "text"."""

    columns: Sequence[str]
    index: Sequence[Any]
    rows: Sequence[Sequence[Any]]


def file_url(path: str, root: str) -> str:
    """Return the URL in task data of the file `path`, both absolute, below the document `root`."""
    above = root.rstrip("/") + "/"
    if not path.startswith(above):
        raise Problem(
            f"`{path}` is outside of `{root}`, the folder that Label Studio may read.",
            "",
            "Copy the files there. An admin can set `LabelStudioProxy.files_root` to a folder that "
            "contains both.",
        )
    return local_file(path[len(above) :])


def of_files(paths: Iterable[str], key: str, root: str) -> list[Item]:
    """Return an item for each file below the document `root`, which Label Studio serves."""
    return [Item({key: file_url(path, root)}, {"file": path}) for path in paths]


def of_texts(paths: Iterable[str], key: str) -> tuple[list[Item], dict[str, LeftOut]]:
    """Return an item with the text of each file, and the files without one by the reason."""
    items, left_out = [], dict[str, LeftOut]()
    for path in paths:
        text = _text_of(path)
        if isinstance(text, _Fault):
            left_out.setdefault(text.reason, LeftOut()).add(path)
        else:
            items.append(Item({key: text}, {"file": path}))
    return items, left_out


def of_table(
    table: Table, column: str, key: str, urls: Mapping[str, str] | None = None
) -> list[Item]:
    """Return an item for each row: its `column` as `key`, and the other columns as they are.

    urls: by absolute path or URI, if the column has files. Rows with other files are left out.
    """
    _check_index(table.index)
    items = []
    for index, row in zip(table.index, table.rows, strict=True):
        data = dict(zip(table.columns, row, strict=True))
        meta: dict[str, Any] = {"index": index}
        if column != key:
            meta["column"] = column
        value = data.pop(column)
        if urls is not None:
            path = value if value in urls else os.path.abspath(value)  # noqa: PTH100 (without the links)
            if path not in urls:
                continue
            value, meta["file"] = urls[path], path
        items.append(Item({key: value} | data, meta))
    return items


def column_of(table: Table, task: Task, wanted: str | None) -> str:
    """Return the column with what is labelled: texts, or paths of files. Raises Problem."""
    column = _named_column(table, wanted) if wanted is not None else _guessed_column(table, task)
    place = table.columns.index(column)
    for index, row in zip(table.index, table.rows, strict=True):
        value = row[place]
        if _is_missing(value):
            raise Problem(
                f"The row {index!r} has no value in {column!r}.",
                "",
                f"Leave such rows out: `frame.dropna(subset=[{column!r}])`.",
            )
        if not isinstance(value, str):
            raise Problem(
                f"The row {index!r} has {value!r} in {column!r}, which is no text.",
                "",
                f"Convert the column: `frame[{column!r}].astype(str)`.",
            )
    return column


def key_of(columns: Iterable[str], column: str, task: Task) -> str:
    """Return the key of the task data for `column`: its name if Label Studio can find that one."""
    others = {name for name in columns if name != column}
    if task.medium == "text" and _SIMPLE.fullmatch(column):
        return column
    key = task.key
    while key in others:
        key += "_"
    return key


class _Fault:
    def __init__(self, reason: str) -> None:
        self.reason = reason


def _text_of(path: str) -> str | _Fault:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LONGEST + 1)
        text = content.decode("utf-8-sig")
    except OSError:
        return _Fault("not readable")
    except UnicodeDecodeError:
        return _Fault(TOO_LONG if len(content) > _LONGEST else NO_TEXT)
    if len(content) > _LONGEST:
        return _Fault(TOO_LONG)
    if "\0" in text:
        return _Fault(NO_TEXT)
    return text if text.strip() else _Fault(EMPTY)


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value)) or value == ""


def _named_column(table: Table, wanted: str) -> str:
    if wanted in table.columns:
        return wanted
    close = difflib.get_close_matches(wanted, table.columns) or list(table.columns)
    raise Problem(
        f"The table has no column {wanted!r}.", "", f"Use {' or '.join(map(repr, close))}."
    )


def _guessed_column(table: Table, task: Task) -> str:
    likely = (task.key, *(_PATH_COLUMNS if task.medium != "text" else ()))
    texts = [
        name
        for place, name in enumerate(table.columns)
        if any(isinstance(row[place], str) for row in table.rows)
    ]
    named = [name for name in likely if name in texts]
    if named or len(texts) == 1:
        return (named or texts)[0]
    what = "texts" if task.medium == "text" else "paths of files"
    if not texts:
        raise Problem(f"The table has no column with {what}.", "", "Name another table.")
    raise Problem(
        f"The table has several columns with texts: {', '.join(texts)}.",
        "",
        f"Say which has the {what}: `column={texts[0]!r}`.",
    )


def _check_index(index: Sequence[Any]) -> None:
    seen = set()
    for each in index:
        name = str(each) if not isinstance(each, (int, str)) else each
        if name in seen:
            raise Problem(
                f"Two rows of the table have the index {each!r}.",
                "",
                "Give each row a different one: `frame.reset_index(drop=True)`.",
            )
        seen.add(name)
