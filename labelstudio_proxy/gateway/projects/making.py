"""Make a project over a source, or add to it what is new in the source."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...aio import finished
from ...data_directory.project_records import ProjectRecord, ProjectRecords
from ...labelling.interface import Interface, missing_keys
from ...labelling.items import Item
from ...labelling.templates import interface_for
from ...problem import Problem
from .label_studio_api import LONGEST_TITLE, SHORTEST_TITLE, LabelStudioAPI, Rejected
from .leftovers import UNFINISHED
from .s3 import connect
from .sources import Source
from .stream import Report

logger = logging.getLogger(__name__)

# Items in one request to Label Studio: progress moves, and a body stays small.
BATCH = 2_000


@dataclass(frozen=True)
class Wish:
    """What a user wants of a project, beside its source."""

    title: str = ""
    task: str = ""
    labels: list[str] | None = None
    config: str = ""
    keep: str | None = None  # the file that keeps the labels; "": none; None: as it was


async def make(
    api: LabelStudioAPI,
    records: ProjectRecords,
    source: Source,
    wish: Wish,
    existing: dict[str, Any] | None,
    new: Sequence[Item],
    report: Report,
) -> int:
    """Return the number of the project over `source`, made if `existing` is None.

    `existing`: Label Studio's record of the project. `new`: the items that it does not have yet.
    Raises Problem; a project that could not be made whole is deleted.
    """
    if existing is not None:
        number: int = existing["id"]
        await _change_interface(api, records, existing, source, wish)
        if wish.keep is not None:
            await asyncio.to_thread(
                lambda: records.change(number, existing["title"], keep=wish.keep)
            )
        await add(api, number, source, new, report)
        return number
    title = checked_title(wish.title)
    config = _config(source, wish)
    _check_fit(config, new)
    making = asyncio.ensure_future(_make_project(api, title, config))
    try:
        number = await finished(making)
    except asyncio.CancelledError:
        if not making.cancelled() and making.exception() is None:
            await _remove(api, records, making.result())
        raise
    try:
        record = ProjectRecord(
            number, title, source.task_name, config, dict(source.identity), wish.keep or ""
        )
        await asyncio.to_thread(records.write, record)
        await api.change_project(number, description="")
        await add(api, number, source, new, report)
    except BaseException:
        # A client that left cancels this task, and must not cancel the removal.
        await asyncio.shield(_remove(api, records, number))
        raise
    return number


async def add(
    api: LabelStudioAPI,
    number: int,
    source: Source,
    new: Sequence[Item],
    report: Report,
) -> None:
    """Add items to a project, and the folders or buckets that they are in."""
    known = await api.folders(number) if source.folders else []
    for folder in source.folders:
        if str(folder) not in known:
            await _add_folder(api, number, str(folder))
    for location in source.locations:
        await connect(api, number, location)
    for begin in range(0, len(new), BATCH):
        report(begin, len(new), "Adding items to Label Studio")
        tasks = [{"data": each.data, "meta": each.meta} for each in new[begin : begin + BATCH]]
        await api.add_tasks(number, tasks)


async def _make_project(api: LabelStudioAPI, title: str, config: str) -> int:
    try:
        return await api.make_project(title=title, label_config=config, description=UNFINISHED)
    except Rejected as rejected:
        raise Problem(
            f"Label Studio rejected the labelling interface of {title!r}.",
            rejected.why,
            "Correct `config` or `labels`.",
        ) from rejected


async def _add_folder(api: LabelStudioAPI, number: int, folder: str) -> None:
    try:
        await api.add_folder(number, folder)
    except Rejected as rejected:
        raise Problem(
            f"Label Studio cannot read the folder {folder}.",
            rejected.why,
            "If Label Studio runs in a container, restart Jupyter in a folder that contains this "
            "one, or set `files_root` to such a folder.",
        ) from rejected


async def _change_interface(
    api: LabelStudioAPI,
    records: ProjectRecords,
    existing: dict[str, Any],
    source: Source,
    wish: Wish,
) -> None:
    """Set other labels, if the user gave some and has not set these before."""
    if wish.labels is None and not wish.config:
        return
    config = _config(source, wish)
    record = await asyncio.to_thread(records.of, existing["id"])
    if record is not None and record.config == config:
        return  # what a user has changed in Label Studio since stays
    number, title = existing["id"], existing["title"]
    other_task = record is not None and record.task != source.task_name
    if record is not None and other_task and existing["total_annotations_number"]:
        raise Problem(
            f"The project {title!r} has another task: {record.task or 'that of a `config`'}.",
            "It has labels of that task already.",
            f"Choose another title for a new project, for example `title={title + ' 2'!r}`.",
        )
    try:
        await api.check_interface(number, config)
        await api.change_project(number, label_config=config)
    except Rejected as rejected:
        raise Problem(
            f"The labels of the project {title!r} could not be changed.",
            rejected.why,
            "Keep the labels that are in use, or choose another `title` for a new project.",
        ) from rejected
    await asyncio.to_thread(
        lambda: records.change(number, title, config=config, task=source.task_name)
    )


def _config(source: Source, wish: Wish) -> str:
    if wish.config:
        return Interface.parse(wish.config).xml
    if source.task is None:
        raise AssertionError("a source without an own interface has a task")
    return interface_for(source.task, wish.labels, key=source.key, series=source.series)


def _check_fit(config: str, new: Sequence[Item]) -> None:
    interface = Interface.parse(config)
    for item in new[:1]:
        if missing := missing_keys(interface, item.data):
            there = ", ".join(f"`${key}`" for key in item.data)
            raise Problem(
                f"The labelling interface shows `${missing[0]}`, which the items do not have.",
                f"They have {there}.",
                "Correct `value` in `config`.",
            )


def checked_title(title: str) -> str:
    """Return the title, or raise Problem for one that Label Studio does not accept."""
    if not SHORTEST_TITLE <= len(title) <= LONGEST_TITLE:
        raise Problem(
            f"A project cannot be called {title!r}.",
            f"Label Studio wants {SHORTEST_TITLE} to {LONGEST_TITLE} characters.",
            "Choose another `title`.",
        )
    return title


async def _remove(api: LabelStudioAPI, records: ProjectRecords, number: int) -> None:
    """Delete a project that was not made whole, unless Label Studio cannot be reached."""
    try:
        await api.delete_project(number)
    except Problem as problem:
        # The next call finds its record, and adds what is missing.
        logger.warning("Project %d is incomplete and could not be deleted: %s", number, problem)
        return
    with contextlib.suppress(OSError):
        await asyncio.to_thread(records.remove, number)
