"""Add predictions to a project, in several requests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ...problem import Problem
from .label_studio_api import LabelStudioAPI
from .stream import Report

# The limits of one request: people who label meanwhile wait until it is complete.
BATCH = 1000
BATCH_BYTES = 16 * 1024 * 1024


async def add_in_batches(
    api: LabelStudioAPI,
    project: int,
    version: str,
    predictions: Sequence[dict[str, Any]],
    report: Report,
) -> None:
    """Add predictions of one model version, by their `task`, `result` and `score`.

    Raises Problem; earlier batches stay.
    """
    done = 0
    for batch in _batches(predictions, version):
        report(done, len(predictions), "Adding predictions to Label Studio")
        created = await api.add_predictions(project, batch)
        if created != len(batch):
            raise _left_out(len(batch) - created)
        done += len(batch)


def _batches(found: Iterable[dict[str, Any]], version: str) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for each in found:
        prediction = {name: each[name] for name in ("task", "result", "score")}
        prediction["model_version"] = version
        length = len(json.dumps(prediction))
        if batch and (len(batch) == BATCH or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(prediction)
        size += length
    if batch:
        yield batch


def _left_out(count: int) -> Problem:
    return Problem(
        f"Label Studio left out {count} of the predictions.",
        "They do not fit its labelling interface.",
        "Check the labels and coordinates.",
    )
