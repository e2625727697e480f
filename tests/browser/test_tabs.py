"""Label Studio in tabs of JupyterLab: everything that a tab of the browser can do works there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Frame, Locator, Page, expect
from support import media
from support.browser import Tab, drop, frame_in
from support.documents import recipe
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import wait_for

STEP_MS = 60_000
expect.set_options(timeout=STEP_MS)

CONFIG = """
<View>
  <Image name="image" value="$image"/>
  <Choices name="kind" toName="image"><Choice value="Cat"/><Choice value="Dog"/></Choices>
</View>
"""
LARGER_PART = re.compile(r"/labelstudio-proxy/static/studio\.")
EXPOSED = {"expose_app_in_browser": True}
RUN = "([id, args]) => void jupyterapp.commands.execute(id, args)"


@pytest.fixture(scope="module")
def jupyter(
    any_jupyterlab: Path,
    module_jupyter_lab: Callable[..., JupyterLab],
    new_data_dir: Callable[[], Path],
) -> JupyterLab:
    return module_jupyter_lab(
        python=any_jupyterlab,
        base_url="/user/a%40b.c/",
        config={"data_dir": str(new_data_dir())},
        config_py=recipe("docs/hosts/jupyter.md", "c.LabelStudioProxy.new_browser_tab"),
        server_config={"LabApp": EXPOSED, "JupyterNotebookApp": EXPOSED},
    )


def new_project(studio: LabelStudioClient, title: str) -> int:
    """Make a project with a picture."""
    made = studio.post("api/projects", json={"title": title, "label_config": CONFIG}).json()
    number: int = made["id"]
    studio.post(f"api/projects/{number}/import", files={"file": ("cat.png", media.png())})
    return number


def open_picture(studio: Page | Frame, title: str) -> None:
    """Go from the list of projects to the project's picture, as a user does."""
    studio.get_by_text(title).first.click()
    studio.get_by_text("Label All Tasks").click()
    expect(studio.get_by_role("button", name="Submit").first).to_be_visible()


def label_picture(studio: Page | Frame) -> None:
    page = studio if isinstance(studio, Page) else studio.page
    studio.get_by_role("checkbox", name="Dog").click()
    with page.expect_response(re.compile(r"/api/tasks/\d+/annotations")) as response:
        studio.get_by_role("button", name="Submit").first.click()
    assert response.value.status == 201


@pytest.fixture(scope="module")
def project(studio: LabelStudioClient) -> int:
    return new_project(studio, "Cats")


@pytest.fixture
def lab(new_page: Callable[..., Tab], jupyter: JupyterLab, project: int) -> Iterator[Page]:
    """An empty JupyterLab; afterwards its pages have thrown nothing."""
    page, recorder = new_page(jupyter)
    page.set_default_timeout(STEP_MS)
    page.goto(f"{jupyter.url}lab?reset")
    expect(page.locator(".jp-LauncherCard", has_text="Label Studio")).to_be_visible()
    yield page
    assert recorder.page_errors == []


def tabs(lab: Page, title: str = "") -> Locator:
    return lab.locator(".lm-DockPanel-tabBar .lm-TabBar-tab", has_text=title)


def click_tile(lab: Page) -> Frame:
    lab.locator(".jp-LauncherCard", has_text="Label Studio").click()
    frame = frame_in(lab)
    expect(frame.get_by_text("Cats").first).to_be_visible()
    return frame


def run(page: Page, command: str, **args: object) -> None:
    page.evaluate(RUN, [command, args])


def open_project(lab: Page, project: int, page: str = "data?labeling=1") -> Frame:
    run(lab, "labelstudio:open", path=f"projects/{project}/{page}", title="Cats")
    frame = frame_in(lab)
    frame.wait_for_url(re.compile(rf"/projects/{project}/"))
    return frame


def test_a_tab_has_the_title_of_its_project_and_comes_back_where_it_was(
    lab: Page, jupyter: JupyterLab, studio: LabelStudioClient
) -> None:
    project = new_project(studio, "Horses")
    frame = click_tile(lab)
    tab = tabs(lab).first
    expect(tab.locator(".lm-TabBar-tabLabel")).to_have_text("Label Studio")
    expect(tab.locator(".lm-TabBar-tabIcon svg")).to_be_visible()
    with lab.expect_response(re.compile(r"/lab/api/workspaces/"), timeout=STEP_MS):
        open_picture(frame, "Horses")
    expect(tab.locator(".lm-TabBar-tabLabel")).to_have_text("Horses")
    there = frame.url
    assert f"/projects/{project}/" in there

    def is_saved() -> bool:
        workspace = jupyter.get("lab/api/workspaces/default").json()["data"]
        return there.endswith(
            workspace.get("labelstudio-proxy:tab:server-proxy:labelstudio", {}).get("path", "-")
        )

    wait_for(is_saved, what="the page in JupyterLab's workspace")
    lab.goto(f"{jupyter.url}lab")
    expect(lab.locator("iframe")).to_have_count(1)
    expect(tab.locator(".lm-TabBar-tabLabel")).to_have_text("Horses")
    expect(tab.locator(".lm-TabBar-tabIcon svg")).to_be_visible()
    frame = frame_in(lab)
    expect(frame.get_by_role("button", name="Submit").first).to_be_visible()
    assert frame.url == there
    label_picture(frame)
    frame.goto(f"{jupyter.url}labelstudio/projects")
    expect(tab.locator(".lm-TabBar-tabLabel")).to_have_text("Label Studio")


def test_a_project_has_one_tab(lab: Page, project: int) -> None:
    open_project(lab, project)
    expect(tabs(lab, "Cats")).to_have_count(1)
    tabs(lab, "Launcher").click()
    expect(lab.locator("iframe")).not_to_be_visible()
    run(lab, "labelstudio:open", path=f"projects/{project}/data", title="Cats")
    expect(lab.locator("iframe")).to_be_visible()
    expect(lab.locator("iframe")).to_have_count(1)
    # Without a path it is the tile's tab.
    run(lab, "labelstudio:open")
    expect(tabs(lab, "Label Studio")).to_have_count(1)
    run(lab, "labelstudio:open")
    expect(lab.locator("iframe")).to_have_count(2)


def test_a_project_is_shown_also_if_its_tab_shows_another_one(
    lab: Page, jupyter: JupyterLab, studio: LabelStudioClient, project: int
) -> None:
    made = studio.post("api/projects", json={"title": "Birds", "label_config": CONFIG}).json()
    frame = open_project(lab, project)
    expect(tabs(lab, "Cats")).to_have_count(1)
    frame.goto(f"{jupyter.url}labelstudio/projects/{made['id']}/data")
    expect(tabs(lab, "Birds")).to_have_count(1)
    run(lab, "labelstudio:open", path=f"projects/{project}/data?labeling=1", title="Cats")
    expect(tabs(lab, "Cats")).to_have_count(1)
    expect(lab.locator("iframe")).to_have_count(2)


def test_a_tab_has_the_new_title_of_a_renamed_project(
    lab: Page, jupyter: JupyterLab, studio: LabelStudioClient
) -> None:
    made = studio.post("api/projects", json={"title": "Ducks", "label_config": CONFIG}).json()
    frame = open_project(lab, made["id"], "settings")
    expect(tabs(lab, "Ducks")).to_have_count(1)
    assert studio.patch(f"api/projects/{made['id']}", json={"title": "Geese"}).ok
    frame.goto(f"{jupyter.url}labelstudio/projects/{made['id']}/data")
    expect(tabs(lab, "Geese")).to_have_count(1)


def test_a_page_that_cannot_be_opened_says_why(lab: Page) -> None:
    """Both before and after the extension has loaded its larger part, and it opens in the end."""
    dialog = lab.get_by_role("dialog")

    def open_without(what: str) -> None:
        run(lab, "labelstudio:open")
        expect(dialog).to_contain_text(what)
        lab.keyboard.press("Escape")
        expect(dialog).not_to_be_visible()

    lab.route(LARGER_PART, lambda route: route.abort())
    lab.reload()
    expect(lab.locator(".jp-LauncherCard", has_text="Label Studio")).to_be_visible()
    open_without("Reload the page")
    lab.context.set_offline(True)
    open_without("The connection to Jupyter is lost.")
    lab.context.set_offline(False)
    lab.unroute(LARGER_PART)
    run(lab, "labelstudio:open")
    expect(lab.locator("iframe")).to_have_count(1)
    tabs(lab, "Launcher").click()
    lab.context.set_offline(True)
    run(lab, "labelstudio:open", path="projects")
    expect(dialog).to_contain_text("The connection to Jupyter is lost.")
    lab.context.set_offline(False)


def test_the_frame_may_do_what_a_page_may(lab: Page, project: int) -> None:
    frame = open_project(lab, project)
    expect(frame.get_by_role("button", name="Submit").first).to_be_visible()
    lab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    frame.evaluate("navigator.clipboard.writeText('a token')")
    assert frame.evaluate("navigator.clipboard.readText()") == "a token"
    frame.evaluate("document.documentElement.requestFullscreen()")
    lab.wait_for_function("() => document.fullscreenElement?.localName === 'iframe'")
    frame.evaluate("document.exitFullscreen()")
    lab.wait_for_function("() => !document.fullscreenElement")


def test_labels_are_downloaded(lab: Page, project: int) -> None:
    frame = open_project(lab, project, "data")
    frame.get_by_role("button", name="Export").click()
    with lab.expect_download() as download:
        frame.locator("[class*=modal]").get_by_role("button", name="Export").click()
    assert json.loads(Path(download.value.path()).read_text()) == []


def test_a_file_is_dropped_on_the_page(
    lab: Page, project: int, tmp_path: Path, studio: LabelStudioClient
) -> None:
    made = studio.post("api/projects", json={"title": "Dogs", "label_config": CONFIG}).json()
    frame = open_project(lab, made["id"], "data/import")
    expect(frame.locator("#holder")).to_be_visible()
    (tmp_path / "dog.png").write_bytes(media.png())
    drop(frame, tmp_path / "dog.png")
    expect(frame.get_by_text("dog.png").first).to_be_visible()


def test_keys_are_those_of_label_studio(lab: Page, project: int) -> None:
    frame = open_project(lab, project)
    dog = frame.get_by_role("checkbox", name="Dog")
    expect(dog).to_be_visible()
    lab.keyboard.press("2")
    expect(dog).to_be_checked()
    # None of JupyterLab's
    before = tabs(lab).count()
    for keys in ("Control+b", "Control+Shift+c", "Control+Shift+l", "Control+s", "Alt+w"):
        lab.keyboard.press(keys)
    expect(lab.locator("#jp-left-stack")).to_be_visible()
    expect(lab.locator(".lm-CommandPalette")).not_to_be_visible()
    expect(tabs(lab)).to_have_count(before)
    # JupyterLab's, when the user is there; and Label Studio's again on return
    tabs(lab, "Launcher").click()
    lab.locator(".jp-Launcher-body").click(position={"x": 5, "y": 5})
    lab.keyboard.press("Control+b")
    expect(lab.locator("#jp-left-stack")).not_to_be_visible()
    tabs(lab, "Cats").click()
    expect(dog).to_be_visible()
    lab.keyboard.press("1")
    expect(frame.get_by_role("checkbox", name="Cat")).to_be_checked()


def test_unsaved_changes_are_not_closed_without_a_question(lab: Page, project: int) -> None:
    frame = open_project(lab, project, "settings/labeling")
    frame.get_by_text("Code", exact=True).click()
    editor = frame.locator(".CodeMirror textarea").first
    editor.press("Control+End")
    editor.press_sequentially("<!-- new -->")
    close = tabs(lab, "Cats").locator(".lm-TabBar-tabCloseIcon")
    close.click()
    question = lab.get_by_role("dialog")
    expect(question).to_contain_text("unsaved changes")
    question.get_by_role("button", name="Cancel").click()
    expect(tabs(lab, "Cats")).to_have_count(1)
    close.click()
    question.get_by_role("button", name="Close").click()
    expect(tabs(lab, "Cats")).to_have_count(0)
    # Without changes there is no question.
    open_project(lab, project, "settings/labeling")
    close.click()
    expect(tabs(lab, "Cats")).to_have_count(0)
    # The older way to ask.
    frame = open_project(lab, project, "settings/labeling")
    frame.evaluate("addEventListener('beforeunload', (event) => { event.returnValue = 'Wait'; })")
    close.click()
    question.get_by_role("button", name="Close").click()
    expect(tabs(lab, "Cats")).to_have_count(0)


def test_a_tab_is_dragged_over_the_frame(lab: Page, project: int) -> None:
    frame = open_project(lab, project)
    expect(frame.get_by_role("button", name="Submit").first).to_be_visible()
    frame.evaluate("window.stays = true")
    tab, area = tabs(lab, "Cats").bounding_box(), lab.locator("iframe").bounding_box()
    assert tab is not None
    assert area is not None
    lab.mouse.move(tab["x"] + 20, tab["y"] + 10)
    lab.mouse.down()
    lab.mouse.move(tab["x"] + 20, tab["y"] + 60, steps=5)
    # Faster than JupyterLab's own cover follows
    lab.mouse.move(area["x"] + area["width"] - 20, area["y"] + area["height"] / 2, steps=2)
    expect(lab.locator(".lm-DockPanel-overlay")).to_be_visible()
    lab.mouse.up()
    wait_for(
        lambda: (
            (box := lab.locator("iframe").bounding_box()) and box["width"] < area["width"] * 0.7
        ),
        what="the tab beside the other",
    )
    assert frame.evaluate("window.stays")


def test_notebook_7_opens_tabs_of_the_browser(
    new_page: Callable[..., Tab], jupyter: JupyterLab, studio: LabelStudioClient
) -> None:
    project = new_project(studio, "Hens")
    page, _ = new_page(jupyter)
    page.set_default_timeout(STEP_MS)
    page.goto(f"{jupyter.url}tree")
    page.wait_for_function("() => window.jupyterapp?.commands.hasCommand('labelstudio:open')")
    with page.expect_popup() as opened:
        run(page, "labelstudio:open", path=f"projects/{project}/data", title="Hens")
    expect(opened.value).to_have_url(f"{jupyter.origin}{jupyter.prefix}projects/{project}/data")
    opened.value.close()

    page.get_by_text("New", exact=True).click()
    entry = page.locator(".lm-Menu-itemLabel", has_text="Label Studio")
    expect(entry).to_have_count(1)
    with page.expect_popup() as opened:
        entry.click()
    open_picture(opened.value, "Hens")
    label_picture(opened.value)
