"""Projects as programs get them, and the project of a source."""

from __future__ import annotations

import asyncio
from typing import Any

from ...data_directory.project_records import ProjectRecord, ProjectRecords
from ...label_studio import paths
from ...labelling.interface import Interface
from ...problem import Problem
from .label_studio_api import LabelStudioAPI
from .sources import Source


def project_json(project: dict[str, Any], record: ProjectRecord | None) -> dict[str, Any]:
    """Return what programs learn of a project, given Label Studio's record of it and ours."""
    return {
        "id": project["id"],
        "title": project["title"],
        "path": paths.labelling_page(project["id"]),
        "task": task_of(project, record),
        "total": project["task_number"] or 0,
        "labelled": project["num_tasks_with_annotations"] or 0,
        "labels": labels_of(project["label_config"]),
        "source": record.source if record else {},
        "keep": record.keep if record else "",
    }


def task_of(project: dict[str, Any], record: ProjectRecord | None) -> str:
    """Return the task of a project; "" if people have changed its labelling interface, or made it."""
    return record.task if record else ""


def labels_of(config: str) -> list[str]:
    """Return the labels that people can choose from."""
    try:
        controls = Interface.parse(config).controls
    except Problem:  # of a project that is not set up
        return []
    return list(dict.fromkeys(label for control in controls for label in control.labels))


async def find(
    api: LabelStudioAPI, records: ProjectRecords, source: Source, title: str
) -> dict[str, Any] | None:
    """Return the project that was made over `source` with `title`; None if there is none yet."""
    for record in reversed(await asyncio.to_thread(records.all)):
        if record.source == source.identity and record.title == (title or source.title):
            project = await api.project(record.id)
            if project is not None:
                return project
            await asyncio.to_thread(records.remove, record.id)  # a user has deleted the project
    return None
