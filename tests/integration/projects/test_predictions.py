"""`Project.add_predictions` in a real kernel: a model's output in the real Label Studio."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import media
from support.jupyter import JupyterLab, LabelStudioClient
from support.kernel import Kernel
from support.stopping_api import StoppingAPI, stopping_api

from labelstudio_proxy.gateway.projects import predicting, prediction_batches
from labelstudio_proxy.gateway.projects.label_studio_api import LabelStudioAPI
from labelstudio_proxy.labelling.predictions import Prediction
from labelstudio_proxy.problem import Problem


@pytest.fixture(scope="module")
def data_dir(new_data_dir: Callable[[], Path]) -> Path:
    return new_data_dir()


@pytest.fixture(scope="module")
def jupyter(module_jupyter_lab: Callable[..., JupyterLab], data_dir: Path) -> JupyterLab:
    jupyter = module_jupyter_lab(base_url="/user/ada/", config={"data_dir": str(data_dir)})
    for folder, count in (("animals", 4), ("boxes", 3)):
        (jupyter.root_dir / folder).mkdir()
        for number in range(count):
            picture = media.png(100 + number, 50, (0, 60 * number, 200))
            (jupyter.root_dir / folder / f"{number} %#.png").write_bytes(picture)
    return jupyter


@pytest.fixture(scope="module")
def kernel(jupyter: JupyterLab) -> Iterator[Kernel]:
    with Kernel(jupyter) as kernel:
        kernel.run("import labelstudio_proxy as lsp, pandas as pd, numpy as np")
        kernel.run('animals = lsp.label("animals", labels=["Cat", "Dog"])')
        yield kernel


class Predicted:
    """What Label Studio has of a project."""

    def __init__(self, studio: LabelStudioClient, project: int) -> None:
        self.project = studio.get(f"api/projects/{project}/").json()
        self.found: list[dict[str, Any]] = studio.get(
            "api/predictions/", params={"project": project}
        ).json()
        tasks = studio.get("api/tasks/", params={"project": project}).json()["tasks"]
        self.files = {task["id"]: Path(task["meta"]["file"]).name for task in tasks}
        self.counts = {self.files[task["id"]]: task["total_predictions"] for task in tasks}

    def of(self, version: str) -> dict[str, tuple[Any, Any]]:
        """Return the choice and the score of each file."""
        return {
            self.files[each["task"]]: (each["result"][0]["value"]["choices"][0], each["score"])
            for each in self.found
            if each["model_version"] == version
        }


def test_a_model_is_shown_and_its_next_output_replaces_what_changed(
    kernel: Kernel, studio: LabelStudioClient
) -> None:
    number = kernel.json("animals.id")
    assert kernel.json('animals.add_predictions({"animals/0 %#.png": "Cat"}, "v1")') == 1
    assert Predicted(studio, number).of("v1") == {"0 %#.png": ("Cat", None)}

    kernel.run(
        'files = [f"./animals/{n} %#.png" for n in range(4)]\n'
        'frame = pd.DataFrame({"file": files, "label": ["Cat", "Dog", "Dog", "Cat"],'
        ' "score": np.array([0.25, 0.5, 0.75, 1], "float32")})'
    )
    assert kernel.json('animals.add_predictions(frame, model_version="v1")') == 4
    first = Predicted(studio, number)
    assert first.of("v1") == {
        "0 %#.png": ("Cat", 0.25),
        "1 %#.png": ("Dog", 0.5),
        "2 %#.png": ("Dog", 0.75),
        "3 %#.png": ("Cat", 1.0),
    }
    assert first.project["model_version"] == "v1"
    assert first.project["show_collab_predictions"] is True
    assert set(first.counts.values()) == {1}

    # The same cell again changes nothing; other versions stay.
    kernel.run('animals.add_predictions(frame, "v1")')
    assert Predicted(studio, number).found == first.found
    kernel.run('animals.add_predictions(pd.Series(["Dog"], index=files[:1]), "v1")')
    kernel.run('animals.add_predictions(pd.Series(["Dog"], index=files[:1]), "v2")')
    last = Predicted(studio, number)
    assert last.of("v1") == first.of("v1") | {"0 %#.png": ("Dog", None)}
    assert last.of("v2") == {"0 %#.png": ("Dog", None)}
    assert last.project["model_version"] == "v2"
    assert last.counts == {"0 %#.png": 2, "1 %#.png": 1, "2 %#.png": 1, "3 %#.png": 1}


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ('animals.add_predictions({"animals/9.png": "Cat"}, "x")', "'animals/9.png', which"),
        ('animals.add_predictions({"animals/0 %#.png": "cat"}, "x")', "Did you mean 'Cat'?"),
        ('animals.add_predictions(frame.assign(label=np.nan), "x")', "Row 0 has no label."),
        ('animals.add_predictions(frame.assign(score=np.nan), "x")', "the score NaN"),
        ('animals.add_predictions(frame.assign(score=7), "x")', "the score 7"),
        (
            'animals.add_predictions(pd.concat([frame, frame]), "x")',
            "Rows 0 and 4 are for the same",
        ),
        ('animals.add_predictions(frame.iloc[:0], "x")', "There are no predictions."),
        ('animals.add_predictions(frame.rename(columns={"label": "y"}), "x")', "column 'label'"),
        ('animals.add_predictions(frame.drop(columns="file"), "x")', "does not say which item"),
        ('animals.add_predictions(frame, "")', "`model_version` is ''."),
        ('animals.add_predictions("Cat", "x")', "They are of type str."),
    ],
)
def test_wrong_output_adds_nothing(
    kernel: Kernel, studio: LabelStudioClient, cell: str, words: str
) -> None:
    number = kernel.json("animals.id")
    before = Predicted(studio, number).found

    said = kernel.run(f"try: {cell}\nexcept lsp.Problem as problem: print(problem.as_sentence())")

    assert words in said
    assert Predicted(studio, number).found == before


def test_boxes_are_in_pixels_of_their_pictures(kernel: Kernel, studio: LabelStudioClient) -> None:
    kernel.run(
        "boxes = [dict(file=f'boxes/{n} %#.png', label='Cat', x_min=10 + n, y_min=5,"
        " x_max=50 + n / 2, y_max=25) for n in (0, 2)]\n"
        "frame = pd.DataFrame([*boxes, dict(file='boxes/1 %#.png'), boxes[0]])\n"
        "project = lsp.label('boxes', labels=['Cat'], task='object-detection', predictions=frame)"
    )

    found = Predicted(studio, kernel.json("project.id"))

    regions = {found.files[each["task"]]: each["result"] for each in found.found}
    assert {name: len(result) for name, result in regions.items()} == {
        "0 %#.png": 2,
        "1 %#.png": 0,
        "2 %#.png": 1,
    }
    (region,) = regions["2 %#.png"]
    assert (region["original_width"], region["original_height"]) == (102, 50)
    assert region["value"]["x"] == pytest.approx(100 * 12 / 102)
    assert region["value"]["width"] == pytest.approx(100 * 39 / 102)
    assert region["value"]["height"] == pytest.approx(40)


def test_masks_are_arrays(kernel: Kernel, studio: LabelStudioClient) -> None:
    kernel.run(
        "mask = np.zeros((50, 100), bool); mask[10:20, 30:60] = True\n"
        "project = lsp.label(['boxes/0 %#.png'], labels=['Cat'], task='image-segmentation',"
        " title='Masks')\n"
        "project.add_predictions([{'file': 'boxes/0 %#.png', 'label': 'Cat', 'mask': mask}], 'v1')"
    )
    (prediction,) = Predicted(studio, kernel.json("project.id")).found
    kernel.run(
        "from labelstudio_proxy.client.masks import decode_rle\n"
        f"pixels = decode_rle(bytes({prediction['result'][0]['value']['rle']}))\n"
        "assert ((pixels.reshape(50, 100, 4) > 0) == mask[:, :, None]).all()"
    )


def test_texts_are_found_by_content(kernel: Kernel, studio: LabelStudioClient) -> None:
    kernel.run(
        "texts = lsp.label(['Ada 🐈 wrote', 'to Charles'], labels=['PER'],"
        " task='token-classification', title='Texts')\n"
        "texts.add_predictions([{'text': 'Ada 🐈 wrote', 'start': 4, 'end': 5, 'label': 'PER'},"
        " {'text': 'to Charles', 'start': 3, 'end': 10, 'label': 'PER'}], 'v1')"
    )
    found = studio.get("api/predictions/", params={"project": kernel.json("texts.id")}).json()
    assert sorted(each["result"][0]["value"]["text"] for each in found) == ["Charles", "🐈"]


def choice(task: int, label: str) -> Prediction:
    """Return what a model says of a task of `animals`."""
    region = {"from_name": "label", "to_name": "image", "type": "choices"}
    return Prediction(task, 0, [{"id": "x", **region, "value": {"choices": [label]}}])


Add = Callable[..., StoppingAPI]


@pytest.fixture
def add(jupyter: JupyterLab, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Add:
    """Return a function that adds predictions, as the gateway does, and returns the API it used."""
    monkeypatch.setattr(prediction_batches, "BATCH", 2)
    monkeypatch.setattr(predicting, "CLEANUP_SECONDS", 0)

    async def send(
        number: int, version: str, found: list[Prediction], stop_after: int
    ) -> StoppingAPI:
        async with stopping_api(jupyter.home, data_dir, stop_after) as api:

            async def connect() -> LabelStudioAPI:
                return api

            try:
                await predicting.add_predictions(connect, number, version, found, lambda *_: None)
            except Problem:
                if api.left >= 0:
                    raise
            return api

    def add(
        number: int, version: str, found: list[Prediction], stop_after: int = 1000
    ) -> StoppingAPI:
        return asyncio.run(send(number, version, found, stop_after))

    return add


@pytest.mark.parametrize("version", ["new", "v1"])
def test_an_import_that_fails_in_the_middle_leaves_nothing(
    kernel: Kernel,
    studio: LabelStudioClient,
    add: Add,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
) -> None:
    monkeypatch.setattr(predicting, "ONE_BY_ONE", 0)
    number = kernel.json("animals.id")
    before = Predicted(studio, number)
    first, second, *_ = before.files
    # The last one is of a task that was deleted meanwhile.
    found = [choice(first, "Cat"), choice(second, "Cat"), Prediction(10**6, 0, [])]

    with pytest.raises(Problem, match="Label Studio rejected the predictions"):
        add(number, version, found)

    assert Predicted(studio, number).found == before.found


def test_many_changes_are_replaced_at_once_and_a_stop_anywhere_loses_nothing(
    kernel: Kernel, studio: LabelStudioClient, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predicting, "ONE_BY_ONE", 0)
    number = kernel.json("animals.id")
    files = Predicted(studio, number).files
    *named, kept = files
    label = "Cat"
    add(number, "other", [choice(task, "Dog") for task in files])
    add(number, "many", [choice(task, label) for task in files])
    finished = False
    stop_after = 0
    while not finished:
        stop_after += 1
        earlier, label = label, {"Cat": "Dog", "Dog": "Cat"}[label]
        changed = [choice(task, label) for task in named]
        api = add(number, "many", changed, stop_after=stop_after)
        finished = api.left >= 0

        # People see all of it, either as it was or as it shall be.
        found = Predicted(studio, number)
        shown = found.of(found.project["model_version"])
        assert shown.pop(files[kept]) == ("Cat", None)
        assert set(shown) == {files[task] for task in named}
        assert set(shown.values()) in ({(earlier, None)}, {(label, None)})

        api = add(number, "many", changed)
        found = Predicted(studio, number)
        assert api.singly == 0
        assert found.of("many") == {
            files[kept]: ("Cat", None),
            **{files[task]: (label, None) for task in named},
        }
        assert set(found.of("other").values()) == {("Dog", None)}
        assert {
            each["model_version"] for each in found.found if "many" in each["model_version"]
        } == {"many"}
        assert found.project["model_version"] == "many"
        versions = Counter(files[each["task"]] for each in found.found)
        assert found.counts == versions
