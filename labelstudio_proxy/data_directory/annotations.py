"""The labels in Label Studio's SQLite database, read while Label Studio uses it.

A query holds up Label Studio's next write, so each one reads a part, and all of it at once.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..labelling.rows import Labelled
from .directory import DataDirectory, sqlite_uri

BATCH = 200  # tasks that a query reads: one with masks may have megabytes
METAS = 5000  # tasks whose `meta` a query reads: it is short
WAIT_SECONDS = 15  # for a write of Label Studio; programs wait 20 for a response

# What the queries need; Label Studio 1.20 to 1.23 have it.
_TABLES = {
    "project": {"id", "title", "label_config"},
    "task": {"id", "project_id", "data", "meta"},
    "task_completion": {
        *("id", "task_id", "completed_by_id", "result", "was_cancelled"),
        *("created_at", "updated_at", "lead_time"),
    },
    "htx_user": {"id", "email"},
}
_FIELDS = """
    t.id, t.data, t.meta, c.id, u.email, c.created_at, c.updated_at, c.lead_time, c.was_cancelled,
    c.result"""
_NOT_SKIPPED = "c.task_id = t.id AND c.was_cancelled = 0"
_USER = "LEFT JOIN htx_user u ON u.id = c.completed_by_id"
_ALL = f"""
    SELECT {_FIELDS} FROM (
        SELECT * FROM task WHERE project_id = :project AND id > :after ORDER BY id LIMIT :limit
    ) t
    LEFT JOIN task_completion c ON c.task_id = t.id {_USER} ORDER BY t.id, c.id"""  # noqa: S608 - constants only
_LABELLED = f"""
    SELECT {_FIELDS} FROM (
        SELECT * FROM task t WHERE project_id = :project AND id > :after
        AND EXISTS (SELECT 1 FROM task_completion c WHERE {_NOT_SKIPPED}) ORDER BY id LIMIT :limit
    ) t
    JOIN task_completion c ON {_NOT_SKIPPED} {_USER} ORDER BY t.id, c.id"""  # noqa: S608 - constants only
_OF_PROJECT = f"FROM task t JOIN task_completion c ON {_NOT_SKIPPED}"
_LAST = f"""
    SELECT {_FIELDS} {_OF_PROJECT} {_USER} WHERE t.project_id = :project
    ORDER BY c.updated_at DESC, c.id DESC LIMIT :limit"""
_OF_TASKS = f"""
    SELECT {_FIELDS} {_OF_PROJECT} {_USER} WHERE t.id IN ({{}}) ORDER BY t.id, c.id"""
_VERSIONS = f"""
    SELECT c.id, t.id, c.updated_at {_OF_PROJECT} WHERE t.project_id = :project
    ORDER BY t.id, c.id"""
_METAS = """
    SELECT id, meta FROM task WHERE project_id = :project AND id > :after
    ORDER BY id LIMIT :limit"""
_PROJECTS = f"""
    SELECT p.id, p.title, p.label_config,
        (SELECT count(*) FROM task t WHERE t.project_id = p.id),
        (SELECT count(DISTINCT t.id) {_OF_PROJECT} WHERE t.project_id = p.id)
    FROM project p WHERE {{}} ORDER BY p.id"""  # noqa: S608 - constants only


class UnknownTables(Exception):
    """Raised if the database is not one that this module can read. Label Studio's API can."""


@dataclass(frozen=True)
class StoredProject:
    """A project. `total`: its tasks; `labelled`: those with an annotation that is not a skip."""

    id: int
    title: str
    label_config: str
    total: int
    labelled: int


class Version(NamedTuple):
    """An annotation, and when it was changed, as in Labelled."""

    annotation_id: int
    task_id: int
    updated_at: str


def read(
    directory: DataDirectory, project: int, *, unlabelled: bool = False
) -> Generator[Labelled, None, None]:
    """Return the annotations of a project in the order of its tasks, in bounded memory.

    unlabelled: add skipped annotations, and tasks without an annotation.

    Raises UnknownTables, and sqlite3.Error if Label Studio keeps the database locked.
    """
    with closing(_open(directory)) as database:
        after, query = -1, _ALL if unlabelled else _LABELLED
        while found := _select(database, query, project=project, after=after, limit=BATCH):
            yield from map(_labelled, found)
            after = found[-1][0]


def read_tasks(directory: DataDirectory, tasks: Iterable[int]) -> Iterator[Labelled]:
    """Return the annotations of some tasks, as `read` does."""
    numbers = sorted(tasks)
    with closing(_open(directory)) as database:
        for begin in range(0, len(numbers), BATCH):
            part = ",".join(str(int(each)) for each in numbers[begin : begin + BATCH])
            yield from map(_labelled, _select(database, _OF_TASKS.format(part)))


def versions(directory: DataDirectory, project: int) -> list[Version]:
    """Return the annotations of a project in the order of `read`. Raises as `read`."""
    with closing(_open(directory)) as database:
        rows = _select(database, _VERSIONS, project=project)
    return [Version(number, task, _utc(changed)) for number, task, changed in rows]


def files(directory: DataDirectory, project: int) -> set[str]:
    """Return the paths of the files in the tasks of a project. Raises as `read`."""
    found: set[str] = set()
    with closing(_open(directory)) as database:
        after = -1
        while rows := _select(database, _METAS, project=project, after=after, limit=METAS):
            metas = (json.loads(meta) for _, meta in rows if meta)
            found.update(meta["file"] for meta in metas if meta and "file" in meta)
            after = rows[-1][0]
    return found


def last(directory: DataDirectory, project: int, count: int) -> list[Labelled]:
    """Return the `count` annotations that were changed last, newest first. Raises as `read`."""
    with closing(_open(directory)) as database:
        return [_labelled(row) for row in _select(database, _LAST, project=project, limit=count)]


def projects(directory: DataDirectory, project: int | None = None) -> list[StoredProject]:
    """Return all projects, or the one with this number if there is one. Raises as `read`."""
    with closing(_open(directory)) as database:
        conditions = ["1"] if project is None else ["p.id = :project"]
        if "deleted_at" in _columns(database, "project"):  # not in the oldest versions
            conditions.append("p.deleted_at IS NULL")
        query = _PROJECTS.format(" AND ".join(conditions))
        rows = _select(database, query, project=project)
    return [StoredProject(row[0], row[1] or "", row[2] or "", *row[3:]) for row in rows]


def _open(directory: DataDirectory) -> sqlite3.Connection:
    try:
        # Several threads read one after the other.
        database = sqlite3.connect(
            sqlite_uri(directory.database, "ro"),
            uri=True,
            timeout=WAIT_SECONDS,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise UnknownTables(str(error)) from error
    try:
        for table, needed in _TABLES.items():
            if missing := needed - _columns(database, table):
                raise UnknownTables(f"{table} has no {', '.join(sorted(missing))}")
    except BaseException:
        database.close()
        raise
    return database


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    return {name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")}


def _select(database: sqlite3.Connection, query: str, **values: Any) -> list[tuple[Any, ...]]:
    # All rows at once: the last one ends the lock.
    return database.execute(query, values).fetchall()


def _labelled(row: tuple[Any, ...]) -> Labelled:
    task, data, meta, number, email, created, updated, lead_time, skipped, result = row
    return Labelled(
        task_id=task,
        data=json.loads(data),
        meta=(json.loads(meta) if meta else None) or {},
        annotation_id=number,
        annotator=email or "",
        created_at=_utc(created),
        updated_at=_utc(updated),
        lead_time=lead_time,
        skipped=bool(skipped),
        result=(json.loads(result) if result else None) or [],
    )


def _utc(stored: str | None) -> str:
    """Return Django's "2026-11-29 16:56:46.123456" as Labelled has it."""
    if not stored:
        return ""
    fraction = "" if "." in stored else ".000000"
    return f"{stored.replace(' ', 'T', 1)}{fraction}Z"
