"""Which folders a project reads its files from."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelstudio_proxy.config.notebook_files import NotebookFiles
from labelstudio_proxy.gateway.projects.folders import folders_of
from labelstudio_proxy.problem import Problem


@pytest.fixture
def files(tmp_path: Path) -> NotebookFiles:
    for folder in ("a/b", "a/c", "d"):
        (tmp_path / folder).mkdir(parents=True)
    return NotebookFiles(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("names", "folders"),
    [
        (["a/1.png"], ["a"]),
        (["a/b/1.png"], ["a/b"]),
        (["a/b/1.png", "a/c/2.png"], ["a"]),
        (["a/b/1.png", "d/2.png"], ["a", "d"]),
        ([], []),
    ],
)
def test_one_folder_around_all_files_or_those_below_the_root(
    files: NotebookFiles, names: list[str], folders: list[str]
) -> None:
    found = folders_of([str(files.root / name) for name in names], files)
    assert found == [files.root / folder for folder in folders]


def test_files_directly_in_the_root_are_refused(files: NotebookFiles) -> None:
    with pytest.raises(Problem, match="directly"):
        folders_of([str(files.root / "1.png")], files)


def test_files_outside_the_root_are_refused(files: NotebookFiles) -> None:
    with pytest.raises(Problem, match="/elsewhere"):
        folders_of(["/elsewhere/1.png"], files)
    (files.root / "link").symlink_to("/etc")
    with pytest.raises(Problem, match="/link"):
        folders_of([str(files.root / "link" / "1.png")], files)


def test_no_files_root(files: NotebookFiles) -> None:
    with pytest.raises(Problem, match="files_root"):
        folders_of([str(files.root / "a" / "1.png")], None)
