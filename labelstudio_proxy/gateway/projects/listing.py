"""Projects as programs get them, and the project of a source."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from typing import Any

from ... import api_types
from ...data_directory.annotations import StoredProject
from ...data_directory.project_records import ProjectRecord
from ...label_studio import paths
from ...labelling.interface import Interface
from ...problem import Problem
from .label_studio_api import LONGEST_TITLE
from .sources import Source


def project_json(
    project: dict[str, Any],
    record: ProjectRecord | None,
    *,
    prefix: str,
    keep_problem: str,
    new_browser_tab: bool,
) -> api_types.Project:
    """Return what programs learn of a project, given Label Studio's record of it and ours."""
    path = paths.labelling_page(project["id"])
    return {
        "id": project["id"],
        "title": project["title"],
        "path": path,
        "url": prefix + path,
        "task": task_of(project, record),
        "total": project["task_number"] or 0,
        "labelled": project["num_tasks_with_annotations"] or 0,
        "labels": labels_of(project["label_config"]),
        "source": record.source if record else {},
        "keep": record.keep if record else "",
        "keep_problem": keep_problem,
        "new_browser_tab": new_browser_tab,
    }


def as_listed(stored: StoredProject) -> dict[str, Any]:
    """Return a project of the database with the names of Label Studio's API."""
    return {
        "id": stored.id,
        "title": stored.title,
        "label_config": stored.label_config,
        "task_number": stored.total,
        "num_tasks_with_annotations": stored.labelled,
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


def candidates(
    every: Iterable[dict[str, Any]],
    records: Iterable[ProjectRecord],
    source: Source,
    title: str,
) -> list[dict[str, Any]]:
    """Return those of `every` project that were made over `source`, newest first.

    `title`: the user's; "" for those with a title of ours.
    """
    meant = re.compile(re.escape(title) if title else f"{re.escape(source.title)}( \\d+)?")
    numbers = {
        record.id
        for record in records
        if record.source == source.identity and meant.fullmatch(record.title)
    }
    return [project for project in every if project["id"] in numbers]


def free_title(title: str, every: Iterable[dict[str, Any]]) -> str:
    """Return `title`, with a number if a project has it already."""
    taken = {project["title"] for project in every}
    numbers = (f" {number}" for number in itertools.count(2))
    return next(
        name
        for end in itertools.chain([""], numbers)
        if (name := title[: LONGEST_TITLE - len(end)] + end) not in taken
    )
