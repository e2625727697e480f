"""`Project.to_dataframe` in a real kernel, over the real Label Studio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import media
from support.jupyter import JupyterLab, LabelStudioClient
from support.kernel import CellError, Kernel
from support.processes import wait_for

BOX = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["cat"]}


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    return module_jupyter_lab(config={"data_dir": str(new_data_dir())})


@pytest.fixture(scope="module")
def kernel(jupyter: JupyterLab) -> Iterator[Kernel]:
    with Kernel(jupyter) as kernel:
        kernel.run("import os; import labelstudio_proxy as lsp")
        yield kernel


def pictures(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(media.png(8, 8, (200, 90, 0)))


def annotate(studio: LabelStudioClient, task: int, *result: dict[str, Any], **more: Any) -> None:
    body = {"result": [{"to_name": "image", "id": "a"} | each for each in result]} | more
    answer = studio.post(f"api/tasks/{task}/annotations", json=body)
    assert answer.status_code == 201, answer.text


def tasks_of(studio: LabelStudioClient, project: int) -> list[int]:
    tasks = studio.get("api/tasks", params={"project": project}).json()["tasks"]
    return sorted(task["id"] for task in tasks)


def choice(label: str) -> dict[str, Any]:
    return {"from_name": "label", "type": "choices", "value": {"choices": [label]}}


def test_a_classified_folder_is_a_frame(
    jupyter: JupyterLab, kernel: Kernel, studio: LabelStudioClient
) -> None:
    names = ["1.png", "2.png", "3.png", "100% #1 & 'é'.png"]
    pictures(jupyter.root_dir / "food", *names)
    kernel.run('project = lsp.label("food", labels=["Hot dog", "Not hot dog"])')
    kernel.run("frame = project.to_dataframe()")
    assert kernel.json("[len(frame), *frame.columns]") == [
        *(0, "file", "label", "annotator", "created_at", "updated_at", "lead_time", "task_id"),
        "annotation_id",
    ]
    first, second, third, _ = tasks_of(studio, kernel.json("project.id"))
    annotate(studio, first, choice("Hot dog"), lead_time=2.5)
    annotate(studio, first, choice("Not hot dog"))
    annotate(studio, second)
    annotate(studio, third, was_cancelled=True)

    kernel.run("frame = project.to_dataframe()")

    assert kernel.json("frame.label.fillna('').tolist()") == ["Hot dog", "Not hot dog", ""]
    assert kernel.json("[open(each, 'rb').read(4)[1:].decode() for each in frame.file]") == [
        *("PNG", "PNG", "PNG")
    ]
    assert kernel.json("[str(each) for each in frame.dtypes[3:]]") == [
        *("datetime64[us, UTC]", "datetime64[us, UTC]", "float64", "int64", "Int64")
    ]
    kernel.run("everything = project.to_dataframe(unlabelled=True)")
    assert kernel.json("everything.skipped.tolist()") == [False, False, False, True, False]
    assert sorted(kernel.json("everything.file.map(os.path.basename).unique().tolist()")) == sorted(
        names
    )


def test_the_labels_on_disk_are_the_same_frame(
    jupyter: JupyterLab, kernel: Kernel, studio: LabelStudioClient
) -> None:
    pictures(jupyter.root_dir / "kept", "1.png", "2.png")
    kernel.run("import pandas, pathlib")
    kernel.run('labels = ["Hot dog", "Not hot dog"]')
    kernel.run('project = lsp.label("kept", labels=labels, keep=pathlib.Path("labels.jsonl"))')
    file = jupyter.root_dir / "kept" / "labels.jsonl"
    assert kernel.json("project.keep") == str(file)
    for task in tasks_of(studio, kernel.json("project.id")):
        annotate(studio, task, choice("Hot dog"), lead_time=2.5)
    wait_for(
        lambda: file.exists() and len(file.read_bytes().splitlines()) == 2, what="labels on disk"
    )

    kernel.run("frame = project.to_dataframe()")
    kernel.run("kept = pandas.read_json(project.keep, lines=True)")

    kernel.run("kept.file = kept.file.map(pathlib.Path(project.keep).parent.joinpath).map(str)")
    assert kernel.json("[*kept.columns] == [*frame.columns]")
    assert kernel.json("kept.astype(frame.dtypes).equals(frame)")


def test_labels_join_the_table_that_they_come_from(
    kernel: Kernel, studio: LabelStudioClient
) -> None:
    kernel.run(
        "import pandas as pd\n"
        "when = pd.date_range('2026-03-29', periods=3, freq='h', name='when')\n"
        "source = pd.DataFrame({'my text': ['a', 'b', 'c'], 'label': [1, 2, 3]}, index=when)\n"
        "project = lsp.label(source, column='my text', labels=['x', 'y'], title='Joined')"
    )
    first, _, third = tasks_of(studio, kernel.json("project.id"))
    annotate(studio, first, choice("x") | {"to_name": "text"})
    annotate(studio, third, choice("y") | {"to_name": "text"})

    kernel.run("frame = project.to_dataframe()")

    assert kernel.json("source[['my text']].join(frame.label).dropna().values.tolist()") == [
        *(["a", "x"], ["c", "y"])
    ]
    assert kernel.json("[frame.index.name, *frame.columns[:3]]") == [
        *("when", "my text", "label_source", "label")
    ]
    assert kernel.json("frame.label_source.tolist()") == [1, 3]


def test_boxes_are_in_pixels(
    jupyter: JupyterLab, kernel: Kernel, studio: LabelStudioClient
) -> None:
    pictures(jupyter.root_dir / "cats", "1.png")
    kernel.run('project = lsp.label("cats", task="object-detection", labels=["cat"])')
    (task,) = tasks_of(studio, kernel.json("project.id"))
    box = {"from_name": "label", "type": "rectanglelabels", "value": BOX}
    size = {"original_width": 200, "original_height": 100}
    annotate(studio, task, box | size | {"id": "b"}, box | size)

    kernel.run("frame = project.to_dataframe()")

    assert kernel.json('frame[["label", "x_min", "y_min", "x_max", "y_max"]].values.tolist()') == [
        *(["cat", 20, 20, 80, 60], ["cat", 20, 20, 80, 60])
    ]
    assert kernel.json("frame.region_id.tolist()") == ["b", "a"]


def test_a_project_that_was_made_by_hand_has_files(
    kernel: Kernel, studio: LabelStudioClient
) -> None:
    config = (
        '<View><Image name="image" value="$image"/><Choices name="label" toName="image">'
        '<Choice value="cat"/></Choices></View>'
    )
    made = studio.post("api/projects", json={"title": "By hand", "label_config": config}).json()
    upload = studio.post(
        f"api/projects/{made['id']}/import", files={"file": ("a b.png", media.png(8, 8))}
    )
    assert upload.status_code == 201, upload.text
    (task,) = tasks_of(studio, made["id"])
    annotate(studio, task, choice("cat"))

    kernel.run('frame = lsp.project("By hand").to_dataframe()')

    assert kernel.json("[open(each, 'rb').read(4)[1:].decode() for each in frame.file]") == ["PNG"]


def test_a_project_that_is_gone_is_a_problem(kernel: Kernel, studio: LabelStudioClient) -> None:
    kernel.run('project = lsp.label(["a text"], labels=["x", "y"], title="Gone")')
    assert studio.delete(f"api/projects/{kernel.json('project.id')}").status_code == 204

    with pytest.raises(CellError, match="There is no project"):
        kernel.run("project.to_dataframe()")
