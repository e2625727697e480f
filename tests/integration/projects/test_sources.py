"""The sources that `lsp.label` takes: folders, globs, lists, tables; and what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import media
from support.jupyter import JupyterLab, LabelStudioClient
from support.kernel import CellError, Kernel
from support.processes import wait_for

PICTURE = media.png(8, 8, (200, 90, 0))
LABELS = 'labels=["Hot dog", "Not hot dog"]'
CONFIG = (
    '<View><Text name="t" value="$review"/><Choices name="c" toName="t">'
    '<Choice value="Good"/><Choice value="Bad"/></Choices></View>'
)


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    return module_jupyter_lab(base_url="/user/ada/", config={"data_dir": str(new_data_dir())})


@pytest.fixture(scope="module")
def kernel(jupyter: JupyterLab) -> Iterator[Kernel]:
    with Kernel(jupyter) as kernel:
        kernel.run("import labelstudio_proxy as lsp; import pandas as pd")
        yield kernel


def pictures(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(PICTURE)


def made(kernel: Kernel, call: str) -> dict[str, Any]:
    """What a call of `lsp.label` makes."""
    kernel.run(f"project = {call}")
    fields = "{name: getattr(project, name) for name in ('id', 'title', 'task', 'total')}"
    found: dict[str, Any] = kernel.json(fields)
    return found


def data_of(studio: LabelStudioClient, project: int) -> list[dict[str, Any]]:
    answer = studio.get("api/tasks", params={"project": project, "page_size": 100})
    return [task["data"] for task in answer.json()["tasks"]]


def test_a_folder_becomes_a_project_that_grows_with_it(
    jupyter: JupyterLab, kernel: Kernel, studio: LabelStudioClient
) -> None:
    folder = jupyter.root_dir / "hotdogs"
    pictures(folder, "a.png", "b.png", "100% #1 & 'é'.png")
    kernel.run('project = lsp.label("hotdogs/", labels=["Hot dog", "Not hot dog"])')
    assert kernel.json("[project.title, project.task, project.total, project.labelled]") == [
        "hotdogs",
        "image-classification",
        3,
        0,
    ]
    number = kernel.json("project.id")
    assert kernel.json("project.url") == f"{jupyter.prefix}projects/{number}/data?labeling=1"
    tasks = studio.get("api/tasks", params={"project": number}).json()["tasks"]
    for task in tasks:
        assert studio.get(task["data"]["image"].lstrip("/")).content == PICTURE

    pictures(folder, "c.png")
    kernel.run('again = lsp.label("hotdogs", labels=["Hot dog", "Not hot dog"])')
    assert kernel.json("[again.id, again.total]") == [number, 4]
    kernel.run('found = lsp.project("hotdogs")')
    assert kernel.json("[found.id, lsp.project(found.id).title]") == [number, "hotdogs"]


def test_a_pattern_finds_files_and_its_project_again(jupyter: JupyterLab, kernel: Kernel) -> None:
    pictures(jupyter.root_dir / "pets" / "cats", "1.png", "2.jpg")
    pictures(jupyter.root_dir / "pets" / "dogs", "3.png")
    found = made(kernel, f'lsp.label("pets/*/*.png", {LABELS})')
    assert (found["title"], found["total"]) == ("pets", 2)
    again = made(kernel, f'lsp.label("pets/*/*.png", {LABELS})')
    assert again == found


def test_a_list_of_files_grows(jupyter: JupyterLab, kernel: Kernel) -> None:
    pictures(jupyter.root_dir / "listed", "1.png", "2.png", "3.png")
    found = made(kernel, f'lsp.label(["listed/1.png", "listed/2.png"], {LABELS}, title="Listed")')
    assert found["total"] == 2
    more = made(kernel, f'lsp.label(["listed/2.png", "listed/3.png"], {LABELS}, title="Listed")')
    assert (more["id"], more["total"]) == (found["id"], 3)


def test_lists_of_texts_are_the_same_project_if_they_share_one(
    kernel: Kernel, studio: LabelStudioClient
) -> None:
    first = made(kernel, 'lsp.label(["good", "bad", "good"], labels=["a", "b"])')
    assert (first["title"], first["task"], first["total"]) == ("List", "text-classification", 3)
    assert [data["text"] for data in data_of(studio, first["id"])] == ["good", "bad", "good"]
    again = made(kernel, 'lsp.label(["good", "bad", "good", "so-so"], labels=["a", "b"])')
    assert (again["id"], again["total"]) == (first["id"], 4)
    other = made(kernel, 'lsp.label(["of another list"], labels=["a", "b"])')
    assert (other["title"], other["total"]) == ("List 2", 1)
    assert made(kernel, 'lsp.label(["of another list", "x"])')["id"] == other["id"]


def test_a_table_of_texts_keeps_its_other_columns(
    kernel: Kernel, studio: LabelStudioClient
) -> None:
    kernel.run(
        "import datetime\n"
        'frame = pd.DataFrame({"stars": [5, 1], "review": ["fine", "not fine"],'
        ' "day": [datetime.date(2026, 1, 2), None]}, index=["x", "y"])'
    )
    found = made(kernel, 'lsp.label(frame, column="review", labels=["a", "b"], title="Reviews")')
    assert found["total"] == 2
    assert data_of(studio, found["id"])[0] == {"review": "fine", "stars": 5, "day": "2026-01-02"}
    kernel.run('frame.loc["z"] = [3, "fine", None]')
    more = made(kernel, 'lsp.label(frame, column="review", title="Reviews")')
    assert (more["id"], more["total"]) == (found["id"], 3)


def test_a_table_of_files_shows_the_files(
    jupyter: JupyterLab, kernel: Kernel, studio: LabelStudioClient
) -> None:
    pictures(jupyter.root_dir / "shots", "1.png", "2.png")
    kernel.run('shots = pd.DataFrame({"file": ["shots/1.png", "shots/2.png"], "camera": [7, 8]})')
    found = made(kernel, f"lsp.label(shots, {LABELS})")
    assert (found["task"], found["total"]) == ("image-classification", 2)
    data = data_of(studio, found["id"])
    assert [each["camera"] for each in data] == [7, 8]
    assert studio.get(data[0]["image"].lstrip("/")).content == PICTURE


def test_files_with_texts_become_texts(
    jupyter: JupyterLab, kernel: Kernel, studio: LabelStudioClient
) -> None:
    folder = jupyter.root_dir / "letters"
    folder.mkdir()
    (folder / "a.txt").write_text("Dear Ω, <b>& so on")
    found = made(kernel, 'lsp.label("letters", task="token-classification", labels=["Name"])')
    assert data_of(studio, found["id"]) == [{"text": "Dear Ω, <b>& so on"}]


def test_an_own_labelling_interface_gets_its_data(
    kernel: Kernel, studio: LabelStudioClient
) -> None:
    found = made(kernel, f'lsp.label(["fine", "bad"], config={CONFIG!r}, title="Own")')
    assert (found["task"], found["total"]) == ("", 2)
    assert data_of(studio, found["id"]) == [{"review": "fine"}, {"review": "bad"}]


def test_the_labels_of_a_project_can_grow(kernel: Kernel) -> None:
    first = made(kernel, 'lsp.label(["x"], labels=["a", "b"], title="Growing")')
    assert made(kernel, 'lsp.label(["x"], labels=["a", "b", "c"], title="Growing")') == first
    assert kernel.json("project._fields['labels']") == ["a", "b", "c"]


def label_one(kernel: Kernel, studio: LabelStudioClient, label: str) -> None:
    """Label the first item of `project`."""
    number = kernel.json("project.id")
    task = studio.get("api/tasks", params={"project": number}).json()["tasks"][0]["id"]
    value = {"choices": [label]}
    entry = {"from_name": "label", "to_name": "text", "type": "choices", "value": value}
    answer = studio.post(f"api/tasks/{task}/annotations/", json={"result": [entry]})
    assert answer.status_code == 201, answer.text


def test_a_label_in_use_cannot_be_removed(kernel: Kernel, studio: LabelStudioClient) -> None:
    kernel.run('project = lsp.label(["x"], labels=["a", "b"], title="In use")')
    label_one(kernel, studio, "a")
    with pytest.raises(CellError, match=r"'In use' could not be changed.*\n?.*a \(1"):
        kernel.run('lsp.label(["x"], labels=["b", "c"], title="In use")')
    assert kernel.json('lsp.project("In use")._fields["labels"]') == ["a", "b"]
    made(kernel, 'lsp.label(["x"], labels=["a", "c"], title="In use")')


def test_another_task_is_a_new_title_once_there_are_labels(
    kernel: Kernel, studio: LabelStudioClient
) -> None:
    spans = 'lsp.label(["x"], labels=["a", "b"], title="Tasks", task="token-classification")'
    classes = 'lsp.label(["x"], labels=["a", "b"], title="Tasks")'
    first = made(kernel, spans)
    second = made(kernel, classes)
    assert second == {**first, "task": "text-classification"}
    label_one(kernel, studio, "a")
    with pytest.raises(CellError, match=r"another task: text-classification.*title='Tasks 2'"):
        kernel.run(spans)
    assert made(kernel, classes) == second


def test_the_folder_whose_subfolders_label_studio_may_read(
    jupyter: JupyterLab, kernel: Kernel
) -> None:
    pictures(jupyter.root_dir / "below", "1.png")
    assert made(kernel, f'lsp.label("..", {LABELS}, title="Everything")')["total"] >= 1


def test_two_folders_of_one_name_are_two_projects(jupyter: JupyterLab, kernel: Kernel) -> None:
    for above in ("north", "south"):
        pictures(jupyter.root_dir / above / "birds", "1.png")
    first = made(kernel, f'lsp.label("north/birds", {LABELS})')
    second = made(kernel, f'lsp.label("south/birds", {LABELS})')
    assert [first["title"], second["title"]] == ["birds", "birds 2"]
    assert made(kernel, 'lsp.label("south/birds")') == second


def test_what_cannot_be_labelled_is_left_out(jupyter: JupyterLab, kernel: Kernel) -> None:
    folder = jupyter.root_dir / "mixed"
    pictures(folder, "1.png")
    (folder / "no picture.png").write_text("text")
    (folder / "notes.txt").write_text("notes")
    (folder / "lost.png").symlink_to("nowhere.png")
    said = kernel.run(f'project = lsp.label("mixed", {LABELS})')
    assert kernel.json("project.total") == 1
    assert "no picture.png" in said
    assert "lost.png" in said


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ('lsp.label("nowhere", labels=["a", "b"])', "nowhere"),
        ('lsp.label("/etc", labels=["a", "b"], task="text-classification")', "/etc"),
        ('lsp.label("/", labels=["a", "b"])', "may not read files in /."),
        ('lsp.label("bad-folder", labels=["a", "b"])', "notes.xyz"),
        ('lsp.label(["unheard of"])', "labels"),
        ('lsp.label(["x"], labels=["a", "a"])', "'a'"),
        ('lsp.label(["x"], labels="a,b")', "['a', 'b']"),
        ('lsp.label(["x"], labels=["a"], task="no-such-task")', "no-such-task"),
        (f'lsp.label(["x"], labels=["a"], config={CONFIG!r})', "config"),
        ('lsp.label(["x"], config="<View>")', "XML"),
        ('lsp.label(["x", 5], labels=["a", "b"])', "Item 1"),
        ('lsp.label([], labels=["a", "b"])', "empty"),
        ("lsp.label(5)", "int"),
        ('lsp.label(pd.DataFrame({"u": ["x"], "v": ["y"]}), labels=["a"])', "column='u'"),
        ('lsp.label(pd.DataFrame({"u": ["x"]}), column="w", labels=["a"])', "'w'"),
        ('lsp.label(pd.DataFrame({"text": ["x", None]}), labels=["a"])', "dropna"),
        (
            'lsp.label(pd.DataFrame({"text": ["x", "y"]}, index=[1, 1]), labels=["a"])',
            "reset_index",
        ),
        ('lsp.label(["x"], labels=["a"], title="ab")', "'ab'"),
        ('lsp.label(["x"], labels=["a"], title="a" * 60)', "50"),
        ('lsp.project("missing")', "'missing'"),
        ("lsp.project(4711)", "4711"),
    ],
)
def test_an_error_names_the_value_and_makes_nothing(
    jupyter: JupyterLab, kernel: Kernel, studio: LabelStudioClient, call: str, words: str
) -> None:
    folder = jupyter.root_dir / "bad-folder"
    folder.mkdir(exist_ok=True)
    (folder / "notes.xyz").write_text("?")
    before = studio.get("api/projects").json()["count"]
    with pytest.raises(CellError) as caught:
        kernel.run(call)
    assert caught.value.name == "Problem"
    assert words in caught.value.value, caught.value.value
    assert studio.get("api/projects").json()["count"] == before


def test_a_title_that_two_projects_have_finds_neither(kernel: Kernel) -> None:
    kernel.run('lsp.label(["x"], labels=["a"], title="Twin")')
    kernel.run('lsp.label(pd.DataFrame({"text": ["x"]}), labels=["a"], title="Twin")')
    with pytest.raises(CellError) as caught:
        kernel.run('lsp.project("Twin")')
    assert json.dumps("Twin").strip('"') in caught.value.value


def test_waiting_does_not_start_a_label_studio_that_stopped(
    kernel: Kernel, studio: LabelStudioClient
) -> None:
    kernel.run(
        "import threading\n"
        "from labelstudio_proxy.client import connection\n"
        'waited = lsp.label(["to wait for"], labels=["a", "b"], title="Waiting")\n'
        "looks, found, runs = [], [], connection.Connection.runs\n"
        "def look(self):\n"
        "    looks.append(runs(self))\n"
        "    return looks[-1]\n"
        "connection.Connection.runs = look\n"
        "waiting = threading.Thread(target=lambda: found.append(waited.wait().labelled))\n"
        "waiting.start()"
    )
    studio.post("_proxy/stop")
    studio.wait_for_state("stopped")
    wait_for(lambda: kernel.json("looks[-2:]") == [False, False], what="two looks while stopped")
    assert studio.state()["state"] == "stopped"
    studio.wait_ready()
    task = studio.get("api/tasks", params={"project": kernel.json("waited.id")}).json()["tasks"][0]
    result = [
        {
            "from_name": "label",
            "to_name": "text",
            "type": "choices",
            "value": {"choices": ["a"]},
        }
    ]
    assert studio.post(f"api/tasks/{task['id']}/annotations", json={"result": result}).ok
    kernel.run("waiting.join(60)")
    assert kernel.json("found") == [1]
