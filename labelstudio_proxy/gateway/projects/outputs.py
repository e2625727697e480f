"""What a model's output in a request says about a project's items."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagesize

from ...data_directory.project_records import ProjectRecord
from ...labelling.interface import Interface
from ...labelling.matching import Item, Items
from ...labelling.places import Size
from ...labelling.predictions import Columns, Prediction, predictions
from ...labelling.rows import Labelled, PathOf
from ...problem import Problem
from .stream import Report


@dataclass(frozen=True)
class Output:
    """A model's output, as the client sends it."""

    version: str
    rows: Sequence[dict[str, Any]]
    columns: Columns
    base: str  # the folder of relative paths

    @classmethod
    def of(cls, body: dict[str, Any], base: str) -> Output:
        """Return the output in a request; raises Problem. `base`: of relative paths."""
        version, rows = body.get("model_version"), body.get("rows")
        if not isinstance(version, str) or not version.strip():
            raise Problem(
                f"`model_version` is {version!r}.", "", 'Write a name, for example `"v1"`.'
            )
        if not isinstance(rows, list) or not all(isinstance(each, dict) for each in rows):
            raise Problem("`rows` is no list of objects.", "", "Send one object for each row.")
        columns = Columns(str(body.get("column", "label")), str(body.get("score", "score")))
        return cls(version, rows, columns, base)


async def read_output(
    output: Output,
    interface: Interface,
    labels: AsyncIterator[list[Labelled]],
    record: ProjectRecord | None,
    path_of: PathOf,
    report: Report,
) -> list[Prediction]:
    """Return the predictions for a project; raises Problem.

    labels: of all its tasks. record: what `label()` was given, if that is known.
    """
    there: dict[int, Item] = {}
    async for part in labels:
        there.update({each.task_id: Item(each.task_id, each.data, each.meta) for each in part})
    loop = asyncio.get_running_loop()
    pictures = [key for tag, key in interface.objects.values() if tag == "Image"]

    def done(count: int) -> None:
        what = "Checking the predictions"
        loop.call_soon_threadsafe(report, count, len(output.rows), what)

    def size_of(item: Item) -> Size | None:
        for url in (item.data.get(key) for key in pictures):
            path = item.meta.get("file") or (isinstance(url, str) and path_of(url))
            return picture_size(path) if path else None
        return None

    def check() -> list[Prediction]:
        folders = [
            output.base,
            *([record.source["path"]] if record and "path" in record.source else []),
        ]
        items = Items(there.values(), interface, folders=folders, path_of=path_of)
        return predictions(
            output.rows, items, interface, output.columns, size_of=size_of, done=done
        )

    return await asyncio.to_thread(check)


def picture_size(path: str) -> Size | None:
    """Return the width and height of a picture as browsers show it; None if it cannot be read."""
    width, height = imagesize.get(Path(path))
    return (width, height) if width > 0 and height > 0 else None
