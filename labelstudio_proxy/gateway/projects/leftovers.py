"""Unfinished projects of a gateway that was killed before it could record or remove them."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ...data_directory.project_records import ProjectRecords
from .label_studio_api import LabelStudioAPI

logger = logging.getLogger(__name__)

# The description that a project has until its record is written.
UNFINISHED = "labelstudio-proxy makes this project."


async def remove_leftovers(
    api: LabelStudioAPI, records: ProjectRecords, every: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Delete the unfinished projects in `every`, and return the others; raises Problem.

    The caller makes sure that no other call makes a project meanwhile.
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
        logger.info("Removing the unfinished project %d of a killed gateway", number)
        await api.delete_project(number)
    return [project for project in every if project["id"] not in leftovers]
