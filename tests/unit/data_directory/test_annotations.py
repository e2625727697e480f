"""Labels in a database as Label Studio makes it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import labelstudio_proxy.data_directory.annotations as stored
from labelstudio_proxy.data_directory import template
from labelstudio_proxy.data_directory.annotations import StoredProject, UnknownTables
from labelstudio_proxy.data_directory.directory import DataDirectory
from labelstudio_proxy.labelling.rows import Labelled

CREATED, CHANGED = "2026-11-29 16:56:46.123456", "2026-11-29 17:00:00"


class Database:
    """A data directory whose database the test fills."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.directory = DataDirectory(path)
        assert template.place(self.directory, template.VERSION)
        self.connection = sqlite3.connect(self.directory.database)

    def add(self, table: str, **values: Any) -> None:
        """Add a row; columns that must have a value and are not given get an empty one."""
        columns = self.connection.execute(f"PRAGMA table_info({table})")
        empty: Mapping[str, Any] = {
            name: "" if kind.startswith(("varchar", "text", "char")) else 0
            for _, name, kind, needed, default, key in columns
            if needed and default is None and not key
        }
        row = dict(empty) | values
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        with self.connection:
            self.connection.execute(
                f"INSERT INTO {table} ({names}) VALUES ({marks})", [*row.values()]
            )

    def add_task(self, number: int, *, project: int = 1, meta: Any = None) -> None:
        self.add(
            "task",
            id=number,
            project_id=project,
            data=json.dumps({"text": f"text {number}"}),
            meta=json.dumps(meta),
        )

    def add_annotation(self, number: int, task: int, **values: Any) -> None:
        given = {"completed_by_id": 1, "created_at": CREATED, "updated_at": CHANGED}
        given |= {"result": json.dumps([{"id": str(number)}]), "was_cancelled": 0}
        self.add("task_completion", id=number, task_id=task, **given | values)

    def read(self, project: int = 1, *, unlabelled: bool = False) -> list[tuple[int, int | None]]:
        """Return the numbers of tasks and annotations."""
        found = stored.read(self.directory, project, unlabelled=unlabelled)
        return [(each.task_id, each.annotation_id) for each in found]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "data")
    with contextlib.closing(made.connection):
        made.add("htx_user", id=1, email="ada@localhost", username="ada")
        made.add("project", id=1, title="Texts", label_config="<View/>")
        yield made


def test_an_annotation_is_read_with_its_task_and_annotator(database: Database) -> None:
    database.add_task(1, meta={"file": "/home/ada/1.txt"})
    database.add_annotation(5, 1, lead_time=1.5)

    assert list(stored.read(database.directory, 1)) == [
        Labelled(
            task_id=1,
            data={"text": "text 1"},
            meta={"file": "/home/ada/1.txt"},
            annotation_id=5,
            annotator="ada@localhost",
            created_at="2026-11-29T16:56:46.123456Z",
            updated_at="2026-11-29T17:00:00.000000Z",
            lead_time=1.5,
            result=[{"id": "5"}],
        )
    ]


def test_batches_join_without_gaps(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "BATCH", 2)
    for number in range(1, 8):
        database.add_task(number)
        database.add_task(100 + number, project=2)
    for number, task in enumerate((1, 3, 3, 4, 6, 7, 103)):
        database.add_annotation(number, task)

    assert database.read() == [(1, 0), (3, 1), (3, 2), (4, 3), (6, 4), (7, 5)]
    assert database.read(unlabelled=True) == [
        *((1, 0), (2, None), (3, 1), (3, 2), (4, 3), (5, None), (6, 4), (7, 5))
    ]
    assert database.read(3) == []


def test_versions_say_what_to_read_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "BATCH", 2)
    for number in (1, 2, 3, 4):
        database.add_task(number)
    database.add_task(5, project=2)
    for number, task in ((1, 2), (2, 1), (3, 1), (4, 3), (5, 4), (6, 5)):
        database.add_annotation(number, task, updated_at=f"2026-11-29 17:00:0{number}")
    database.add_annotation(7, 1, was_cancelled=1)

    assert stored.versions(database.directory, 1) == [
        (2, 1, "2026-11-29T17:00:02.000000Z"),
        (3, 1, "2026-11-29T17:00:03.000000Z"),
        (1, 2, "2026-11-29T17:00:01.000000Z"),
        (4, 3, "2026-11-29T17:00:04.000000Z"),
        (5, 4, "2026-11-29T17:00:05.000000Z"),
    ]
    found = stored.read_tasks(database.directory, {4, 1, 3})
    assert [(each.task_id, each.annotation_id) for each in found] == [
        *((1, 2), (1, 3), (3, 4), (4, 5))
    ]


def test_skipped_and_unlabelled_items_are_read_on_demand(database: Database) -> None:
    for number in (1, 2, 3):
        database.add_task(number)
    database.add_annotation(1, 1, was_cancelled=1)
    database.add_annotation(2, 1, completed_by_id=None, result=None)
    database.add_annotation(3, 2, was_cancelled=1)

    assert database.read() == [(1, 2)]
    found = list(stored.read(database.directory, 1, unlabelled=True))
    assert [(each.annotation_id, each.skipped) for each in found] == [
        *((1, True), (2, False), (3, True), (None, False))
    ]
    assert (found[1].annotator, found[1].result) == ("", [])


def test_label_studio_writes_while_labels_are_read(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "BATCH", 1)
    for number in (1, 2):
        database.add_task(number)
        database.add_annotation(number, number)

    reading = stored.read(database.directory, 1)
    next(reading)
    database.connection.execute("PRAGMA busy_timeout = 0")
    database.add_annotation(3, 2)

    assert [each.annotation_id for each in reading] == [2, 3]


def test_projects_have_their_counts(database: Database) -> None:
    database.add("project", id=2, title=None, label_config=None)
    database.add("project", id=3, title="Deleted", deleted_at=CREATED)
    for number in (1, 2, 3):
        database.add_task(number)
    database.add_annotation(1, 1)
    database.add_annotation(2, 1)
    database.add_annotation(3, 2, was_cancelled=1)

    texts = StoredProject(1, "Texts", "<View/>", total=3, labelled=1)
    assert stored.projects(database.directory) == [texts, StoredProject(2, "", "", 0, 0)]
    assert stored.projects(database.directory, 1) == [texts]
    assert stored.projects(database.directory, 3) == []


def test_the_labels_that_changed_last_come_first(database: Database) -> None:
    database.add_task(1)
    for number in (1, 2, 3):
        database.add_annotation(number, 1)
    database.add_annotation(4, 1, updated_at="2026-11-29 16:00:00")
    database.add_annotation(5, 1, updated_at="2026-11-29 18:00:00", was_cancelled=1)

    found = stored.last(database.directory, 1, 2)

    assert [each.annotation_id for each in found] == [3, 2]


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE task_completion RENAME TO annotation",
        "ALTER TABLE htx_user RENAME COLUMN email TO address",
    ],
)
def test_tables_of_another_shape_are_not_read(database: Database, change: str) -> None:
    with database.connection:
        database.connection.execute(change)

    with pytest.raises(UnknownTables):
        database.read()


def test_without_a_database_there_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(UnknownTables):
        stored.projects(DataDirectory(tmp_path))
