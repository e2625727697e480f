"""`Project.export` in a real kernel: Label Studio's formats, and a folder for each label."""

from __future__ import annotations

import csv
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support import media
from support.jupyter import JupyterLab, LabelStudioClient
from support.kernel import Kernel

SIZES = {"a/same.png": (40, 30), "b/same.png": (50, 30), "100% #1 & 'é'.png": (60, 30)}


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    jupyter = module_jupyter_lab(base_url="/user/ada/", config={"data_dir": str(new_data_dir())})
    for name, size in SIZES.items():
        file = jupyter.root_dir / "pictures" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(media.png(*size))
    return jupyter


@pytest.fixture(scope="module")
def kernel(jupyter: JupyterLab) -> Iterator[Kernel]:
    with Kernel(jupyter) as kernel:
        kernel.run("import labelstudio_proxy as lsp")
        yield kernel


def label_all(
    studio: LabelStudioClient, project: int, result: Callable[[str], list[dict[str, Any]]]
) -> None:
    """Annotate each task with what `result` returns for its file; skip it for an empty one."""
    for task in studio.get("api/tasks/", params={"project": project}).json()["tasks"]:
        file = Path(task["meta"]["file"])
        entries = result(file.relative_to(file.parents[1]).as_posix())
        made = studio.post(
            f"api/tasks/{task['id']}/annotations/",
            json={"result": entries, "was_cancelled": not entries},
        )
        assert made.status_code == 201, made.text


@pytest.fixture(scope="module")
def classes(kernel: Kernel, studio: LabelStudioClient) -> None:
    """A project `classes`: two pictures with the same name and label, and a skipped one."""
    kernel.run(
        'classes = lsp.label("pictures", labels=["Hot/dog", ".."], title="Classes")\n'
        'empty = lsp.label("pictures", labels=["Dog"], title="Empty")'
    )

    def result(name: str) -> list[dict[str, Any]]:
        entry = {"from_name": "label", "to_name": "image", "type": "choices"}
        return [entry | {"value": {"choices": ["Hot/dog"]}}] if "same" in name else []

    label_all(studio, kernel.json("classes.id"), result)


@pytest.fixture(scope="module")
def boxes(kernel: Kernel, studio: LabelStudioClient) -> None:
    kernel.run('boxes = lsp.label("pictures", labels=["Dog"], task="object-detection")')
    box = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["Dog"]}
    label_all(
        studio,
        kernel.json("boxes.id"),
        lambda name: [
            {
                "from_name": "label",
                "to_name": "image",
                "type": "rectanglelabels",
                "value": box,
                "original_width": 40,
                "original_height": 30,
            }
        ],
    )


def exported(kernel: Kernel, jupyter: JupyterLab, call: str) -> dict[str, Path]:
    """Return the files of an export by their paths in its folder."""
    folder = Path(kernel.json(f"str({call})"))
    assert folder.parent == jupyter.root_dir
    assert [each.name for each in jupyter.root_dir.glob(".labelstudio-export-*")] == []
    return {
        file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()
    }


def size(picture: Path) -> Any:
    with Image.open(picture) as opened:
        opened.load()
        return opened.size


@pytest.mark.usefixtures("classes")
def test_tables_of_label_studio(kernel: Kernel, jupyter: JupyterLab) -> None:
    files = exported(kernel, jupyter, 'classes.export("json", "as json")')
    assert set(files) == {"result.json"}
    tasks = json.loads(files["result.json"].read_text())
    assert len(tasks) == 3

    files = exported(kernel, jupyter, 'classes.export("CSV", "as csv")')
    rows = list(csv.DictReader(files["result.csv"].read_text().splitlines()))
    assert [row["label"] for row in rows] == ["Hot/dog", "Hot/dog"]
    assert files["result.csv"].stat().st_mode & 0o777 == 0o644


@pytest.mark.usefixtures("classes")
def test_a_folder_for_each_label(kernel: Kernel, jupyter: JupyterLab) -> None:
    exported(kernel, jupyter, 'classes.export("imagefolder", "as folders")')

    # as torchvision reads it
    root = jupyter.root_dir / "as folders"
    names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    assert names == ["Hot_dog"]
    found = [Path(at, name) for at, _, files in os.walk(root) for name in files]
    assert {file.name for file in found} == {"same.png", "same-2.png"}
    assert {size(file) for file in found} == {(40, 30), (50, 30)}


@pytest.mark.usefixtures("boxes")
@pytest.mark.parametrize("name", ["COCO", "YOLO", "VOC"])
def test_pictures_come_along(kernel: Kernel, jupyter: JupyterLab, name: str) -> None:
    files = exported(kernel, jupyter, f'boxes.export("{name}", "as {name}")')

    pictures = {path: file for path, file in files.items() if path.startswith("images/")}
    assert {size(file) for file in pictures.values()} == set(SIZES.values())
    if name == "COCO":
        listed = json.loads(files["result.json"].read_text())
        assert {each["file_name"] for each in listed["images"]} == set(pictures)
        assert len(listed["annotations"]) == 3
    elif name == "YOLO":
        stems = {Path(path).stem for path in pictures}
        labels = {Path(path).stem for path in files if path.startswith("labels/")}
        assert labels == stems
        assert files["classes.txt"].read_text() == "Dog\n"


def test_pictures_that_were_uploaded_come_along(
    kernel: Kernel, jupyter: JupyterLab, studio: LabelStudioClient
) -> None:
    fields = {"title": "Uploads", "label_config": media.BOXES}
    number = studio.post("api/projects/", json=fields).json()["id"]
    studio.post(f"api/projects/{number}/import", files={"file": ("a b.png", media.png())})
    (task,) = studio.get("api/tasks/", params={"project": number}).json()["tasks"]
    studio.post(f"api/tasks/{task['id']}/annotations/", json={"result": [media.BOX]})

    files = exported(kernel, jupyter, f'lsp.project({number}).export("COCO", "uploads")')

    (image,) = json.loads(files["result.json"].read_text())["images"]
    assert files[image["file_name"]].read_bytes() == media.png()


@pytest.mark.usefixtures("boxes")
def test_labels_without_pictures(kernel: Kernel, jupyter: JupyterLab) -> None:
    files = exported(kernel, jupyter, 'boxes.export("COCO", "labels alone", pictures=False)')

    assert set(files) == {"result.json"}


@pytest.mark.usefixtures("boxes", "classes")
def test_errors_leave_nothing(kernel: Kernel, jupyter: JupyterLab) -> None:
    root = jupyter.root_dir
    (root / "full").mkdir()
    (root / "full" / "mine.txt").write_text("mine")
    (root / "file").write_text("mine")
    (root / "link").symlink_to(root / "pictures")
    gone = root / ".labelstudio-export-x"
    before = {each.name for each in root.iterdir()}

    def said(call: str) -> str:
        return kernel.run(
            f"try: {call}\nexcept lsp.Problem as problem: print(problem.as_sentence())"
        )

    assert "has no format 'COCOA'. It has" in said('boxes.export("COCOA", "new")')
    assert "Did you mean 'COCO'?" in said('boxes.export("COCOA", "new")')
    assert "does not fit" in said('classes.export("COCO", "new")')
    assert "imagefolder" in said('classes.export("COCO", "new")')
    assert "is not empty" in said('boxes.export("COCO", "full")')
    assert "is a file" in said('boxes.export("COCO", "file")')
    assert "is a link" in said('boxes.export("COCO", "link")')
    assert "missing does not exist" in said('boxes.export("COCO", "missing/new")')
    assert "Choose a shorter name." in said('boxes.export("COCO", 256 * "n")')
    assert "Nothing of this project is labelled yet." in said('empty.export("JSON", "new")')
    assert not gone.exists()

    picture = root / "pictures" / "a" / "same.png"
    content = picture.read_bytes()
    picture.unlink()
    try:
        assert f"left out 1 of 3 pictures. They are not on this machine: {picture}." in said(
            'boxes.export("YOLO", "new")'
        )
        assert f"The file {picture} cannot be read." in said('classes.export("imagefolder", "new")')
    finally:
        picture.write_bytes(content)
    assert {each.name for each in root.iterdir()} == before


@pytest.mark.usefixtures("classes")
def test_what_a_killed_export_has_left_is_removed(kernel: Kernel, jupyter: JupyterLab) -> None:
    left = jupyter.root_dir / f".labelstudio-export-{socket.gethostname()}-999999999-x"
    other = jupyter.root_dir / ".labelstudio-export-another-machine-999999999-x"
    for folder in (left, other):
        (folder / "content").mkdir(parents=True)
    (jupyter.root_dir / "there").mkdir()

    kernel.run('classes.export("CSV", "there")')

    assert not left.exists()
    assert other.exists()
    assert (jupyter.root_dir / "there" / "result.csv").exists()
    (other / "content").rmdir()
    other.rmdir()
