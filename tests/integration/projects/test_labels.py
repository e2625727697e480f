"""Labels of the real Label Studio as rows: out of its database, and by its API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.label_studio import BareLabelStudio

from labelstudio_proxy.data_directory.annotations import last, projects, read, versions
from labelstudio_proxy.data_directory.directory import DataDirectory
from labelstudio_proxy.gateway.projects import annotations_api
from labelstudio_proxy.gateway.projects import labels as labels_module
from labelstudio_proxy.gateway.projects.labels import labels as labels_of
from labelstudio_proxy.labelling.interface import Interface
from labelstudio_proxy.labelling.rows import Labelled, rows

OWNER = "ada@example.org"
CONFIG = """
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="box" toName="image"><Label value="cat"/><Label value="dog"/></RectangleLabels>
  <PolygonLabels name="shape" toName="image"><Label value="roof"/></PolygonLabels>
  <KeyPointLabels name="point" toName="image"><Label value="nose"/></KeyPointLabels>
  <EllipseLabels name="round" toName="image"><Label value="ball"/></EllipseLabels>
  <BrushLabels name="brush" toName="image"><Label value="sky"/></BrushLabels>
  <Choices name="scene" toName="image" choice="multiple">
    <Choice value="in"/><Choice value="out"/>
  </Choices>
  <TextArea name="note" toName="image" perRegion="true"/>
  <Text name="words" value="$words"/>
  <Labels name="spans" toName="words"><Label value="PER"/></Labels>
  <Audio name="sound" value="$sound"/>
  <Labels name="parts" toName="sound"><Label value="speech"/></Labels>
</View>
"""
SIZE = {"original_width": 200, "original_height": 100, "image_rotation": 0, "to_name": "image"}
BOX = {"x": 10.5, "y": 20, "width": 30, "height": 40, "rotation": 15}


def entry(
    identifier: str, name: str, kind: str, value: dict[str, Any], **more: Any
) -> dict[str, Any]:
    return {"id": identifier, "from_name": name, "type": kind, "value": value} | SIZE | more


RESULT = [
    entry("a", "box", "rectanglelabels", BOX | {"rectanglelabels": ["cat"]}),
    entry("a", "note", "textarea", BOX | {"text": ["blurred: é 🐱"]}),
    entry(
        *("b", "shape", "polygonlabels"),
        {"points": [[0, 0], [50, 0], [25, 33.3]], "closed": True, "polygonlabels": ["roof"]},
    ),
    entry(
        "c", "point", "keypointlabels", {"x": 1, "y": 2, "width": 0.5, "keypointlabels": ["nose"]}
    ),
    entry(
        *("d", "round", "ellipselabels"),
        {"x": 50, "y": 50, "radiusX": 10, "radiusY": 5, "rotation": 0, "ellipselabels": ["ball"]},
    ),
    entry("e", "brush", "brushlabels", {"format": "rle", "rle": [0, 0, 1], "brushlabels": ["sky"]}),
    entry("f", "scene", "choices", {"choices": ["in", "out"]}),
    entry(
        *("g", "spans", "labels"),
        {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]},
        to_name="words",
    ),
    entry(
        *("h", "parts", "labels"),
        {"start": 0.25, "end": 1.5, "channel": 0, "labels": ["speech"]},
        to_name="sound",
    ),
    {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right", "labels": []},
]


class Labels:
    """A bare Label Studio with a project in which people have labelled."""

    def __init__(self, studio: BareLabelStudio) -> None:
        self.studio = studio
        self.directory = DataDirectory(studio.data_dir)
        self.project = self._sent("api/projects", title="All", label_config=CONFIG)["id"]
        other = self._sent("api/projects", title="Other", label_config=CONFIG)["id"]
        for project, count in ((self.project, 5), (other, 1)):
            items = [
                {
                    "data": {
                        "image": f"/data/local-files/?d=a%20b/{n}.png",
                        "words": "Ada 🐱 wrote",
                        "sound": f"s3://bucket/{n}.wav",
                        "year": 1843,
                    },
                    "meta": {"file": f"/home/ada/a b/{n}.png"},
                }
                for n in range(count)
            ]
            self._post(f"api/projects/{project}/import", items)
        listed = studio.get("api/tasks", params={"project": self.project}).json()["tasks"]
        first, second, third, fourth, _ = sorted(task["id"] for task in listed)
        self._annotate(first, RESULT, lead_time=12.5)
        self._annotate(first, RESULT[6:7])
        self._annotate(second, [])
        self._annotate(third, RESULT[:1], was_cancelled=True)
        self._post(f"api/tasks/{fourth}/drafts", {"result": RESULT[:1], "lead_time": 1})
        self._sent("api/predictions", task=fourth, result=RESULT[:1], model_version="v1")

    def _annotate(self, task: int, result: list[dict[str, Any]], **more: Any) -> None:
        self._post(f"api/tasks/{task}/annotations", {"result": result} | more)

    def _sent(self, path: str, **body: Any) -> dict[str, Any]:
        found: dict[str, Any] = self._post(path, body)
        return found

    def _post(self, path: str, body: Any) -> Any:
        response = self.studio.post(path, json=body)
        assert response.status_code == 201, f"{path}: {response.text[:300]}"
        return response.json()

    def from_database(self, **options: Any) -> list[Labelled]:
        return list(read(self.directory, self.project, **options))

    async def get(self, path: str, **query: Any) -> Any:
        """Ask Label Studio, as the gateway's own API object does."""
        return self.studio.get(path, params=query).json()

    def from_gateway(self, directory: DataDirectory, **options: Any) -> list[Labelled]:
        """Return what the gateway reads, if its data are in `directory`."""
        api: Any = self  # of which only `get` is used

        async def collect() -> list[Labelled]:
            parts = labels_of(api, directory, self.project, **options)
            return [each async for part in parts for each in part]

        return asyncio.run(collect())


@pytest.fixture(scope="module")
def labels(
    module_bare_label_studio: Callable[..., BareLabelStudio], new_data_dir: Callable[[], Path]
) -> Labels:
    return Labels(module_bare_label_studio(new_data_dir(), email=OWNER))


@pytest.mark.parametrize("unlabelled", [False, True])
def test_the_database_and_the_api_have_the_same_labels(
    labels: Labels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unlabelled: bool
) -> None:
    monkeypatch.setattr(annotations_api, "PAGE", 2)
    monkeypatch.setattr(labels_module, "PART", 2)

    found = labels.from_database(unlabelled=unlabelled)

    for directory, external in (
        (labels.directory, False),
        (labels.directory, True),  # as with PostgreSQL
        (DataDirectory(tmp_path), False),  # tables of an unknown version
    ):
        read = labels.from_gateway(directory, external_database=external, unlabelled=unlabelled)
        assert read == found
    assert [each.annotation_id is not None for each in found] == (
        [True] * 4 + [False] * 2 if unlabelled else [True] * 3
    )
    assert {each.annotator for each in found if each.annotation_id} == {OWNER}
    assert found[0].lead_time == 12.5


def test_a_row_has_what_people_drew(labels: Labels) -> None:
    interface = Interface.parse(projects(labels.directory, labels.project)[0].label_config)

    found = list(rows(labels.from_database(), interface))

    assert [(row["label"], row.get("region_id")) for row in found] == [
        *(("cat", "a"), ("roof", "b"), ("nose", "c"), ("ball", "d"), ("sky", "e"), ("PER", "g")),
        *(("speech", "h"), (None, None), (None, None)),
    ]
    assert [row.get("scene") for row in found] == [["in", "out"]] * 8 + [None]
    cat, roof, nose, ball, sky, ada, speech, _, nothing = found
    assert (cat["rotation"], len(cat["points"]), cat["note"]) == (15, 4, "blurred: é 🐱")
    assert cat["relations"] == [{"to": "b", "direction": "right", "labels": []}]
    assert roof["points"] == [[0, 0], [100, 0], [50, 33.3]]
    assert (nose["x_min"], nose["y_max"]) == (2, 2)
    assert (ball["x_min"], ball["x_max"], ball["radius_y"]) == (80, 120, 5)
    assert sky["mask"] == {"rle": "AAAB", "width": 200, "height": 100}
    assert (ada["start"], ada["end"], ada["text"], ada["words"]) == (0, 3, "Ada", "Ada 🐱 wrote")
    assert (speech["start"], speech["end"], speech["channel"]) == (0.25, 1.5, 0)
    assert (nothing["file"], nothing["year"]) == ("/home/ada/a b/1.png", 1843)


def test_counts_and_the_last_labels_follow_what_people_do(labels: Labels) -> None:
    (stored,) = projects(labels.directory, labels.project)
    assert (stored.title, stored.total, stored.labelled) == ("All", 5, 2)
    before = versions(labels.directory, labels.project)
    newest = last(labels.directory, labels.project, 3)[-1]

    changed = labels.studio.patch(
        f"api/annotations/{newest.annotation_id}/", json={"result": RESULT[:1]}
    )

    assert changed.ok, changed.text
    assert versions(labels.directory, labels.project) != before
    (found,) = last(labels.directory, labels.project, 1)
    assert found == replace(newest, result=found.result, updated_at=found.updated_at)
    assert [each["id"] for each in found.result] == ["a"]
