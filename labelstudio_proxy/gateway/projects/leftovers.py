"""Projects that a gateway has begun and, because it was killed, neither recorded nor removed."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ...data_directory.project_records import ProjectRecords
from .label_studio_api import LabelStudioAPI

logger = logging.getLogger(__name__)

# The description of a project until its record is written.
UNFINISHED = "labelstudio-proxy makes this project."


async def remove_leftovers(
    api: LabelStudioAPI, records: ProjectRecords, every: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Delete the leftovers among `every` project, and return the others; raises Problem.

    No project may be in the making meanwhile.
    """
    recorded = {record.id for record in await asyncio.to_thread(records.all)}
    leftovers = {
        project["id"]
        for project in every
        if project["description"] == UNFINISHED
        and not project["task_number"]
        and project["id"] not in recorded
    }
    for number in leftovers:
        logger.info("Removing project %d, which a killed gateway has left", number)
        await api.delete_project(number)
    return [project for project in every if project["id"] not in leftovers]
