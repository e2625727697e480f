"""What is in a folder, or in a selection of files, before a project is made over it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import media

from labelstudio_proxy import api_types
from labelstudio_proxy.config.notebook_files import NotebookFiles
from labelstudio_proxy.data_directory.directory import DataDirectory
from labelstudio_proxy.data_directory.project_records import ProjectRecord, ProjectRecords
from labelstudio_proxy.gateway.projects.looking import Looker, label_folders
from labelstudio_proxy.problem import Problem

Look = Callable[..., api_types.Look]
# Names that paths, URLs, XML or a shell would take apart.
NAMES = ["100% #1", 'it\'s "new"', "a b & <c>", "\N{CAT FACE} katz\N{LATIN SMALL LETTER E}\u0301"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "notebooks"
    root.mkdir()
    return root


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    return DataDirectory(tmp_path / "data")


@pytest.fixture
def look(root: Path, directory: DataDirectory) -> Look:
    files, records = NotebookFiles(root, root), ProjectRecords(directory)
    looker = Looker(directory, records, str(root), files, "/x/", "labels.jsonl", False)
    return lambda **body: looker.look(body)


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(media.png(8, 8))


def names_of(found: api_types.Look) -> list[str]:
    return [each["name"] for each in found["tasks"]]


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_fills_the_dialog(root: Path, look: Look, name: str) -> None:
    write(root / name, "1.png", "2.jpg", "notes.txt", "model.bin", ".hidden.png")
    found = look(path=name)
    assert found["title"] == name
    assert found["source"] == {"kind": "path", "path": str(root / name)}
    assert found["media"] == {"image": 2, "text": 1}
    assert found["others"] == 1
    assert names_of(found)[:2] == ["image-classification", "object-detection"]
    assert names_of(found)[-2:] == ["text-classification", "token-classification"]
    assert found["tasks"][0]["count"] == 2
    assert all(each["needs_labels"] for each in found["tasks"])
    assert found["keep"] == "labels.jsonl"
    assert (found["labels"], found["project"], found["project_known"]) == ([], None, True)


@pytest.mark.parametrize(
    ("name", "tasks"),
    [
        ("a.wav", ["audio-classification", "automatic-speech-recognition"]),
        ("a.mp4", ["video-classification"]),
        ("a.csv", ["time-series-classification"]),
    ],
)
def test_each_medium_has_its_tasks(root: Path, look: Look, name: str, tasks: list[str]) -> None:
    write(root, f"f/{name}")
    found = look(path="f")
    assert names_of(found) == tasks
    assert found["tasks"][-1]["needs_labels"] == (tasks[-1] != "automatic-speech-recognition")


def test_selected_files_are_a_list_whose_labels_are_kept_beside_them(
    root: Path, look: Look
) -> None:
    write(root / "pets", *(f"{name}.png" for name in NAMES), "more.png")
    paths = [f"pets/{name}.png" for name in NAMES]
    found = look(paths=paths)
    assert found["source"] == {"kind": "list", "values": [str(root / path) for path in paths]}
    assert (found["base"], found["title"]) == (str(root / "pets"), "pets")
    assert found["media"] == {"image": len(NAMES)}
    assert look(paths=["pets"])["source"]["kind"] == "path"


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["cat/1.png", "dog/2.png", "cat/10.png"], ["cat", "dog"]),
        (["train/cat/1.png", "train/dog/2.png", "val/cat/3.png"], ["cat", "dog"]),
        (["cat/1.png", "dog/2.png", "3.png"], []),
        (["cat/1.png", "dog/old/2.png"], []),
        (["cat/1.png"], []),
        (["train/1.png", "test/2.png"], []),
        (["$a/1.png", "b/2.png"], []),  # no labels of Label Studio's
        ([f"user-{number}/1.png" for number in range(101)], []),
    ],
)
def test_subfolders_that_sort_all_files_are_labels(names: list[str], labels: list[str]) -> None:
    assert label_folders([f"/d/{name}" for name in names], "/d") == labels


def test_what_cannot_be_labelled_is_a_problem(root: Path, look: Look, tmp_path: Path) -> None:
    (root / "empty").mkdir()
    write(root, "notes/a.bin", "direct.png")
    write(tmp_path, "outside/1.png")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"path": "empty"}, "is empty"),
        ({"path": "no-such"}, "There is no folder"),
        ({"path": "notes"}, "It is not clear what to label"),
        ({"path": "../outside"}, "may not read files in"),
        ({"paths": ["../outside/1.png"]}, "may not read files in"),
        ({"paths": ["direct.png"]}, "cannot read files directly in"),
        ({"paths": ["notes/a.bin", "gone.png"]}, "do not exist"),
        ({"paths": ["notes/a.bin", "empty"]}, "is a folder"),
        ({"paths": []}, "is empty"),
        ({}, "names no files"),
    ]
    for body, words in wrong:
        with pytest.raises(Problem, match=words):
            look(**body)


def test_a_database_that_cannot_be_read_says_so(
    root: Path, look: Look, directory: DataDirectory
) -> None:
    write(root, "pets/1.png")
    directory.path.mkdir()
    directory.database.write_bytes(b"no database" * 100)
    source = {"kind": "folder", "path": str(root / "pets")}
    ProjectRecords(directory).write(ProjectRecord(1, "pets", source=source))
    found = look(path="pets")
    assert (found["project"], found["project_known"]) == (None, False)
    assert found["media"] == {"image": 1}
