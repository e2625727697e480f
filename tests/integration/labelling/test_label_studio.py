"""The real Label Studio accepts our labelling interfaces and finds the files of our items."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.label_studio import BareLabelStudio

from labelstudio_proxy.labelling import files, items
from labelstudio_proxy.labelling.interface import Interface
from labelstudio_proxy.labelling.series import Series
from labelstudio_proxy.labelling.tasks import TASKS, Task
from labelstudio_proxy.labelling.templates import interface_for

PNG = b"\x89PNG\r\n\x1a\n"
SERIES = Series(",", {"x": "x", '"y ""1"", <m> & more"': 'y "1", <m> & more'})
LABELS = (
    *("a, b", 'say "hi"', "it's", "<b>&amp;</b>", "🌭", "a  b", "50 %", "#1", "ä/ö", "[0]", "true"),
    *("1", "1.5", "null", "NaN", "{{x}}", "a > b", "👩‍🚀", "شكرا", "$", "\\", 'name="label"'),
)
# Names that need care in URLs, in queries and on disk.
NAMES = (
    *("50 %.png", "#1.png", "a&b=c.png", 'it\'s "it".png', "🌭.png", "a+b c.png", "a;b?.png"),
    *("%41.png", "new\nline.png", " space .png", "é.png", "e\u0301.png", "x" * 251 + ".png"),
    *("\\.png", "~.png", "<b>.png", "a/b/../c.png", "[1].png", "-.png"),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files root")


@pytest.fixture(scope="module")
def studio(
    root: Path,
    module_bare_label_studio: Callable[..., BareLabelStudio],
    new_data_dir: Callable[[], Path],
) -> BareLabelStudio:
    return module_bare_label_studio(
        new_data_dir(),
        email="ada@example.com",
        env={
            "LOCAL_FILES_SERVING_ENABLED": "true",
            "LOCAL_FILES_DOCUMENT_ROOT": str(root),
        },
    )


def make(studio: BareLabelStudio, xml: str) -> dict[str, Any]:
    response = studio.post("api/projects", json={"title": "Project", "label_config": xml})
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_task_has_an_interface_that_label_studio_accepts(
    studio: BareLabelStudio, task: Task
) -> None:
    if task.name == "automatic-speech-recognition":
        assert make(studio, interface_for(task, None))
        return
    for labels in (["Yes"], list(LABELS), [f"label {number}" for number in range(500)]):
        xml = interface_for(task, labels, series=SERIES)

        made = make(studio, xml)

        assert made["label_config"] == xml
        assert made["parsed_label_config"]["label"]["labels"] == labels


def test_every_template_of_label_studio_is_understood_as_label_studio_does() -> None:
    from label_studio_sdk._extensions.label_studio_tools.core.label_config import parse_config

    found = importlib.util.find_spec("label_studio")
    assert found is not None
    assert found.origin is not None
    templates = list(Path(found.origin).parent.glob("annotation_templates/*/*/config.yml"))
    assert len(templates) > 50
    for template in templates:
        beside = template.with_name("config.xml")
        xml = yaml.safe_load(template.read_text("utf-8")).get("config") or beside.read_text("utf-8")

        interface = Interface.parse(xml)

        # The others are not the same: ours has a chat twice, and the whole path of a nested choice.
        others = ("Chat", "Taxonomy")
        assert {
            control.name: (control.tag, control.to_name.split(","), list(control.labels))
            for control in interface.controls
            if control.tag not in others
        } == {
            name: (each["type"], each["to_name"], each["labels"])
            for name, each in parse_config(xml).items()  # type: ignore[no-untyped-call]
            if each["type"] not in others
        }, template


def test_label_studio_finds_files_with_any_name(studio: BareLabelStudio, root: Path) -> None:
    folder = root / "50% #1 & more"
    for number, name in enumerate(NAMES):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PNG + bytes([number]))
    task = TASKS["image-classification"]
    found = files.usable(files.in_folder(str(folder), within=str(root)), task)
    assert len(found.paths) == len(NAMES)
    project = make(studio, interface_for(task, ["Yes"]))["id"]
    storage = {"project": project, "path": str(folder), "use_blob_urls": True}
    assert studio.post("api/storages/localfiles", json=storage).status_code == 201

    new = items.of_files(found.paths, task.key, str(root))
    body = [{"data": item.data, "meta": item.meta} for item in new]
    assert studio.post(f"api/projects/{project}/import", json=body).status_code == 201

    tasks = studio.get("api/tasks", params={"project": project, "fields": "all"}).json()["tasks"]
    assert len(tasks) == len(NAMES)
    for each in tasks:
        response = studio.get(each["data"]["image"])
        assert response.content == Path(each["meta"]["file"]).read_bytes(), each


def test_label_studio_keeps_texts_and_columns(studio: BareLabelStudio) -> None:
    task = TASKS["text-classification"]
    text = " Grüße\r\n\t🌭 <b>&amp;</b> $image %41 "
    table = items.Table(["my text", "n", "text"], [["a", 1]], [[text, 5, None]])
    column = items.column_of(table, task, "my text")
    key = items.key_of(table.columns, column, task)
    project = make(studio, interface_for(task, ["Yes"], key=key))["id"]

    (item,) = items.of_table(table, column, key)
    body = [{"data": item.data, "meta": item.meta}]
    assert studio.post(f"api/projects/{project}/import", json=body).status_code == 201

    query = {"project": project, "fields": "all"}
    (made,) = studio.get("api/tasks", params=query).json()["tasks"]
    assert made["data"] == {"text_": text, "n": 5, "text": None}
    assert made["meta"] == {"index": ["a", 1], "column": "my text"}
    assert re.fullmatch(r"\w+", key)
