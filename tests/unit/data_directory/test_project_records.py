"""The records of projects."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelstudio_proxy.data_directory.directory import DataDirectory
from labelstudio_proxy.data_directory.project_records import ProjectRecord, ProjectRecords


@pytest.fixture
def records(tmp_path: Path) -> ProjectRecords:
    return ProjectRecords(DataDirectory(tmp_path))


def test_records_are_kept_changed_and_removed(records: ProjectRecords) -> None:
    first = ProjectRecord(12, "Birds", source={"kind": "folder", "path": "/b"}, keep="/b/l.jsonl")
    records.write(first)
    records.change(3, "Reviews", config="<View/>")
    assert records.all() == [ProjectRecord(3, "Reviews", config="<View/>"), first]
    records.change(12, "Birds", keep="")
    changed = records.of(12)
    assert changed is not None
    assert (changed.keep, changed.source) == ("", first.source)
    records.remove(12)
    records.remove(12)
    assert [records.of(12), len(records.all())] == [None, 1]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"id": 1, "unknown": 2}', "\x00"])
def test_a_file_that_is_no_record_is_ignored(
    records: ProjectRecords, tmp_path: Path, content: str
) -> None:
    records.write(ProjectRecord(2, "Birds"))
    (tmp_path / ".labelstudio-proxy" / "projects" / "1.json").write_text(content)
    assert [record.id for record in records.all()] == [2]
    assert records.of(1) is None
