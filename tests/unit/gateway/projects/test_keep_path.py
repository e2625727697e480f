"""The file that keeps the labels of a project: which ones are refused, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelstudio_proxy.data_directory.project_records import ProjectRecord
from labelstudio_proxy.gateway.projects.keep_path import check_file, folder_of, users_of
from labelstudio_proxy.problem import Problem


def refusal(path: Path, *, is_own: bool = False) -> str:
    with pytest.raises(Problem) as caught:
        check_file(path, is_own=is_own)
    return caught.value.as_sentence()


def test_a_relative_name_is_in_the_folder_that_is_labelled_or_beside_the_notebook() -> None:
    assert folder_of({"kind": "folder", "path": "/data/hotdogs"}, "/home/ada") == "/data/hotdogs"
    assert folder_of({"kind": "glob", "path": "/data/*.png"}, "/home/ada") == "/home/ada"
    assert folder_of({"kind": "table"}, "/home/ada") == "/home/ada"


def test_a_new_or_an_empty_file_can_keep_labels(tmp_path: Path) -> None:
    check_file(tmp_path / "labels.jsonl", is_own=False)
    (tmp_path / "labels.jsonl").touch()
    check_file(tmp_path / "labels.jsonl", is_own=False)


def test_only_the_projects_own_labels_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"label": "Hot dog"}\n')
    check_file(path, is_own=True)
    assert refusal(path) == (
        f"The file {path} exists, and its content is not this project's. The labels of this project "
        "would replace it. Rename or remove the file, or choose another one for `keep`."
    )


@pytest.mark.parametrize("name", ["labels.json", "labels.csv", "labels", "a.png"])
def test_another_format_is_refused(tmp_path: Path, name: str) -> None:
    assert "Choose a name that ends in `.jsonl`, for example `labels.jsonl`." in refusal(
        tmp_path / name
    )


def test_a_folder_that_is_missing_or_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("missing", "file", "a\0b"):
        folder = tmp_path / name
        assert refusal(folder / "labels.jsonl").startswith(f"There is no folder {folder}.")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.jsonl").mkdir()
    assert refusal(tmp_path / "labels.jsonl").startswith(f"{tmp_path / 'labels.jsonl'} is no file.")
    for length in (245, 260):
        long = tmp_path / f"{'a' * length}.jsonl"
        assert refusal(long).startswith(f"Labels cannot be kept in {long}. File name too long.")


def test_two_projects_with_one_file_are_found_by_any_path(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    first = ProjectRecord(1, "First", keep=str(tmp_path / "labels.jsonl"))
    second = ProjectRecord(2, "Second", keep=str(tmp_path / "other.jsonl"))
    records = [first, second, ProjectRecord(3, "Third")]
    assert users_of(tmp_path / "link" / "labels.jsonl", records) == [first]
