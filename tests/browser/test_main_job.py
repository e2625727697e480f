"""The main job: click the tile, label a picture, export the result."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import FilePayload, Frame, Page, expect
from support import media
from support.browser import INSECURE_HOST, Exchange, Recorder, Tab, frame_in, rest
from support.containers import container_of, on
from support.engine import Engine
from support.images import load_label_studio, load_musl
from support.jupyter import JupyterLab
from support.jupyter_container import JupyterInContainer

START_MS = 180_000
STEP_MS = 60_000

expect.set_options(timeout=STEP_MS)

# a laptop's, and SageMaker's; the tests below use those of JupyterHub
BASE_URLS = ("/", "/jupyterlab/default/")


@dataclass
class Desk:
    """A user of JupyterLab, and the Label Studio that the tile opened."""

    jupyter: JupyterLab | JupyterInContainer
    lab: Page  # JupyterLab's tab
    page: Page  # the tab that Label Studio is in: its own, or JupyterLab's
    studio: Frame  # Label Studio
    recorder: Recorder

    def open(self, path: str) -> None:
        """Open a page of Label Studio by its address."""
        self.studio.goto(f"{self.jupyter.origin}{self.jupyter.prefix}{path}")

    def assert_clean(self) -> None:
        """Check that Label Studio's pages requested nothing outside the prefix, and nothing failed."""
        # The record also holds the requests of JupyterLab's own tab.
        jupyters = re.compile(r"/(lab|api|static|server-proxy|lsp|kernelspecs|custom)\b")
        prefix, base = self.jupyter.prefix, self.jupyter.base_url

        def is_jupyters(exchange: Exchange) -> bool:
            path = urlsplit(exchange.url).path
            below = "/" + path.removeprefix(base)
            return not path.startswith(prefix) and jupyters.match(below) is not None

        self.recorder.assert_clean(prefix, self.jupyter.origin, ignored=is_jupyters)


@pytest.fixture
def click_tile_of(new_page: Callable[..., Tab]) -> Callable[..., Desk]:
    def click(jupyter: JupyterLab | JupyterInContainer, *, inside_lab: bool = False) -> Desk:
        lab, recorder = new_page(jupyter)
        lab.set_default_timeout(STEP_MS)
        lab.goto(f"{jupyter.url}lab")
        tile = lab.locator(".jp-LauncherCard", has_text="Label Studio")
        expect(tile).to_have_count(1)
        icon = tile.locator("img")
        expect(icon).to_be_visible()
        assert icon.evaluate("image => image.naturalWidth") > 0
        recorder.forget()
        if inside_lab:
            tile.click()
            return Desk(jupyter, lab, lab, frame_in(lab), recorder)
        with lab.expect_popup() as opened:
            tile.click()
        page = opened.value
        page.set_default_timeout(STEP_MS)
        return Desk(jupyter, lab, page, page.main_frame, recorder)

    return click


@pytest.fixture
def click_tile(
    jupyter_lab: Callable[..., JupyterLab], click_tile_of: Callable[..., Desk], data_dir: Path
) -> Callable[..., Desk]:
    def click(
        base_url: str, *, inside_lab: bool = False, engine: Engine | None = None, image: str = ""
    ) -> Desk:
        jupyter = jupyter_lab(
            base_url=base_url,
            config={
                "data_dir": str(data_dir),
                "new_browser_tab": not inside_lab,
                "backend": "docker" if engine else "process",
                **({"image": image} if image else {}),
            },
            env=on(engine, data_dir)["env"] if engine else {},
        )
        return click_tile_of(jupyter, inside_lab=inside_lab)

    return click


def see_it_start(desk: Desk) -> None:
    studio = desk.studio
    expect(studio.get_by_role("heading", name="Starting Label Studio")).to_be_visible()
    expect(studio.get_by_text("Load Label Studio", exact=True)).to_be_visible()
    # The page turns into Label Studio without a click.
    create = studio.get_by_role("button", name="Create Project").first
    expect(create).to_be_visible(timeout=START_MS)


def create_project(desk: Desk) -> None:
    studio = desk.studio
    # Label Studio saves a draft when the dialogue opens, and fails if the user is quicker.
    with desk.page.expect_response(
        lambda answer: (
            answer.request.method == "POST" and answer.url.endswith("/labelstudio/api/projects")
        )
    ) as draft:
        studio.get_by_role("button", name="Create Project").first.click()
    assert draft.value.status == 201
    studio.get_by_label("Project Name").fill("Cats")
    studio.get_by_text("Data Import", exact=True).click()
    picture = FilePayload(name="cat.png", mimeType="image/png", buffer=media.png())
    studio.locator("input[type=file]").first.set_input_files(picture)
    studio.get_by_text("cat.png").first.wait_for()
    studio.get_by_text("Labeling Setup", exact=True).click()
    studio.get_by_text("Object Detection with Bounding Boxes").click()
    studio.get_by_text("Labels (2)").wait_for()
    studio.get_by_role("button", name="Save").click()
    studio.wait_for_url(re.compile(r"/projects/\d+/data"), timeout=STEP_MS)


def see_thumbnail(desk: Desk) -> None:
    desk.studio.wait_for_function(
        """() => [...document.images].some(
            (image) => image.src.includes("/data/upload/") && image.naturalWidth === 64)"""
    )
    rest(desk.studio)


def label_picture(desk: Desk) -> None:
    studio = desk.studio
    studio.locator("img[src*='/data/upload/']").first.click()
    # The editor fetches the picture and shows it as a blob.
    studio.wait_for_function(
        """() => [...document.images].some(
            (image) => image.src.startsWith("blob:") && image.naturalWidth === 64)"""
    )
    studio.get_by_text("Airplane").first.click()
    canvas = studio.locator("canvas").last
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    mouse = desk.page.mouse
    x, y, width, height = box["x"], box["y"], box["width"], box["height"]
    mouse.move(x + width * 0.25, y + height * 0.25)
    mouse.down()
    mouse.move(x + width * 0.5, y + height * 0.5, steps=5)
    mouse.move(x + width * 0.75, y + height * 0.75, steps=5)
    mouse.up()
    submit = studio.get_by_role("button", name=re.compile("^submit", re.IGNORECASE)).first
    with desk.page.expect_response(re.compile(r"/api/tasks/\d+/annotations")) as answer:
        submit.click()
    assert answer.value.status == 201
    studio.get_by_text("Update", exact=True).wait_for()
    rest(studio)


def export_json(desk: Desk) -> list[dict[str, Any]]:
    desk.open("projects/1/data")
    rest(desk.studio)
    desk.studio.get_by_role("button", name="Export").click()
    with desk.page.expect_download() as download:
        desk.studio.locator("[class*=modal]").get_by_role("button", name="Export").click()
    tasks: list[dict[str, Any]] = json.loads(Path(download.value.path()).read_text())
    return tasks


def assert_labelled(tasks: list[dict[str, Any]]) -> None:
    (task,) = tasks
    ((annotation),) = task["annotations"]
    ((region),) = annotation["result"]
    value = region["value"]
    assert value["rectanglelabels"] == ["Airplane"]
    assert [value[name] for name in ("x", "y", "width", "height")] == pytest.approx(
        [25, 25, 50, 50], abs=15
    )
    assert re.fullmatch(r"/data/upload/1/\w+-cat\.png", task["data"]["image"])


def do_the_main_job(desk: Desk) -> None:
    see_it_start(desk)
    create_project(desk)
    see_thumbnail(desk)
    label_picture(desk)
    assert_labelled(export_json(desk))
    assert urlsplit(desk.studio.url).path.startswith(desk.jupyter.prefix)
    desk.assert_clean()
    # The browser has Jupyter's cookies only, none of Label Studio.
    names = {cookie["name"] for cookie in desk.recorder.context.cookies()}
    assert not names & {"sessionid", "csrftoken"}


@pytest.mark.parametrize("base_url", BASE_URLS)
def test_a_picture_is_labelled_in_a_new_tab(click_tile: Callable[..., Desk], base_url: str) -> None:
    do_the_main_job(click_tile(base_url))


def test_a_picture_is_labelled_inside_jupyterlab(click_tile: Callable[..., Desk]) -> None:
    desk = click_tile("/user/a%40b.c/", inside_lab=True)
    do_the_main_job(desk)
    assert len(desk.recorder.context.pages) == 1


@pytest.mark.parametrize("libc", ["glibc", "musl"])
def test_a_picture_is_labelled_with_label_studio_in_a_container(
    click_tile: Callable[..., Desk], docker_engine: Engine, data_dir: Path, libc: str
) -> None:
    load = {"glibc": load_label_studio, "musl": load_musl}[libc]
    image = load(docker_engine.client)
    desk = click_tile("/user/alice/", engine=docker_engine, image=image)
    do_the_main_job(desk)
    container = container_of(docker_engine, data_dir)
    assert container.status == "running"
    has_musl = container.exec_run(["ls", "/lib/ld-musl-x86_64.so.1"]).exit_code == 0
    assert has_musl is (libc == "musl")


def test_a_picture_is_labelled_with_jupyter_in_a_container_too(
    click_tile_of: Callable[..., Desk], docker_engine: Engine, jupyter_image: str
) -> None:
    jupyter = JupyterInContainer(docker_engine, jupyter_image)
    try:
        do_the_main_job(click_tile_of(jupyter))
        (sibling,) = jupyter.siblings()
        assert sibling.status == "running"
    finally:
        jupyter.stop()


def test_every_page_of_the_menus_opens(click_tile: Callable[..., Desk]) -> None:
    desk = click_tile("/user/alice/")
    see_it_start(desk)
    create_project(desk)
    see_thumbnail(desk)
    label_picture(desk)
    studio, prefix = desk.studio, desk.jupyter.prefix

    def links() -> set[str]:
        every = studio.locator("a[href]").evaluate_all(
            "all => all.map(a => a.getAttribute('href'))"
        )
        # Links to other sites (documentation, the chat) are not followed.
        return {link for link in every if not re.match(r"https?:", link)}

    desk.open("")
    studio.locator("[class*=hamburger]").first.click()
    studio.get_by_role("link", name="Organization").wait_for()
    found = links()
    desk.open("projects/1/settings")
    studio.get_by_role("link", name="Danger Zone").wait_for()
    found |= links()
    desk.open("user/account")
    studio.get_by_role("link", name="Personal Access Token").wait_for()
    found |= links()
    assert len(found) > 15
    assert {link for link in found if not link.startswith(prefix)} == set()
    desk.assert_clean()
    for link in sorted(found):
        desk.recorder.forget()
        studio.goto(desk.jupyter.origin + link, wait_until="networkidle")
        assert urlsplit(studio.url).path.startswith(prefix), link
        assert studio.locator("body").inner_text().strip(), f"{link} is empty"
        desk.assert_clean()


def test_ten_tabs_cause_one_start_and_each_shows_its_own_page(
    click_tile: Callable[..., Desk],
) -> None:
    desk = click_tile("/user/alice/")
    pages = [desk.recorder.context.new_page() for _ in range(9)]
    asked = f"{desk.jupyter.origin}{desk.jupyter.prefix}projects?page=1#here"
    for page in pages:
        page.goto(asked)
    # Closing a tab does not disturb the others.
    desk.page.close()
    pages.pop().close()
    for page in pages:
        expect(page.get_by_role("button", name=re.compile("Create")).first).to_be_visible(
            timeout=START_MS
        )
        assert page.url.startswith(asked.removesuffix("#here"))
    assert isinstance(desk.jupyter, JupyterLab)
    log = desk.jupyter.log.read_text()
    assert len(re.findall(r"Label Studio \(.*\) is starting", log)) == 1


def test_a_picture_is_labelled_with_jupyters_server_alone_over_http(
    jupyter_lab: Callable[..., JupyterLab], new_page: Callable[..., Tab], data_dir: Path
) -> None:
    jupyter = jupyter_lab(
        program="jupyter_server",
        config={"data_dir": str(data_dir)},
        server_config={
            "ServerApp": {
                "local_hostnames": [INSECURE_HOST],
                # as if they were not installed
                "jpserver_extensions": {"jupyterlab": False, "notebook": False},
            },
        },
    )
    assert jupyter.get("lab").status_code == jupyter.get("tree").status_code == 404
    page, recorder = new_page()
    page.set_default_timeout(STEP_MS)
    address = f"http://{INSECURE_HOST}:{jupyter.port}/labelstudio/?token={jupyter.token}"
    with page.expect_request(lambda request: request.url.endswith("_proxy/start")) as asked:
        page.goto(address)
    # A browser sends none over http to another host than localhost.
    assert "sec-fetch-site" not in asked.value.all_headers()
    desk = Desk(jupyter, page, page, page.main_frame, recorder)
    see_it_start(desk)
    create_project(desk)
    see_thumbnail(desk)
    label_picture(desk)
