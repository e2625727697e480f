"""Which file an export includes for a path in task data."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelstudio_proxy.label_studio.programs.labelstudio_files import find


@pytest.fixture
def storages(tmp_path: Path) -> list[tuple[int, str]]:
    """The folders `pictures` in `a` (project 1), `b` (2) and `gone` (3); only `b` has `new.png`."""
    for name, file in (("a", "1.png"), ("b", "1.png"), ("b", "new.png"), ("today", "1.png")):
        (tmp_path / name / "pictures").mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "pictures" / file).touch()
    return [
        (number, f"{tmp_path}/{name}/pictures")
        for number, name in enumerate(("a", "b", "gone"), start=1)
    ]


@pytest.mark.parametrize(
    ("name", "project", "root", "found"),
    [
        ("pictures/1.png", 1, "today", "a/pictures/1.png"),
        ("pictures/1.png", 2, "today", "b/pictures/1.png"),
        ("a/pictures/1.png", 2, "today", "a/pictures/1.png"),
        ("pictures/new.png", 1, "today", "b/pictures/new.png"),
        # of a project without folders: today's root, if a project has it
        ("pictures/1.png", 4, "b", "b/pictures/1.png"),
        ("pictures/1.png", 4, "today", None),
        # not the other file of that name
        ("gone/pictures/1.png", 3, "today", None),
        ("pictures/old.png", 3, "today", None),
        # no project has the folder: as Label Studio does
        ("other/1.png", 1, "today", "today/other/1.png"),
        ("../a/pictures/1.png", 1, "today", None),
    ],
)
def test_the_file_of_the_projects_own_folder_is_found(
    storages: list[tuple[int, str]],
    tmp_path: Path,
    name: str,
    project: int,
    root: str,
    found: str | None,
) -> None:
    wanted = found and str(tmp_path / found)
    assert find(name, project, storages, str(tmp_path / root)) == wanted
