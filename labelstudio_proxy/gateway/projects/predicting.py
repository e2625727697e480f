"""Add a model's predictions to a project, or replace those of the same model version."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import aiohttp

from ...labelling.predictions import Prediction
from ...problem import Problem
from .label_studio_api import LabelStudioAPI, Rejected
from .stream import Report

logger = logging.getLogger(__name__)

# In one request to Label Studio, which handles it whole: people who label meanwhile wait for it.
BATCH = 1000
BATCH_BYTES = 16 * 1024 * 1024
# For a Label Studio that crashed and restarts.
CLEANUP_SECONDS = 30.0
POLL_SECONDS = 1.0

Connect = Callable[[], Awaitable[LabelStudioAPI]]


async def add_predictions(
    connect: Connect, project: int, version: str, found: Sequence[Prediction], report: Report
) -> dict[str, int]:
    """Add predictions and let people see them; return how many are new, equal and replaced.

    An item's earlier prediction of the same version is replaced if it differs. The earlier one is
    removed last, so that a kill in between leaves both; then the next call removes it.
    If an import fails, what it has added is removed. Raises Problem.
    """
    api = await connect()
    report(0, len(found), "Looking at earlier predictions")
    earlier = await api.predictions(project, version)
    new, outdated = _compare(found, earlier)
    try:
        done = 0
        for batch in _batches(new, version):
            report(done, len(new), "Adding predictions to Label Studio")
            created = await api.add_predictions(project, batch)
            if created != len(batch):
                raise _left_out(len(batch) - created)
            done += len(batch)
    except BaseException as error:
        known = {each["id"] for each in earlier}
        # A client that left cancels this task, and must not cancel the removal.
        await asyncio.shield(_remove_new(connect, project, version, known, report))
        if isinstance(error, Rejected):
            raise Problem("Label Studio rejected the predictions.", error.why, "") from error
        raise
    for number, prediction in enumerate(outdated):
        report(number, len(outdated), "Removing earlier predictions of this model version")
        await api.delete_prediction(prediction)
    await api.change_project(project, model_version=version, show_collab_predictions=True)
    return {
        "predicted": len(found),
        "added": len(new),
        "unchanged": len(found) - len(new),
        "removed": len(outdated),
    }


def _compare(
    found: Sequence[Prediction], earlier: Sequence[dict[str, Any]]
) -> tuple[list[Prediction], list[int]]:
    """Return the predictions to add, and the numbers of those to remove."""
    by_task: dict[int, list[dict[str, Any]]] = {}
    for each in earlier:
        by_task.setdefault(each["task"], []).append(each)
    new, outdated = [], []
    for prediction in found:
        there = by_task.get(prediction.task, [])
        equal = [
            each["id"]
            for each in there
            if each["result"] == prediction.result and each["score"] == prediction.score
        ]
        if not equal:
            new.append(prediction)
        outdated += [each["id"] for each in there if each["id"] not in equal[:1]]
    return new, outdated


def _batches(found: Sequence[Prediction], version: str) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for each in found:
        prediction = {
            "task": each.task,
            "result": each.result,
            "score": each.score,
            "model_version": version,
        }
        length = len(json.dumps(prediction))
        if batch and (len(batch) == BATCH or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(prediction)
        size += length
    if batch:
        yield batch


async def _remove_new(
    connect: Connect, project: int, version: str, known: set[int], report: Report
) -> None:
    """Remove the predictions of a version that are not `known`; logs if that is impossible."""
    report(0, 0, "Removing the predictions that were added")
    loop = asyncio.get_running_loop()
    end = loop.time() + CLEANUP_SECONDS
    while True:
        try:
            api = await connect()
            if not known:
                if await api.has_predictions(project, version):
                    await api.delete_predictions(project, version)
                return
            for each in await api.predictions(project, version):
                if each["id"] not in known:
                    with contextlib.suppress(Rejected):  # a user has removed it
                        await api.delete_prediction(each["id"])
        except (Problem, aiohttp.ClientError) as error:
            if loop.time() > end:
                # They are not shown to people, and the next call with this version completes them.
                logger.warning("Predictions of project %d are incomplete: %s", project, error)
                return
            await asyncio.sleep(POLL_SECONDS)
        else:
            return


def _left_out(count: int) -> Problem:
    return Problem(
        f"Label Studio left out {count} of the predictions.",
        "They do not fit its labelling interface.",
        "Check the labels and coordinates.",
    )
