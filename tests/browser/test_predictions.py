"""A model's output on the labelling page: people see it, and Submit makes labels of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from support import media
from support.browser import Tab, rest
from support.jupyter import JupyterLab, LabelStudioClient

expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    jupyter = module_jupyter_lab(base_url="/user/ada/", config={"data_dir": str(new_data_dir())})
    (jupyter.root_dir / "pictures").mkdir()
    for number in range(2):
        picture = media.png(400, 300, (0, 90 * number, 200))
        (jupyter.root_dir / "pictures" / f"{number}.png").write_bytes(picture)
    return jupyter


def asked(studio: LabelStudioClient, route: str, **body: Any) -> dict[str, Any]:
    """Return the project, as the gateway answers at the end of a request."""
    answer = studio.post(f"_proxy/projects{route}", json=body)
    last = json.loads(answer.text.splitlines()[-1])
    assert "project" in last, answer.text
    project: dict[str, Any] = last["project"]
    return project


def made(studio: LabelStudioClient, title: str, task: str, rows: list[dict[str, Any]]) -> int:
    source = {"kind": "path", "path": "pictures", "recursive": True}
    project = asked(studio, "", source=source, title=title, task=task, labels=["Cat", "Dog"])
    number: int = project["id"]
    asked(studio, f"/{number}/predictions", model_version="v1", rows=rows)
    return number


def submit(page: Page) -> None:
    with page.expect_response(
        lambda response: response.request.method == "POST" and "/annotations" in response.url
    ) as saved:
        page.get_by_role("button", name="Submit current annotation").click()
    assert saved.value.status == 201


def saved_by(studio: LabelStudioClient, project: int) -> list[dict[str, Any]]:
    tasks = studio.get("api/tasks/", params={"project": project, "fields": "all"}).json()["tasks"]
    return [each for task in tasks for each in task["annotations"]]


def test_the_choice_of_the_model_is_chosen(
    jupyter: JupyterLab, studio: LabelStudioClient, new_page: Callable[..., Tab]
) -> None:
    rows = [{"file": f"pictures/{number}.png", "label": "Dog", "score": 0.5} for number in (0, 1)]
    number = made(studio, "Choices", "image-classification", rows)
    page, _ = new_page(jupyter)

    page.goto(f"{jupyter.origin}{jupyter.prefix}projects/{number}/data?labeling=1")

    expect(page.get_by_role("checkbox", name="Dog")).to_be_checked()
    expect(page.get_by_role("checkbox", name="Cat")).not_to_be_checked()
    rest(page)
    submit(page)
    (saved,) = saved_by(studio, number)
    assert saved["result"][0]["value"]["choices"] == ["Dog"]
    assert saved["parent_prediction"] is not None


def test_the_box_of_the_model_is_drawn(
    jupyter: JupyterLab, studio: LabelStudioClient, new_page: Callable[..., Tab]
) -> None:
    box = {"x_min": 40, "y_min": 30, "x_max": 240, "y_max": 180}
    rows = [{"file": f"pictures/{n}.png", "label": "Cat", **box} for n in (0, 1)]
    number = made(studio, "Boxes", "object-detection", rows)
    page, _ = new_page(jupyter)

    page.goto(f"{jupyter.origin}{jupyter.prefix}projects/{number}/data?labeling=1")

    expect(page.locator(".lsf-outliner-item").filter(has_text="Cat").first).to_be_visible()
    rest(page)
    page.screenshot(path=Path(__file__).parents[2] / "test-results" / "prefilled-box.png")
    submit(page)
    (saved,) = saved_by(studio, number)
    assert len(saved["result"]) == 1
    assert saved["result"][0]["value"]["rectanglelabels"] == ["Cat"]
    assert saved["result"][0]["value"]["width"] == pytest.approx(50, abs=0.1)
