"""Whole folders and large files are uploaded in Label Studio's own page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support import media
from support.browser import Tab, drop
from support.jupyter import JupyterLab, LabelStudioClient

TIMEOUT = 60_000  # ms
MANY = 150
# More than Label Studio accepts by default, and more than it may keep in memory.
LARGE_BYTES = 270 * 1024 * 1024


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    return module_jupyter_lab(base_url="/user/alice/", config={"data_dir": str(new_data_dir())})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(MANY):
        (folder / f"{number}.png").write_bytes(media.png(colour=(number, 0, 0)))
    return folder


@pytest.fixture
def project(studio: LabelStudioClient) -> int:
    made = studio.post("api/projects", json={"title": "Uploads", "label_config": media.BOXES})
    assert made.status_code == 201, made.text
    return int(made.json()["id"])


@pytest.fixture
def page(jupyter: JupyterLab, project: int, new_page: Callable[..., Tab]) -> Page:
    """The page for uploads of the project."""
    page, _ = new_page(jupyter)
    page.set_default_timeout(TIMEOUT)
    page.goto(f"{jupyter.origin}{jupyter.prefix}projects/{project}/data/import")
    page.locator("input[type=file]").first.wait_for(state="attached")
    return page


def finish(page: Page, project: int, studio: LabelStudioClient) -> list[str]:
    """Import what was uploaded, as a user does; return the names in the project's tasks."""
    page.locator("[class*=modal-ls] button", has_text=re.compile("^Import$")).first.click()
    page.wait_for_url(re.compile(rf"/projects/{project}/data\b(?!/import)"))
    tasks = studio.get(f"api/tasks?project={project}&page_size=1000&fields=all").json()["tasks"]
    return sorted(task["data"]["image"].rpartition("-")[2] for task in tasks)


def test_many_pictures_and_a_large_file_are_uploaded_at_once(
    page: Page, project: int, studio: LabelStudioClient, folder: Path, tmp_path: Path
) -> None:
    video = tmp_path / "large.mp4"
    with video.open("wb") as file:
        file.truncate(LARGE_BYTES)
    files = [*folder.iterdir(), video]
    page.locator("input[type=file]").first.set_input_files(files)
    expect(page.get_by_text(f"{MANY + 1} files uploaded")).to_be_visible(timeout=TIMEOUT)
    assert finish(page, project, studio) == sorted(file.name for file in files)


def test_a_dropped_folder_is_uploaded_whole(
    page: Page, project: int, studio: LabelStudioClient, folder: Path
) -> None:
    drop(page, folder)
    expect(page.get_by_text(f"{MANY} files uploaded")).to_be_visible(timeout=TIMEOUT)
    assert finish(page, project, studio) == sorted(file.name for file in folder.iterdir())


def test_a_list_of_thousands_of_uploads_is_asked_for_in_parts(
    page: Page, project: int, studio: LabelStudioClient
) -> None:
    sent = studio.post(
        f"api/projects/{project}/import?commit_to_project=false",
        files={name: (name, media.png()) for name in ("a.png", "b.png")},
    )
    first, last = sent.json()["file_upload_ids"]
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    found = page.evaluate(
        """async ([project, first, last]) => {
            const ids = [first, ...Array(20000).fill(1e6).map((n, at) => n + at), last];
            const list = `/api/projects/${project}/file-uploads?ids=${JSON.stringify(ids)}`;
            return (await (await fetch(list)).json()).map(({ id }) => id);
        }""",
        [project, first, last],
    )
    assert found == [first, last]
    assert max(map(len, asked)) < 8000  # what nginx accepts by default


def test_a_refused_file_is_explained_on_the_page(page: Page, tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.json"
    with tasks.open("wb") as file:
        file.truncate(LARGE_BYTES)
    page.locator("input[type=file]").first.set_input_files(tasks)
    expect(page.get_by_text("tasks.json is larger than 262 MB")).to_be_visible(timeout=TIMEOUT)
    expect(page.get_by_text("Split it into smaller files.")).to_be_visible()
