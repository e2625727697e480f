"""The project of a source, and titles."""

from __future__ import annotations

from typing import Any

import pytest

from labelstudio_proxy.data_directory.project_records import ProjectRecord
from labelstudio_proxy.gateway.projects.listing import candidates, free_title
from labelstudio_proxy.gateway.projects.sources import Source, title_of

BIRDS = {"kind": "folder", "path": "/home/u/birds"}
SOURCE = Source(BIRDS, "birds", None, "image", [])


def projects(*titles: str) -> list[dict[str, Any]]:
    return [{"id": number, "title": title} for number, title in enumerate(titles, 1)]


@pytest.mark.parametrize(
    ("recorded", "title", "found"),
    [
        ("birds", "", True),
        ("birds 2", "", True),
        ("birds", "birds", True),
        ("Ada's", "Ada's", True),
        ("Ada's", "", False),
        ("birds 2", "birds", False),
    ],
)
def test_a_project_is_found_by_source_and_title(recorded: str, title: str, found: bool) -> None:
    records = [ProjectRecord(1, recorded, source=BIRDS)]
    assert bool(candidates(projects(recorded), records, SOURCE, title)) == found


def test_another_source_is_another_project() -> None:
    records = [ProjectRecord(1, "birds", source={"kind": "folder", "path": "/home/v/birds"})]
    assert candidates(projects("birds"), records, SOURCE, "") == []


def test_a_record_of_a_deleted_project_finds_nothing() -> None:
    assert candidates([], [ProjectRecord(1, "birds", source=BIRDS)], SOURCE, "") == []


def test_a_taken_title_gets_a_number() -> None:
    assert free_title("birds", projects()) == "birds"
    assert free_title("birds", projects("birds", "birds 2")) == "birds 3"
    long = "b" * 50
    assert free_title(long, projects(long)) == f"{'b' * 48} 2"


@pytest.mark.parametrize(
    ("folder", "title"),
    [
        ("/home/u/birds", "birds"),
        ("/home/u/birds/", "birds"),
        ("/data/a", "data/a"),
        ("/a", "Folder a"),
        (f"/{'x' * 80}", "x" * 50),
    ],
)
def test_the_title_of_a_folder(folder: str, title: str) -> None:
    assert title_of(folder) == title
