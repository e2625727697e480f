"""The labels of a project: out of Label Studio's database, or by its API if that is not possible."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from itertools import islice

from ...data_directory import annotations as database
from ...data_directory.directory import DataDirectory
from ...labelling.rows import Labelled
from . import annotations_api
from .label_studio_api import LabelStudioAPI

logger = logging.getLogger(__name__)

# Annotations: one with masks may have megabytes.
PART = 200


async def labels(
    api: LabelStudioAPI,
    directory: DataDirectory,
    project: int,
    *,
    external_database: bool,
    unlabelled: bool = False,
) -> AsyncGenerator[list[Labelled], None]:
    """Return the annotations of a project in parts, in the order of its tasks.

    external_database: the labels are not in the data directory.
    unlabelled:        add skipped annotations, and tasks without an annotation.

    Raises Problem, and sqlite3.Error if Label Studio keeps the database locked.
    """
    if not external_database:
        reading = database.read(directory, project, unlabelled=unlabelled)
        try:
            while part := await asyncio.to_thread(lambda: list(islice(reading, PART))):
                yield part
        except database.UnknownTables as error:
            logger.info("Label Studio's API is asked for labels: %s", error)
        else:
            return
        finally:
            with contextlib.suppress(ValueError):  # a cancelled call still reads
                reading.close()
    async for part in annotations_api.read(api.get, project, unlabelled=unlabelled):
        yield part
