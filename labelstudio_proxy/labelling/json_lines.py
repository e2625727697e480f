"""Labels as JSON lines: one row a line, so that Git shows what has changed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from .interface import Interface
from .rows import Labelled, PathOf, rows, whole


class Lines(NamedTuple):
    """The lines of one annotation; `updated_at` as in Labelled."""

    annotation_id: int
    updated_at: str
    text: bytes


def json_lines(
    labelled: Iterable[Labelled], interface: Interface, path_of: PathOf, folder: str
) -> Iterator[Lines]:
    """Return the rows as lines of JSON, in UTF-8.

    path_of: as for `rows`.
    folder:  paths below it are relative to it. So they also hold in a colleague's copy.
    """

    def relative_path_of(url: str) -> str | None:
        path = path_of(url)
        return path and relative(path, folder)

    found = whole(rows(labelled, interface, relative_path_of), interface)
    for number, group in groupby(found, key=lambda row: row["annotation_id"]):
        text, changed = b"", ""
        for row in group:
            changed = row["updated_at"] or ""
            if isinstance(file := row.get("file"), str):
                row["file"] = relative(file, folder)
            text += _line(row)
        yield Lines(number, changed, text)


def relative(path: str, folder: str) -> str:
    """Return a path below `folder` relative to it, and another one as it is."""
    return path.removeprefix(os.path.join(folder, ""))  # noqa: PTH118


def _line(row: object) -> bytes:
    # JSON escapes the bytes of names that are no UTF-8 as Python does: \udcff.
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
