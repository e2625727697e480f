"""The whole way of a user of a notebook server with Docker: from the tile to the export."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container
from playwright.sync_api import Page, expect
from support import label_studio, media, plain_user
from support.browser import Tab, drop, rest
from support.container_studio import annotate, json_of, new_project, tasks_of, upload
from support.containers import container_of
from support.engine import Engine
from support.http import Http
from support.images import LABEL_STUDIO
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import free_port, give, wait_for

pytestmark = plain_user.needed

STEP_MS = 60_000
START_MS = 120_000
LABELS = ("Cat", "Dog", "Dog")  # in the order of the pictures
EMAIL = "ada@example.org"

expect.set_options(timeout=STEP_MS)


@pytest.fixture
def lab(docker_engine: Engine, jupyter_lab: Callable[..., JupyterLab]) -> Iterator[JupyterLab]:
    """JupyterLab of a user in the engine's group, in an environment without Label Studio."""
    with plain_user.environment() as python, plain_user.in_group_of(docker_engine):
        variables = {
            "DOCKER_HOST": docker_engine.address,
            "PATH": f"{python.parent}:/usr/bin:/bin",
            "USER": "ada",
            "LOGNAME": "ada",
        }
        jupyter = jupyter_lab(python=python, user=plain_user.USER, env=variables)
        yield jupyter
        jupyter.stop()


class Recipe:
    """`docker run -v $(pwd)/mydata:/label-studio/data heartexlabs/label-studio`."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.folder = label_studio.new_data_dir(folder)
        give(folder, 1001, 0)
        port = free_port()
        self.http = Http(
            f"http://127.0.0.1:{port}/", lambda: f"Bearer {label_studio.access_token(folder)}"
        )
        self.container: Container = engine.client.containers.run(
            LABEL_STUDIO,
            detach=True,
            # Chromium aborts requests when a container adds a network interface.
            network_mode="host",
            environment={
                "LABEL_STUDIO_PORT": str(port),
                "LABEL_STUDIO_USERNAME": EMAIL,
                "LABEL_STUDIO_PASSWORD": "a password of some length",
            },
            volumes={str(folder): {"bind": "/label-studio/data", "mode": "rw"}},
        )

    def label(self) -> None:
        """Make a project with an annotation, and stop."""
        served = "Starting development server"
        wait_for(lambda: served in self.container.logs().decode(), what="the recipe", timeout=120)
        project = new_project(self.http, "Made by docker run")
        upload(self.http, project)
        annotate(self.http, project)
        self.container.stop(timeout=1)

    def close(self) -> None:
        self.http.close()
        self.container.remove(force=True)


@pytest.fixture
def recipe(docker_engine: Engine, lab: JupyterLab) -> Iterator[Recipe]:
    """The recipe in the user's home folder. It starts while the test begins."""
    recipe = Recipe(docker_engine, lab.home / "mydata")
    yield recipe
    recipe.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of small pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, _ in enumerate(LABELS):
        (folder / f"{number}.png").write_bytes(media.png(colour=(80 * number, 0, 0)))
    return folder


def click_tile(lab: JupyterLab, tab: Page) -> Page:
    tab.goto(f"{lab.url}lab")
    tile = tab.locator(".jp-LauncherCard", has_text="Label Studio")
    with tab.expect_popup() as opened:
        tile.click()
    page = opened.value
    page.set_default_timeout(STEP_MS)
    return page


def create_project(page: Page, pictures: Path) -> None:
    """Upload a folder, and replace the choices of a template by two."""
    create = page.get_by_role("button", name="Create Project").first
    expect(create).to_be_visible(timeout=START_MS)
    # Label Studio saves a draft when the dialogue opens, and fails if the user is quicker.
    with page.expect_response(
        lambda answer: (
            answer.request.method == "POST" and answer.url.endswith("/labelstudio/api/projects")
        )
    ):
        create.click()
    page.get_by_label("Project Name").fill("Animals")
    page.get_by_text("Data Import", exact=True).click()
    drop(page, pictures)
    expect(page.get_by_text(f"{len(LABELS)} files uploaded")).to_be_visible()
    page.get_by_text("Labeling Setup", exact=True).click()
    page.get_by_text("Image Classification", exact=True).click()
    page.locator("textarea").first.fill("\n".join(sorted({*LABELS})))
    page.locator("button", has_text=re.compile("^Add$")).click()
    for left in (5, 4, 3):
        page.get_by_text(f"Choices ({left})").wait_for()
        page.locator("li", has=page.get_by_label("delete label")).first.hover()
        page.get_by_label("delete label").first.click()
    page.get_by_text("Choices (2)").wait_for()
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile(r"/projects/\d+/data"))
    rest(page)


def label_all(page: Page) -> dict[int, str]:
    """Label one picture after another; return the label of each task."""
    page.get_by_role("button", name=re.compile("^label all", re.IGNORECASE)).click()
    labels = {}
    for label in LABELS:
        rest(page)
        # with the number of its key
        page.locator("span", has_text=re.compile(rf"^{label}\[\d\]$")).last.click()
        submit = page.get_by_role("button", name=re.compile("^submit", re.IGNORECASE)).first
        with page.expect_response(re.compile(r"/api/tasks/\d+/annotations")) as answer:
            submit.click()
        assert answer.value.status == 201
        labels[int(answer.value.url.split("/tasks/")[1].partition("/")[0])] = label
    return labels


def export(page: Page, lab: JupyterLab) -> dict[int, str]:
    """Export the project as JSON; return the label of each task."""
    page.goto(f"{lab.origin}{lab.prefix}projects/1/data")
    rest(page)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.locator("[class*=modal]").get_by_role("button", name="Export").click()
    tasks: list[dict[str, Any]] = json.loads(Path(download.value.path()).read_text())
    assert sorted(task["data"]["image"].rpartition("-")[2] for task in tasks) == [
        f"{number}.png" for number, _ in enumerate(LABELS)
    ]
    return {
        task["id"]: task["annotations"][0]["result"][0]["value"]["choices"][0] for task in tasks
    }


def rights(folder: Path) -> dict[Path, tuple[int, ...]]:
    """Return owner, mode and time of the last change of everything in the folder."""
    found: dict[Path, tuple[int, ...]] = {}
    for path in (folder, *folder.rglob("*")):
        status = path.lstat()
        found[path] = (status.st_uid, status.st_gid, status.st_mode, status.st_mtime_ns)
    return found


def run_as_plain_user(command: str) -> None:
    """Run a command line in the user's shell, with root's rights for what `sudo` runs."""
    shell = f'id() {{ [ "$1" = -u ] && echo {plain_user.UID} || echo {plain_user.GID}; }}\n'
    shell += 'sudo() { "$@"; }\n'
    subprocess.run(["bash", "-ec", shell + command], check=True)


def test_a_user_labels_a_folder_and_takes_over_the_data_of_docker_run(
    docker_engine: Engine,
    lab: JupyterLab,
    recipe: Recipe,
    new_page: Callable[..., Tab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    pictures: Path,
) -> None:
    tab, _ = new_page(lab)
    page = click_tile(lab, tab)
    create_project(page, pictures)
    labels = label_all(page)
    assert export(page, lab) == labels
    data_dir = lab.home / ".local/share/labelstudio-proxy"
    container = container_of(docker_engine, data_dir)
    assert container.attrs["Config"]["User"] == f"{plain_user.UID}:{plain_user.GID}"
    assert {path.lstat().st_uid for path in data_dir.rglob("*")} == {plain_user.UID}
    recipe.label()

    page.close()
    with lab.restarted():
        pass
    page = click_tile(lab, tab)
    expect(page.get_by_text("Animals")).to_be_visible(timeout=START_MS)
    assert export(page, lab) == labels

    page.close()
    before = rights(recipe.folder)
    with lab.restarted():
        config = lab.home / ".jupyter" / "jupyter_server_config.d" / "mydata.json"
        config.parent.mkdir()
        config.write_text(json.dumps({"LabelStudioProxy": {"data_dir": str(recipe.folder)}}))
        give(config.parent, plain_user.UID, plain_user.GID)
    page = click_tile(lab, tab)
    expect(page.locator("#what")).to_contain_text("belongs to another user", timeout=START_MS)
    command = page.locator("#remedy code").first.inner_text()
    assert command == f'sudo chown -R "$(id -u):$(id -g)" {recipe.folder}'
    assert rights(recipe.folder) == before
    run_as_plain_user(command)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Made by docker run")).to_be_visible(timeout=START_MS)
    studio = label_studio_client(lab)
    assert json_of(studio.get("api/current-user/whoami"))["email"] == EMAIL
    (task,) = tasks_of(studio, 1)
    assert task["annotations"][0]["result"][0]["value"] == media.BOX["value"]
