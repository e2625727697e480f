"""The files root does not depend on the folder of the home folder in which Jupyter starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labelstudio_proxy.config.notebook_files import NotebookFiles, check_files_root
from labelstudio_proxy.config.settings import LabelStudioProxy
from labelstudio_proxy.problem import Problem


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    (home / "a" / "b").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    return home


def by_default(root_dir: Path | str) -> NotebookFiles | None:
    return LabelStudioProxy().notebook_files(str(root_dir))


def test_any_folder_of_the_home_folder_has_the_same_root(home: Path) -> None:
    for folder in (home, home / "a", home / "a" / "b"):
        assert by_default(folder) == NotebookFiles(home, folder)


@pytest.mark.parametrize("variable", ["", "/", "relative", "/nonexistent"])
def test_other_folders_are_their_own_root(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for folder in (tmp_path, tmp_path / "home-2", Path("/")):
        assert by_default(folder) == NotebookFiles(folder, folder)
    monkeypatch.setenv("HOME", variable)
    assert by_default(home / "a") == NotebookFiles(home / "a", home / "a")


def test_link_out_of_the_home_folder_is_its_own_root(home: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (home / "link").symlink_to(tmp_path / "disk")
    assert by_default(home / "link") == NotebookFiles(home / "link", home / "link")


def test_home_folder_behind_a_link(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jupyter resolves the folder it starts in; people type either path."""
    (tmp_path / "link").symlink_to(home)
    monkeypatch.setenv("HOME", str(tmp_path / "link"))
    assert by_default(home / "a") == NotebookFiles(home, home / "a")
    linked = tmp_path / "link"
    assert by_default(linked / "a") == NotebookFiles(linked, linked / "a")


def test_the_root_is_above_the_folders_of_projects(tmp_path: Path) -> None:
    used = [tmp_path / "a" / "pictures", tmp_path / "b", Path("/nonexistent")]
    for folder in used[:2]:
        folder.mkdir(parents=True)
    today = tmp_path / "b" / "c"
    for folders, root in (
        ([], today),
        ([today / "inside"], today),
        (used[:1], tmp_path),
        (used[1:2], tmp_path),  # Label Studio refuses to sync its root itself
        (used[2:], today),
        ([Path("/proc/self")], Path("/")),
    ):
        assert NotebookFiles(today, today).around(folders) == NotebookFiles(root, today)
    fixed = NotebookFiles(today, today, fixed=True)
    assert fixed.around(used) == fixed


def test_unusable_folder_is_named(tmp_path: Path) -> None:
    check_files_root(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for name, said in (
        ("missing", "does not exist"),
        ("link", "does not exist"),
        ("file/below", "does not exist"),
        ("file", "is not a folder"),
    ):
        with pytest.raises(Problem, match=said) as problem:
            check_files_root(tmp_path / name)
        assert str(tmp_path / name) in problem.value.what
        assert "restart Jupyter" in problem.value.remedy


def test_folder_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read every folder
    with pytest.raises(Problem, match="cannot be read"):
        check_files_root(tmp_path)
