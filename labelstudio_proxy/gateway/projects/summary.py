"""What a card shows of a project's labels: how often each one is there, and the last ones."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import PurePath

from ... import api_types
from ...data_directory.annotations import UnknownTables, last, read
from ...data_directory.directory import DataDirectory
from ...label_studio import paths
from ...labelling.interface import Interface
from ...labelling.rows import Labelled, count_labels, main_controls
from ...problem import Problem
from .label_studio_api import LabelStudioAPI

LAST = 8
TEXT = 80  # characters


def summary(
    directory: DataDirectory, number: int, config: str, prefix: str, *, external_database: bool
) -> api_types.Summary | None:
    """Return how often each label occurs, and the last labelled items.

    Returns None if the gateway cannot read the database. Blocks.

    config: the labelling interface. prefix: of Label Studio, for the addresses of pages and pictures.
    """
    try:
        interface = Interface.parse(config)
        if external_database:
            raise UnknownTables
        results = (each.result for each in read(directory, number))
        counts = count_labels(results, interface)
        newest = last(directory, number, LAST)
    except (Problem, UnknownTables, sqlite3.Error):
        return None
    items = [shown(each, interface, number, prefix) for each in newest]
    return {"label_counts": dict(counts.most_common()), "last": items}


async def summary_by_api(api: LabelStudioAPI, number: int, config: str) -> api_types.Summary:
    """Return how often each label occurs by Label Studio's count, which includes skipped items.

    `last` is empty. Label Studio counts each part of a nested choice, so these are left out. Raises Problem.
    """
    counts: Counter[str] = Counter()
    try:
        controls = main_controls(Interface.parse(config))
    except Problem:  # of a project that is not set up
        return {"label_counts": {}, "last": []}
    found = await api.get(paths.project_summary(number))
    for control in controls:
        if control.tag != "Taxonomy":
            counts.update(found["created_labels"].get(control.name, {}))
    return {"label_counts": dict(counts.most_common()), "last": []}


def shown(each: Labelled, interface: Interface, number: int, prefix: str) -> api_types.LabelledItem:
    """Return what a card shows of one labelled item."""
    image = text = ""
    for tag, key in interface.objects.values():
        value = each.data.get(key)
        if isinstance(value, str) and value:
            if tag == "Image":
                image = image or _address(value, each.task_id, prefix)
            elif tag in {"Text", "HyperText"}:
                text = text or value[:TEXT]
    return {
        "labels": list(count_labels([each.result], interface)),
        "image": image,
        "text": text or PurePath(str(each.meta.get("file", ""))).name,
        "url": prefix + paths.task_page(number, each.task_id),
    }


def _address(value: str, task: int, prefix: str) -> str:
    """Return the address of a picture in a browser."""
    if value.startswith("/"):
        return prefix + value.lstrip("/")
    if value.startswith(("http://", "https://")):
        return value
    return prefix + paths.cloud_file(task, value)
