"""The card of a project, in a notebook in a real JupyterLab and in Notebook 7."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support import media
from support.browser import Tab, frame_in
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import wait_for

STEP_MS = 60_000
expect.set_options(timeout=STEP_MS)

TITLE = "Hot <i>dogs</i> & \"buns\" 'é' 🌭"
LABELS = ["Hot dog", 'No <b>"dog"</b>']
CELL = f"""
import labelstudio_proxy as lsp
project = lsp.label("pictures", labels={LABELS!r}, title={TITLE!r})
project
"""
# Until the test has seen it.
SLOW = """
from pathlib import Path
from labelstudio_proxy.client import progress
with progress.progress() as show:
    while not Path("go").exists():
        show(3, 4, "Looking at <b>files</b>")
print("done")
"""


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    config = {"data_dir": str(new_data_dir()), "new_browser_tab": False}
    lab = module_jupyter_lab(base_url="/user/ada/", config=config)
    folder = lab.root_dir / "pictures"
    folder.mkdir()
    for number in range(12):
        picture = media.png(64, 48, (200, 20 * number, 40))
        (folder / f"{number} 100% #1.png").write_bytes(picture)
    return lab


def write_notebook(jupyter: JupyterLab, name: str, *cells: str) -> None:
    """Write a notebook with one code cell for each text."""
    notebook = {
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "source": cell.strip(),
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
            for number, cell in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (jupyter.root_dir / name).write_text(json.dumps(notebook))


def open_notebook(page: Page, jupyter: JupyterLab, path: str) -> None:
    """Open it, and wait until its page has a kernel: a cell that is run earlier is not run at all."""
    page.set_default_timeout(STEP_MS)
    page.goto(jupyter.url + path)

    def has_kernel() -> bool:
        sessions = jupyter.get("api/sessions").json()
        return any(
            path.endswith(each["path"]) and each["kernel"]["connections"] for each in sessions
        )

    wait_for(has_kernel, what="the kernel of the notebook")


def run_cell(page: Page, number: int) -> None:
    page.locator(".jp-CodeCell").nth(number).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")


def label_some(studio: LabelStudioClient) -> int:
    """Label three of the pictures; return the number of the project."""
    (project,) = studio.get("api/projects/").json()["results"]
    tasks = studio.get("api/tasks", params={"project": project["id"]}).json()["tasks"]
    for task, label in zip(tasks, [LABELS[0], LABELS[1], LABELS[0]], strict=False):
        value = {"choices": [label]}
        entry = {"from_name": "label", "to_name": "image", "type": "choices", "value": value}
        answer = studio.post(f"api/tasks/{task['id']}/annotations/", json={"result": [entry]})
        assert answer.status_code == 201, answer.text
    number: int = project["id"]
    return number


def assert_pictures_load(page: Page, count: int) -> None:
    images = page.locator(".jp-OutputArea-output img")
    expect(images).to_have_count(count)
    wait_for(
        lambda: images.evaluate_all("all => all.every((image) => image.naturalWidth === 64)"),
        what="the thumbnails",
    )


def test_the_card_shows_the_labels_and_opens_the_project_inside_jupyterlab(
    jupyter: JupyterLab, studio: LabelStudioClient, new_page: Callable[..., Tab]
) -> None:
    write_notebook(jupyter, "labels.ipynb", CELL, "project", "project.open()")
    page, _ = new_page(jupyter)
    open_notebook(page, jupyter, "lab/tree/labels.ipynb")
    run_cell(page, 0)
    cards = page.locator(".jp-OutputArea-output", has_text="labelled")
    # `label` shows it, and `project` in the same cell not once more.
    expect(page.locator(".jp-InputPrompt").first).to_have_text(re.compile(r"\d"))
    expect(cards).to_have_count(1)
    expect(cards.first).to_contain_text(TITLE)
    expect(cards.first).to_contain_text("image-classification · 0 of 12 labelled")
    number = label_some(studio)

    run_cell(page, 1)
    card = cards.nth(1)
    expect(card).to_contain_text("3 of 12 labelled")
    expect(card).to_contain_text("Hot dog 2")
    expect(card).to_contain_text(f"{LABELS[1]} 1")
    assert_pictures_load(page, 3)

    def is_opened(times: int) -> None:
        """The notebook's tab is hidden by the project's, which is there once."""
        expect(frames).to_have_count(1)
        expect(frames).to_be_visible()
        page.get_by_role("tab", name="labels.ipynb").click()
        expect(frames).not_to_be_visible()

    frames = page.locator("iframe")
    link = card.get_by_role("link", name="Label", exact=True)
    link.click()
    path = f"{jupyter.prefix}projects/{number}/data?labeling=1"
    assert frames.get_attribute("src") == path
    submit = page.frame_locator("iframe").get_by_role("button", name="Submit").first
    expect(submit).to_be_visible()
    box = page.frame_locator("iframe").get_by_role("checkbox", name=LABELS[0]).first
    expect(box).to_be_visible()
    page.keyboard.press("1")  # without a click into the page
    expect(box).to_be_checked()
    is_opened(1)
    link.click()
    is_opened(2)
    run_cell(page, 2)
    is_opened(3)
    # If the user has gone elsewhere in the tab, the project gets another one.
    frame = frame_in(page)
    frame.goto(f"{jupyter.url}labelstudio/projects")
    link.click()
    expect(frames).to_have_count(2)
    page.get_by_role("tab", name="labels.ipynb").click()
    # An item gets a separate tab.
    card.locator("img").first.click()
    expect(frames).to_have_count(3)


def test_notebook_7_opens_the_project_in_a_browser_tab(
    jupyter: JupyterLab, studio: LabelStudioClient, new_page: Callable[..., Tab]
) -> None:
    # Without a last line that shows the project.
    write_notebook(jupyter, "seven.ipynb", CELL.removesuffix("project\n"), SLOW)
    page, _ = new_page(jupyter)
    open_notebook(page, jupyter, "notebooks/seven.ipynb")
    run_cell(page, 0)
    card = page.locator(".jp-OutputArea-output", has_text="labelled").first
    expect(card).to_contain_text(TITLE)
    with page.expect_popup() as opened:
        card.get_by_role("link", name="Label", exact=True).click()
    expect(opened.value).to_have_url(
        re.compile(r"/user/ada/labelstudio/projects/\d+/data\?labeling=1")
    )

    # Progress is there while it lasts.
    run_cell(page, 1)
    outputs = page.locator(".jp-CodeCell").nth(1).locator(".jp-OutputArea-output")
    expect(outputs).to_have_text("Looking at <b>files</b>")
    (jupyter.root_dir / "go").touch()
    expect(outputs.last).to_have_text("done\n")
    expect(outputs.first).to_be_empty()
