"""The items of a location in S3."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...labelling.files import OTHER_KIND, Files, LeftOut, natural
from ...labelling.items import Item
from ...labelling.tasks import SUFFIXES, Task, guess_task, medium_of
from ...problem import Problem
from .label_studio_api import LONGEST_TITLE, SHORTEST_TITLE, LabelStudioAPI
from .s3 import Location, keys_in
from .sources import Context, Source, own_key, shown_by

S3 = "s3"  # this kind of a source
NOT_FOUND = "Label Studio finds no object with `?` in its key"
# Label Studio takes the rest of such a key for a query, or loses a letter.
LOST = re.compile(r"[?\x00-\x1f]")
# A project of these needs their content, which the gateway does not read. By medium.
READ = {
    "text": ("texts", "Read them into a DataFrame, and give that: `label(frame, column=…)`."),
    "time-series": ("time series", "Write a `config` with a `<Channel>` for each column."),
}


async def read_s3(
    api: LabelStudioAPI, source: Mapping[str, Any], context: Context, *, allowed: bool
) -> Source:
    """Return what is in `source`, as the client sends it; raises Problem.

    `allowed`: the setting `aws_credentials`.
    """
    recursive = source.get("recursive") is not False
    location = Location.parse(str(source.get("url")), recursive=recursive)
    keys = await keys_in(api, location, allowed=allowed)
    return await asyncio.to_thread(source_of, location, keys, context)


def source_of(location: Location, keys: Sequence[str], context: Context) -> Source:
    """Return the objects that the task is for, by their suffix; raises Problem."""
    if not any(map(medium_of, keys)):
        raise Problem(
            f"None of the objects below {location.url} can be labelled.",
            f"Label Studio shows {', '.join(SUFFIXES)}, by the suffix of the key.",
            "Correct the prefix.",
        )
    task = context.task or (context.own and shown_by(context.own)) or guess_task(keys)
    if task.medium in READ and not context.own:
        what, remedy = READ[task.medium]
        raise Problem(f"The {what} in {location.url} cannot be labelled there.", "", remedy)
    found, left_out = [], dict[str, LeftOut]()
    for key in sorted(keys, key=natural):
        fault = OTHER_KIND if medium_of(key) != task.medium else LOST.search(key) and NOT_FOUND
        if fault:
            left_out.setdefault(fault, LeftOut()).add(key)
        else:
            found.append(key)
    if not found:
        raise _none_of(task, location, keys)
    name = own_key(context.own) if context.own else task.key
    return Source(
        {"kind": "s3", "url": location.url},
        _title(location),
        None if context.own else task,
        name,
        [Item({name: uri}, {"file": uri}) for uri in map(location.uri, found)],
        notes=Files(location.url, found, left_out).notes(),
        location=location,
    )


def _title(location: Location) -> str:
    last = location.prefix.rpartition("/")[2]
    return (last if len(last) >= SHORTEST_TITLE else location.bucket)[:LONGEST_TITLE]


def _none_of(task: Task, location: Location, keys: Sequence[str]) -> Problem:
    return Problem(
        f"There is nothing for {task.name} below {location.url}.",
        f"It has {len(keys):,} objects, for example {location.uri(keys[0])}.",
        f"Choose another prefix or `task`. This one is for {', '.join(sorted(task.suffixes))}.",
    )
