"""Add a model's predictions to a project, or replace those of the same model version."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp

from ...labelling.predictions import Prediction
from ...problem import Problem
from .label_studio_api import LabelStudioAPI, Rejected
from .prediction_batches import add_in_batches
from .replacing import continue_replacement, replace_all, replacement_of, show
from .stream import Report

logger = logging.getLogger(__name__)

# For a Label Studio that crashed and restarts.
CLEANUP_SECONDS = 30.0
POLL_SECONDS = 1.0
# If more predictions than this are outdated, the whole version is replaced, which is ten times faster.
ONE_BY_ONE = 100
# Label Studio locks its database while it removes a version. With more predictions than this, other requests
# may wait for the lock until they fail (LOCK_SECONDS in labelstudio_settings).
MOST_AT_ONCE = 10_000

Connect = Callable[[], Awaitable[LabelStudioAPI]]


async def add_predictions(
    connect: Connect, project: int, version: str, found: Sequence[Prediction], report: Report
) -> dict[str, int]:
    """Add predictions and let people see them; return how many are new, equal and replaced.

    An item's earlier prediction of the same version is replaced if it differs. The earlier ones are
    removed last, so that a kill in between leaves both; then the next call completes it.
    If an import fails, what it has added is removed. Calls must not overlap. Raises Problem.
    """
    api = await connect()
    report(0, len(found), "Looking at earlier predictions")
    await continue_replacement(api, project, version, report)
    earlier = await api.predictions(project, version)
    new, outdated = _compare(found, earlier)
    kept = [each for each in earlier if each["id"] not in outdated]
    added = [{"task": each.task, "result": each.result, "score": each.score} for each in new]
    at_once = len(outdated) > max(ONE_BY_ONE, len(earlier) // 10) and len(earlier) <= MOST_AT_ONCE
    try:
        if at_once:
            await _add(connect, project, replacement_of(version), [*kept, *added], set(), report)
            await replace_all(api, project, version, report)
        else:
            known = {each["id"] for each in earlier}
            await _add(connect, project, version, added, known, report)
            for number, prediction in enumerate(outdated):
                report(number, len(outdated), "Removing earlier predictions of this model version")
                await api.delete_prediction(prediction)
            await show(api, project, version)
    except Rejected as error:
        raise Problem("Label Studio rejected the predictions.", error.why, "") from error
    return {
        "predicted": len(found),
        "added": len(new),
        "unchanged": len(found) - len(new),
        "removed": len(outdated),
    }


async def _add(
    connect: Connect,
    project: int,
    version: str,
    predictions: list[dict[str, Any]],
    known: set[int],
    report: Report,
) -> None:
    """Add predictions of a version; after an error, remove them. `known`: the ids of its earlier predictions."""
    try:
        await add_in_batches(await connect(), project, version, predictions, report)
    except BaseException:
        # A client that left cancels this task, and must not cancel the removal.
        await asyncio.shield(_remove_new(connect, project, version, known, report))
        raise


def _compare(
    found: Sequence[Prediction], earlier: Sequence[dict[str, Any]]
) -> tuple[list[Prediction], set[int]]:
    """Return the predictions to add, and the ids of those to remove."""
    by_task: dict[int, list[dict[str, Any]]] = {}
    for each in earlier:
        by_task.setdefault(each["task"], []).append(each)
    new, outdated = [], set[int]()
    for prediction in found:
        there = by_task.get(prediction.task, [])
        equal = [
            each["id"]
            for each in there
            if each["result"] == prediction.result and each["score"] == prediction.score
        ]
        if not equal:
            new.append(prediction)
        outdated |= {each["id"] for each in there} - set(equal[:1])
    return new, outdated


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
