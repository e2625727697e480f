"""Which items of a source a project does not have yet."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any


def new_items(
    there: Iterable[tuple[dict[str, Any], dict[str, Any]]], items: Iterable[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return those of `items` that are not `there` (data and meta of the project's tasks).

    Equal texts of a list count: if one of two is there, the other is new.
    """
    left = Counter(_identity(data, meta) for data, meta in there)
    found = []
    for item in items:
        identity = _identity(item["data"], item["meta"])
        if left[identity]:
            left[identity] -= 1
        else:
            found.append(item)
    return found


def _identity(data: dict[str, Any], meta: dict[str, Any]) -> str:
    if "file" in meta:
        return f"file {meta['file']}"
    if "column" in meta:  # the other columns of a table may change
        return json.dumps([meta.get("index"), data.get(meta["column"])])
    return json.dumps(data, sort_keys=True)
