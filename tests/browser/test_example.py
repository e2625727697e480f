"""The example notebook, as a person works through it: in JupyterLab, and labels by keyboard."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import unquote

import pytest
from draw_food import COUNT, SEED, SIZE, choose_food
from playwright.sync_api import Locator, Page, Response, expect
from support import pictures
from support.browser import Tab
from support.jupyter import JupyterLab, LabelStudioClient
from support.kernel import Kernel
from support.processes import wait_for

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOK = "hot-dog.ipynb"
KEYS = {"Hot dog": "1", "Not hot dog": "2"}
LABELLED, CORRECTED = 16, 8  # in the notebook

# The element with the number of the task also has the place of the task among others.
SHOWS_TASK = """
number => document.querySelector(".lsf-current-task__task-id")?.firstChild.data === number
"""

STEP_MS = 60_000
START_MS = 120_000

expect.set_options(timeout=STEP_MS)


@pytest.fixture
def lab(jupyter_lab: Callable[..., JupyterLab], data_dir: Path) -> JupyterLab:
    """JupyterLab in a folder with the example."""
    jupyter = jupyter_lab(config={"data_dir": str(data_dir), "owner_email": "ada@example.org"})
    for name in (NOTEBOOK, "draw_food.py", "sketch.py"):
        shutil.copy(EXAMPLES / name, jupyter.root_dir)
    return jupyter


@pytest.fixture
def truth() -> dict[str, str]:
    """The right label of each file."""
    food = choose_food(COUNT, Random(SEED))
    return {name: "Hot dog" if each == "hot dog" else "Not hot dog" for name, each in food.items()}


@dataclass
class Labelling:
    """A person who labels one picture after the other, and a note of each label."""

    page: Page
    task: dict[str, Any]  # the one on the screen
    labels: dict[str, str] = field(default_factory=dict)  # by file name

    @classmethod
    def begin(cls, notebook: Page, card: int) -> Labelling:
        """Press the button of a card in the notebook."""
        button = notebook.get_by_role("link", name="Label", exact=True).nth(card)
        see(notebook, button)
        with (
            notebook.context.expect_event("response", is_next_task, timeout=STEP_MS) as first,
            notebook.expect_popup() as opened,
        ):
            button.click()
        page = opened.value
        page.set_default_timeout(STEP_MS)
        labelling = cls(page, first.value.json())
        labelling.see_picture()
        return labelling

    @property
    def file(self) -> str:
        """The name of the file on the screen."""
        return name_of(unquote(self.task["data"]["image"]))

    def see_picture(self) -> None:
        self.page.wait_for_function(SHOWS_TASK, arg=str(self.task["id"]))
        picture = self.page.get_by_alt_text("image", exact=True)
        expect(picture).to_have_js_property("naturalWidth", SIZE)

    def selected(self) -> list[str]:
        return [label for label in KEYS if self._box(label).is_checked()]

    def choose(self, label: str) -> None:
        self.page.keyboard.press(KEYS[label])
        expect(self._box(label)).to_be_checked()

    def submit(self) -> None:
        (self.labels[self.file],) = self.selected()
        with (
            self.page.expect_response(is_annotation) as saved,
            self.page.expect_response(is_next_task) as following,
        ):
            self.page.keyboard.press("Control+Enter")
        assert saved.value.status == 201
        self.task = following.value.json()
        self.see_picture()

    def _box(self, label: str) -> Locator:
        return self.page.locator(f'input[name="{label}"]')


def is_next_task(response: Response) -> bool:
    return "/api/dm/actions?id=next_task" in response.url


def is_annotation(response: Response) -> bool:
    is_one = re.search(r"/api/tasks/\d+/annotations", response.url) is not None
    return is_one and response.request.method == "POST"


def see(notebook: Page, locator: Locator) -> None:
    """Wait until something is there; a cell that failed is an AssertionError with its output."""
    failure = notebook.locator("[data-mime-type='application/vnd.jupyter.stderr']")
    expect(locator.or_(failure).first).to_be_visible()
    assert failure.all_inner_texts() == []


def take(notebook: Page, name: str, *, top: str) -> None:
    """Take a picture of the notebook from the cell with this text on."""
    cell = notebook.locator(".jp-MarkdownCell", has_text=top).first

    def is_at_the_top() -> bool:
        # again, because JupyterLab learns the heights of cells when it shows them
        cell.evaluate("element => element.scrollIntoView()")
        box = cell.bounding_box()
        return box is not None and box["y"] < 100

    if pictures.wanted():
        wait_for(is_at_the_top, what=f"{top} at the top of the notebook")
        pictures.take(notebook, name)


def run_all_cells(page: Page, lab: JupyterLab) -> None:
    page.set_default_timeout(STEP_MS)
    page.goto(f"{lab.url}lab/tree/{NOTEBOOK}")
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def test_a_person_works_through_the_notebook(
    lab: JupyterLab,
    new_page: Callable[..., Tab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    truth: dict[str, str],
) -> None:
    notebook, _ = new_page(lab)
    run_all_cells(notebook, lab)

    labelling = Labelling.begin(notebook, card=0)
    take(notebook, "example-card", top="The pictures")
    while len(labelling.labels) < LABELLED:
        assert labelling.selected() == []
        labelling.choose(truth[labelling.file])
        if not labelling.labels:
            pictures.take(labelling.page, "example-label")
        labelling.submit()
    labelling.page.close()
    by_person = labelling.labels

    see(notebook, notebook.get_by_role("link", name="Label", exact=True).nth(2))
    take(notebook, "example-frame", top="The labels, as a DataFrame")
    by_model = predictions_in(label_studio_client(lab))
    assert by_model.keys() == truth.keys() - by_person.keys()

    correcting = Labelling.begin(notebook, card=2)
    take(notebook, "example-correct", top="Press the button again")
    pictures.take(correcting.page, "example-prediction")
    while len(correcting.labels) < CORRECTED:
        assert correcting.selected() == [by_model[correcting.file]]
        if not correcting.labels:  # the person has another opinion
            correcting.choose(other(by_model[correcting.file]))
        correcting.submit()
    correcting.page.close()

    see(notebook, notebook.get_by_text(f"[{code_cells()}]:", exact=True).first)
    agreed = f"You agreed with {CORRECTED - 1} of {CORRECTED} predictions."
    expect(notebook.get_by_text(agreed)).to_be_visible()
    take(notebook, "example-result", top="How often did you agree")
    with Kernel(lab, notebook=NOTEBOOK) as kernel:
        assert_complete(kernel, by_person | correcting.labels, lab.root_dir)


def predictions_in(studio: LabelStudioClient) -> dict[str, str]:
    """Return the predicted label of each file that has one."""
    (project,) = studio.get("api/projects").json()["results"]
    query = {"project": project["id"]}
    tasks = studio.get("api/tasks", params=query | {"page_size": 1000}).json()["tasks"]
    files = {task["id"]: name_of(unquote(task["data"]["image"])) for task in tasks}
    return {
        files[each["task"]]: each["result"][0]["value"]["choices"][0]
        for each in studio.get("api/predictions", params=query).json()
    }


def name_of(file: str) -> str:
    return file.rpartition("/")[2]


def other(label: str) -> str:
    return next(each for each in KEYS if each != label)


def code_cells() -> int:
    cells = json.loads((EXAMPLES / NOTEBOOK).read_text())["cells"]
    return sum(cell["cell_type"] == "code" for cell in cells)


def assert_complete(kernel: Kernel, labels: dict[str, str], folder: Path) -> None:
    """Check that the frame and the export have exactly these labels."""
    frame = kernel.json("dict(zip(labels['file'], labels['label']))")
    assert {name_of(file): label for file, label in frame.items()} == labels
    assert all((folder / file).is_file() for file in frame)
    exported = {path.name: path.parent.name for path in (folder / "food-labelled").glob("*/*")}
    assert exported == labels
    for name in labels:
        (copy,) = (folder / "food-labelled").glob(f"*/{name}")
        assert copy.read_bytes() == (folder / "food" / name).read_bytes()
