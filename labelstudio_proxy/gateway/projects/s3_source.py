"""The items of a location in S3."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from ...labelling.files import natural
from ...labelling.items import Item
from .label_studio_api import LONGEST_TITLE, SHORTEST_TITLE, LabelStudioAPI
from .s3 import Location, keys_in
from .s3_objects import fitting
from .sources import Context, Source, own_key, shown_by

S3 = "s3"  # this kind of a source


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
    task, found = fitting(
        sorted(keys, key=natural),
        location.url,
        context.task or (shown_by(context.own) if context.own else None),
        own_interface=context.own is not None,
    )
    name = own_key(context.own) if context.own else task.key
    return Source(
        {"kind": "s3", "url": location.url},
        _title(location),
        None if context.own else task,
        name,
        [Item({name: uri}, {"file": uri}) for uri in map(location.uri, found.paths)],
        notes=found.notes(),
        locations=[location],
    )


def _title(location: Location) -> str:
    last = location.prefix.rpartition("/")[2]
    return (last if len(last) >= SHORTEST_TITLE else location.bucket)[:LONGEST_TITLE]
