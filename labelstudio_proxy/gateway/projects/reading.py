"""Which items of a source a project does not have yet."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ...labelling.items import Item
from ...labelling.rows import Labelled


def new_items(there: Iterable[Labelled], items: Iterable[Item], key: str) -> list[Item]:
    """Return those of `items` that are not `there`.

    `there`: the tasks of the project, once for each annotation. `key`: of the data that has what is
    labelled. Equal texts of a list count: if one of two is there, the other is new.
    """
    tasks = {each.task_id: each for each in there}
    left = Counter(_identity(task.data, task.meta, key) for task in tasks.values())
    found = []
    for item in items:
        identity = _identity(item.data, item.meta, key)
        if left[identity]:
            left[identity] -= 1
        else:
            found.append(item)
    return found


def _identity(data: Mapping[str, Any], meta: Mapping[str, Any], key: str) -> str:
    """Return the same for the same item; the other columns of a table may change."""
    if "file" in meta:
        return f"file {meta['file']}"
    return json.dumps([meta.get("index"), data.get(key)])
