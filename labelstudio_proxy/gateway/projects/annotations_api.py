"""The labels of a project by Label Studio's API, for databases that are not SQLite or not known.

It takes some forty times as long as `data_directory.annotations`.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from ...label_studio import paths
from ...labelling.rows import Labelled

PAGE = 500  # tasks

# Gets the path and the query of a request, returns the JSON response.
Get = Callable[..., Awaitable[Any]]

_ANNOTATED = {
    "filter": "filter:tasks:total_annotations",
    "operator": "greater",
    "type": "Number",
    "value": 0,
}


async def read(
    get: Get, project: int, *, unlabelled: bool = False, limit: int = 0
) -> AsyncIterator[list[Labelled]]:
    """Return what `data_directory.annotations.read` returns, in several parts.

    limit: so many tasks at most. Raises what `get` raises.
    """
    conditions = [] if unlabelled else [_ANNOTATED]
    query = {
        "filters": {"conjunction": "and", "items": conditions},
        "ordering": ["tasks:id"],
    }
    done, page = 0, 0
    while True:
        page += 1
        found = await get(
            paths.TASKS,
            project=project,
            fields="all",
            resolve_uri="false",
            page=page,
            page_size=limit or PAGE,
            query=json.dumps(query),
        )
        tasks = found["tasks"]
        yield [each for task in tasks for each in _labelled(task, unlabelled=unlabelled)]
        done += len(tasks)
        if limit or not tasks or done >= found["total"]:
            return


def _labelled(task: Mapping[str, Any], *, unlabelled: bool) -> list[Labelled]:
    about: dict[str, Any] = {
        "task_id": task["id"],
        "data": task["data"],
        "meta": task.get("meta") or {},
    }
    found = [
        Labelled(
            **about,
            annotation_id=each["id"],
            annotator=_email(each.get("created_username") or ""),
            created_at=_utc(each["created_at"]),
            updated_at=_utc(each["updated_at"]),
            lead_time=each["lead_time"],
            skipped=each["was_cancelled"],
            result=each["result"] or [],
        )
        for each in sorted(task["annotations"], key=lambda each: int(each["id"]))
        if unlabelled or not each["was_cancelled"]
    ]
    return found or ([Labelled(**about, result=[])] if unlabelled else [])


def _email(name: str) -> str:
    """Return the address in "Ada Lovelace ada@example.org, 1"."""
    found = re.search(r"(\S+), \d+$", name)
    return found[1] if found else ""


def _utc(moment: str) -> str:
    """Return a time as Labelled has it. Label Studio leaves out a fraction that is 0."""
    return moment if "." in moment else moment.replace("Z", ".000000Z")
