"""The labelling interfaces of tasks on screen: the labels that people choose arrive."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from support.browser import Tab
from support.label_studio import BareLabelStudio

from labelstudio_proxy.labelling.items import file_url
from labelstudio_proxy.labelling.series import read_series
from labelstudio_proxy.labelling.tasks import task_named
from labelstudio_proxy.labelling.templates import interface_for

TEXTS = task_named("text-classification")
SERIES = task_named("time-series-classification")
LABELS = ["a, b", 'say "hi"', "<b>&amp;</b>", "🌭", "a  b", "true", "1.5", "{{x}}", "\\"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def studio(
    root: Path,
    module_bare_label_studio: Callable[..., BareLabelStudio],
    new_data_dir: Callable[[], Path],
) -> BareLabelStudio:
    env = {"LOCAL_FILES_SERVING_ENABLED": "true", "LOCAL_FILES_DOCUMENT_ROOT": str(root)}
    return module_bare_label_studio(new_data_dir(), email="ada@example.com", env=env)


def make(studio: BareLabelStudio, xml: str, data: list[dict[str, Any]]) -> int:
    made = studio.post("api/projects", json={"title": "Project", "label_config": xml})
    number: int = made.json()["id"]
    assert studio.post(f"api/projects/{number}/import", json=data).status_code == 201
    return number


def open_project(new_page: Callable[..., Tab], studio: BareLabelStudio, number: int) -> Page:
    """Open what *Label All Tasks* opens."""
    page = new_page().page
    page.context.set_extra_http_headers({"Authorization": f"Bearer {studio.access_token()}"})
    page.goto(f"{studio.url}projects/{number}/data?labeling=1")
    return page


def submit(page: Page) -> None:
    with page.expect_response(
        lambda response: response.request.method == "POST" and "/annotations" in response.url
    ):
        page.get_by_role("button", name="Submit current annotation").click()


def chosen(studio: BareLabelStudio, number: int) -> list[str]:
    query = {"project": number, "fields": "all"}
    tasks = studio.get("api/tasks", params=query).json()["tasks"]
    annotations = [each for task in tasks for each in task["annotations"]]
    return [choice for each in annotations for choice in each["result"][0]["value"]["choices"]]


def test_every_label_arrives_as_it_was_given(
    new_page: Callable[..., Tab], studio: BareLabelStudio
) -> None:
    data = [{"text": f"Text {number}"} for number in range(len(LABELS))]
    number = make(studio, interface_for(TEXTS, LABELS), data)
    page = open_project(new_page, studio, number)

    for place in range(len(LABELS)):
        box = page.get_by_role("checkbox").nth(place)
        expect(box).not_to_be_checked(timeout=30_000)
        box.check()
        submit(page)

    assert sorted(chosen(studio, number)) == sorted(LABELS)


def test_one_of_many_labels_is_found_by_its_name(
    new_page: Callable[..., Tab], studio: BareLabelStudio
) -> None:
    labels = [f"Class {number} of things" for number in range(500)]
    number = make(studio, interface_for(TEXTS, labels), [{"text": "A text"}])
    page = open_project(new_page, studio, number)
    expect(page.get_by_text("Class 0 of things")).to_be_visible(timeout=30_000)

    page.keyboard.press("Shift+F")
    page.keyboard.type("class 42")
    expect(page.get_by_text("Class 0 of things")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.get_by_role("checkbox", name="Class 42 of things")).to_be_checked()
    submit(page)

    assert chosen(studio, number) == ["Class 42 of things"]


def test_time_series_are_drawn_whole(
    new_page: Callable[..., Tab], studio: BareLabelStudio, root: Path
) -> None:
    path = root / "series/50% #1.csv"
    path.parent.mkdir()
    rows = "".join(f"{number},{number % 7},,x\n" for number in range(300))
    path.write_text('time,"speed, ""m/s""", Y,note\n' + rows)
    xml = interface_for(SERIES, ["Walk", "Run"], series=read_series(str(path)))
    number = make(studio, xml, [{"csv": file_url(str(path), str(root))}])
    storage = {"project": number, "path": str(path.parent), "use_blob_urls": True}
    assert studio.post("api/storages/localfiles", json=storage).status_code == 201

    page = open_project(new_page, studio, number)

    for legend in ('speed, "m/s"', "Y"):
        expect(page.locator("svg text", has_text=legend).first).to_be_visible(timeout=30_000)
    page.keyboard.press("2")
    submit(page)
    assert chosen(studio, number) == ["Run"]
