"""The panel, the status bar, *Running* and the commands of the JupyterLab extension, and JupyterLab without it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect
from support import label_studio, media
from support.browser import Tab
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import command_line, pids_that_mention, wait_for

STEP_MS = 60_000
expect.set_options(timeout=STEP_MS)

API = "api/labelstudio"
ITEMS = 12


@pytest.fixture(scope="module")
def jupyter(
    any_jupyterlab: Path,
    module_jupyter_lab: Callable[..., JupyterLab],
    new_data_dir: Callable[[], Path],
) -> JupyterLab:
    config = {"data_dir": str(new_data_dir())}
    lab = module_jupyter_lab(python=any_jupyterlab, base_url="/user/a%40b.c/", config=config)
    write_notebook(lab.root_dir)
    return lab


@pytest.fixture(scope="module")
def newest(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    return module_jupyter_lab(config={"data_dir": str(new_data_dir())})


def write_notebook(folder: Path) -> None:
    cell = {"cell_type": "code", "id": "first", "source": "1 + 1", "metadata": {}, "outputs": []}
    kernel = {"name": "python3", "display_name": "Python 3"}
    notebook = {"cells": [{**cell, "execution_count": None}], "metadata": {"kernelspec": kernel}}
    text = json.dumps({**notebook, "nbformat": 4, "nbformat_minor": 5})
    (folder / "Notes.ipynb").write_text(text)


def make_project(jupyter: JupyterLab, title: str) -> None:
    """Make a project over a folder of pictures."""
    folder = jupyter.root_dir / title
    folder.mkdir()
    for number in range(ITEMS):
        (folder / f"{number}.png").write_bytes(media.png(64, 48, (200, 20 * number, 40)))
    body = {"source": {"kind": "path", "path": title}, "labels": ["Cat", "Dog"]}
    lines = jupyter.post(f"{API}/projects", json=body).text.splitlines()
    assert json.loads(lines[-1])["added"] == ITEMS, lines


def label(studio: LabelStudioClient, count: int) -> None:
    """Label pictures of the newest project."""
    project = studio.get("api/projects/").json()["results"][0]["id"]
    tasks = studio.get("api/tasks", params={"project": project}).json()["tasks"]
    for task in tasks[:count]:
        entry = {"from_name": "label", "to_name": "image", "type": "choices"}
        result = [{**entry, "value": {"choices": ["Cat"]}}]
        answer = studio.post(f"api/tasks/{task['id']}/annotations/", json={"result": result})
        assert answer.status_code == 201, answer.text


def kill_label_studio(jupyter: JupyterLab) -> None:
    for pid in pids_that_mention(jupyter.home):
        if "labelstudio_server.py serve" in command_line(pid):
            os.kill(pid, signal.SIGKILL)


def open_lab(tab: Tab, jupyter: JupyterLab, path: str = "") -> Page:
    page = tab.page
    page.set_default_timeout(STEP_MS)
    page.goto(f"{jupyter.url}lab{path}")
    return page


def status(page: Page) -> Locator:
    return page.locator(".jp-LabelStudioStatus button")


def tile(page: Page) -> Locator:
    return page.locator(".jp-LauncherCard", has_text="Label Studio")


def search_palette(page: Page, text: str) -> Locator:
    """Search the command palette, and return the commands of the extension in it."""
    page.keyboard.press("Control+Shift+C")
    page.locator(".lm-CommandPalette-input").fill(text)
    expect(
        page.locator(".lm-CommandPalette-item mark, .lm-CommandPalette-emptyMessage").first
    ).to_be_visible()
    return page.locator('.lm-CommandPalette-item[data-command^="labelstudio:"]')


def panel_of(page: Page) -> Locator:
    return page.get_by_role("region", name="Label Studio", exact=True)


def expect_heading(page: Page, heading: str) -> None:
    expect(panel_of(page).get_by_role("heading", level=2)).to_have_text(heading)


def buttons(page: Page) -> Locator:
    return panel_of(page).locator(".jp-LabelStudioPanel-buttons > *")


def asked(tab: Tab) -> list[str]:
    """Return what the extension has asked Jupyter for."""
    tab.page.context.cookies()  # a round trip, after which all earlier events have arrived
    found = (
        (exchange.method, re.search(rf"{API}([^?]*)", exchange.url))
        for exchange in tab.recorder.exchanges
    )
    return [f"{method} {path[1]}".strip() for method, path in found if path]


def test_label_studio_is_seen_and_controlled_from_start_to_stop(
    jupyter: JupyterLab,
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    new_page: Callable[..., Tab],
) -> None:
    tab = new_page(jupyter)
    page = open_lab(tab, jupyter, "/tree/Notes.ipynb")

    # JupyterLab's start loads one more file, and another one later. The status bar asks when the user does something.
    expect(status(page)).to_have_accessible_name("Label Studio")
    assert asked(tab) == []
    urls = [each.url for each in tab.recorder.exchanges]
    files = [at for at, url in enumerate(urls) if "extensions/labelstudio-proxy" in url]
    assert len(files) == 2, urls
    restored = next(at for at, url in enumerate(urls) if "/lab/api/workspaces/" in url)
    assert files[0] < restored < files[1]
    status(page).hover()
    expect(status(page)).to_have_text("stopped")
    status(page).click()
    expect_heading(page, "Label Studio is not running")
    expect(buttons(page)).to_have_text(["Start", "Log"])
    assert not jupyter.get(API).json()["started_at"]

    # A start, with its steps.
    panel = panel_of(page)
    panel.get_by_role("button", name="Start", exact=True).click()
    expect_heading(page, "Starting Label Studio…")
    steps = panel.get_by_role("list", name="Steps of the start")
    expect(steps.get_by_role("listitem").first).to_have_text(re.compile("Open the data directory"))
    expect_heading(page, "Label Studio is ready")
    expect(status(page)).to_have_accessible_name("Label Studio: ready")
    expect(buttons(page)).to_have_text(["Open", "Stop", "Restart", "Log"])
    expect(panel.get_by_role("definition").last).to_have_text(re.compile(r"^\d+ MB$"))
    link = panel.get_by_role("link")
    expect(link).to_have_attribute("href", jupyter.origin + jupyter.prefix)
    expect(panel).to_contain_text("right-click a folder")

    # The projects, and their progress.
    make_project(jupyter, "Animals")
    progress = panel.get_by_role("progressbar", name="Animals")
    expect(progress).to_have_attribute("aria-valuetext", f"0 of {ITEMS} labelled")
    label(label_studio_client(jupyter), 3)
    expect(progress).to_have_attribute("aria-valuetext", f"3 of {ITEMS} labelled")
    expect(progress).to_have_attribute("aria-valuenow", "3")
    expect(progress).to_have_attribute("aria-valuemax", str(ITEMS))

    # Code for the notebook.
    insert = panel.get_by_role("button", name="Insert code that loads “Animals”")
    insert.click()
    insert.click()
    cells = page.locator(".jp-CodeCell .cm-content")
    code = 'lsp.project("Animals").to_dataframe()'
    expect(cells.nth(1)).to_contain_text(f"import labelstudio_proxy as lsp{code}")
    expect(cells.nth(2)).to_have_text(code)

    # An export.
    panel.get_by_role("button", name="Export “Animals”…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Format").select_option("CSV")
    folder = dialog.get_by_label("Folder")
    expect(folder).to_have_value("Animals-export")
    folder.fill("labels of animals")
    folder.press("Enter")
    expect(panel.get_by_role("button", name="1 file exported")).to_be_visible()
    (exported,) = (jupyter.root_dir / "labels of animals").iterdir()
    assert "Cat" in exported.read_text()

    # The log.
    panel.get_by_role("button", name="Log").click()
    expect(page.get_by_role("log")).to_contain_text("labelstudio-proxy: Serving")

    # A crash, and the end.
    kill_label_studio(jupyter)
    expect_heading(page, "Restarting Label Studio…")
    expect_heading(page, "Label Studio is ready")
    page.get_by_role("tab", name="Running Terminals and Kernels").click()
    item = page.locator(".jp-RunningSessions-item", has_text="Label Studio")
    expect(item).to_contain_text("ready")
    item.hover()
    item.locator(".jp-RunningSessions-itemShutdown").click()
    expect(item).to_have_count(0)
    expect(status(page)).to_have_text("stopped")
    assert jupyter.get(API).json()["state"] == "stopped"
    tab.recorder.assert_clean(jupyter.base_url, jupyter.origin)


def test_notebook_7_has_the_panel_and_running(
    jupyter: JupyterLab, new_page: Callable[..., Tab]
) -> None:
    tab = new_page(jupyter)
    page = tab.page
    page.set_default_timeout(STEP_MS)
    with page.expect_response("**/static/studio.*"):
        page.goto(f"{jupyter.url}notebooks/Notes.ipynb")
    expect(page.locator(".jp-CodeCell")).to_have_count(1)
    assert asked(tab) == []
    page.keyboard.press("Control+Shift+C")
    page.locator(".lm-CommandPalette-input").fill("Label Studio Panel")
    page.keyboard.press("Enter")
    panel_of(page).get_by_role("button", name="Start", exact=True).click()
    expect_heading(page, "Label Studio is ready")
    make_project(jupyter, "Birds")
    panel_of(page).get_by_role("button", name="Insert code that loads “Birds”").click()
    expect(page.locator(".jp-CodeCell .cm-content").nth(1)).to_contain_text("to_dataframe()")

    page.goto(f"{jupyter.url}tree")
    page.get_by_text("New", exact=True).click()
    expect(page.locator(".lm-Menu-itemLabel", has_text="Label Studio")).to_have_count(1)
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Running").click()
    item = page.locator(".jp-RunningSessions-item", has_text="Label Studio")
    expect(item).to_contain_text("ready")
    with page.expect_popup() as opened:
        search_palette(page, "Open Label Studio").click()
    expect(opened.value).to_have_title(re.compile("Label Studio"))


def test_the_palette_and_the_menu_open_label_studio_in_a_browser_tab(
    jupyter: JupyterLab, new_page: Callable[..., Tab]
) -> None:
    settings = {"statusBar": False, "keepLabels": True}
    file = "lab/api/settings/labelstudio-proxy:plugin"
    assert jupyter.put(file, json={"raw": json.dumps(settings)}).ok
    folder = jupyter.root_dir / "Fruits"
    folder.mkdir()
    (folder / "apple.png").write_bytes(media.png())
    page = open_lab(new_page(jupyter), jupyter, "?reset")
    expect(tile(page)).to_have_count(1)
    command = search_palette(page, "Open Label Studio")
    expect(command).to_have_count(1)
    expect(command.locator("svg")).to_be_visible()
    with page.expect_popup() as opened:
        command.click()
    expect(opened.value).to_have_title(re.compile("Label Studio"))
    expect(status(page)).to_have_count(0)

    page.locator(".jp-DirListing-item", has_text="Fruits").click()
    page.get_by_role("menuitem", name="File", exact=True).click()
    for name in ("New", "Label Folder…"):
        page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{name}$")).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("1 picture")).to_be_visible()
    expect(dialog.get_by_label("Keep the labels")).to_be_checked()
    with page.expect_popup() as opened:
        page.keyboard.type("Apple")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
    expect(opened.value).to_have_url(re.compile(r"/labelstudio/projects/\d+/data"))
    expect(opened.value.get_by_role("checkbox", name="Apple").first).to_be_visible()

    assert jupyter.put(file, json={"raw": json.dumps({"openIn": "jupyterlab"})}).ok
    page.goto(f"{jupyter.url}lab?reset")
    expect(tile(page)).to_have_count(1)
    search_palette(page, "Open Label Studio").click()
    expect(page.locator("iframe")).to_be_visible()
    assert jupyter.put(file, json={"raw": "{}"}).ok


def focused(page: Page) -> str:
    """Return the name of the element with the focus."""
    name: str = page.evaluate(
        "document.activeElement.ariaLabel ?? document.activeElement.textContent"
    )
    return name


def test_the_keyboard_does_everything(newest: JupyterLab, new_page: Callable[..., Tab]) -> None:
    page = open_lab(new_page(newest), newest)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    keyboard = page.keyboard

    def open_panel(heading: str) -> None:
        run_command("Show Label Studio Panel")
        expect_heading(page, heading)
        wait_for_focus()

    def wait_for_focus() -> None:
        has_focus = "panel => panel.contains(document.activeElement)"
        wait_for(lambda: panel_of(page).evaluate(has_focus), what="the focus in the panel")

    def run_command(name: str) -> None:
        keyboard.press("Control+Shift+C")
        expect(page.locator(".lm-CommandPalette-input")).to_be_focused()
        keyboard.type(name)
        expect(page.locator(".lm-CommandPalette-item.lm-mod-active")).to_contain_text(name)
        keyboard.press("Enter")

    def walk_to(name: str) -> None:
        for _ in range(20):
            if focused(page) == name:
                return
            keyboard.press("Tab")
        raise AssertionError(name)

    expect(page.locator(".jp-LauncherCard").first).to_be_visible()
    open_panel("Label Studio is not running")
    walk_to("Start")
    keyboard.press("Enter")
    expect_heading(page, "Label Studio is ready")
    wait_for_focus()  # the button is gone
    make_project(newest, "Cars")
    expect(panel_of(page).get_by_role("progressbar", name="Cars")).to_be_visible()

    open_panel("Label Studio is ready")
    walk_to("Log")
    keyboard.press("Enter")
    expect(page.get_by_role("log")).to_be_focused()
    page.get_by_role("button", name="Copy", exact=True).click()
    copied = "navigator.clipboard.readText()"
    wait_for(lambda: "Serving" in page.evaluate(copied), what="the log in the clipboard")
    open_panel("Label Studio is ready")
    walk_to("Export “Cars”…")
    keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_label("Format")).to_be_focused()
    walk_to("Export")
    keyboard.press("Enter")
    expect(panel_of(page).get_by_text("Nothing of this project is labelled yet.")).to_be_visible()
    expect(page.get_by_role("button", name="Export “Cars”…")).to_be_focused()
    open_panel("Label Studio is ready")
    walk_to("Cars")
    with page.expect_popup() as opened:
        keyboard.press("Enter")
    assert "/projects/" in opened.value.url
    opened.value.close()

    before = newest.get(API).json()["since"]
    open_panel("Label Studio is ready")
    walk_to("Restart")
    keyboard.press("Enter")

    def has_restarted() -> bool:
        now = newest.get(API).json()
        return bool(now["state"] == "ready" and now["since"] > before)

    wait_for(has_restarted, what="the restart")
    expect_heading(page, "Label Studio is ready")
    wait_for_focus()
    run_command("Stop Label Studio")
    expect_heading(page, "Label Studio is not running")
    keyboard.press("Control+Shift+C")
    stop = page.locator('[data-command="labelstudio:stop"]')
    expect(stop).to_have_class(re.compile("lm-mod-disabled"))


def test_the_status_bar_keeps_up_while_jupyterlab_is_used(
    newest: JupyterLab, new_page: Callable[..., Tab]
) -> None:
    newest.post(f"{API}/stop")
    wait_for(lambda: newest.get(API).json()["state"] == "stopped", what="the stop")
    tab = new_page(newest)
    tab.page.clock.install()
    page = open_lab(tab, newest, "?reset")
    status(page).hover()
    expect(status(page)).to_have_text("stopped")
    newest.post(f"{API}/start")  # as a notebook does
    page.clock.fast_forward(30_000)
    page.mouse.move(100, 100)
    expect(status(page)).to_have_text(re.compile("starting|ready"))
    page.context.set_offline(True)
    page.clock.fast_forward(30_000)
    page.mouse.move(200, 100)
    expect(status(page)).to_have_accessible_name("No connection")


def test_the_panel_takes_the_data_over_from_another_server(
    newest: JupyterLab, jupyter_lab: Callable[..., JupyterLab], new_page: Callable[..., Tab]
) -> None:
    second = jupyter_lab(config={"data_dir": newest.get(API).json()["data_dir"]})
    newest.post(f"{API}/start")
    page = open_lab(new_page(second), second)
    wait_for(lambda: newest.get(API).json()["state"] == "ready", what="the first server")
    status(page).click()
    panel_of(page).get_by_role("button", name="Start", exact=True).click()
    expect_heading(page, "Label Studio is running on another server")
    holder = second.get(API).json()["holder"]
    panel_of(page).get_by_role("button", name=holder["action"]).click()
    expect_heading(page, "Label Studio is ready")
    assert newest.get(API).json()["state"] == "failed"


def test_a_failure_has_the_words_and_buttons_of_the_start_page(
    jupyter_lab: Callable[..., JupyterLab], new_page: Callable[..., Tab], tmp_path: Path
) -> None:
    mydata = label_studio.new_data_dir(tmp_path / "mydata")
    config = {"label_studio": str(tmp_path / "nothing"), "backend": "process"}
    jupyter = jupyter_lab(root_dir=tmp_path, config=config)
    tab = new_page(jupyter)
    tab.page.context.grant_permissions(["clipboard-read"])
    page = open_lab(tab, jupyter)
    status(page).click()
    panel_of(page).get_by_role("button", name="Start", exact=True).click()

    expect_heading(page, "Which data should Label Studio use?")
    expect(panel_of(page)).to_contain_text(f"{mydata} has data of Label Studio.")
    expect(buttons(page)).to_have_text(["Use these data", "Start with no data", "Log"])
    panel_of(page).get_by_role("button", name="Start with no data").click()

    expect_heading(page, "Label Studio could not be started")
    expect(status(page)).to_have_text("failed")
    error = jupyter.get(API).json()["error"]
    for part in error.values():
        expect(panel_of(page)).to_contain_text(part.replace("`", ""))
    expect(buttons(page)).to_have_text(["Try again", "Copy diagnostics", "Log"])
    panel_of(page).get_by_role("button", name="Copy diagnostics").click()
    expect(panel_of(page)).to_contain_text("Diagnostics copied.")
    assert str(tmp_path) in page.evaluate("navigator.clipboard.readText()")


def test_jupyterlab_has_the_tile_when_the_extension_is_disabled(
    jupyter_lab: Callable[..., JupyterLab], new_page: Callable[..., Tab], data_dir: Path
) -> None:
    jupyter = jupyter_lab(config={"data_dir": str(data_dir)})
    disable = ("-m", "jupyterlab.labextensions", "disable", "--level=user", "labelstudio-proxy")
    subprocess.run(
        [sys.executable, *disable], env=jupyter.environment, capture_output=True, check=True
    )
    page = open_lab(new_page(jupyter), jupyter)
    expect(tile(page)).to_have_count(1)
    expect(search_palette(page, "Label Studio")).to_have_count(0)
    page.keyboard.press("Escape")
    with page.expect_popup() as opened:
        tile(page).click()
    expect(opened.value).to_have_title(re.compile("Label Studio"))


def test_the_extension_does_nothing_where_the_admin_hides_the_tile(
    new_page: Callable[..., Tab], newest: JupyterLab
) -> None:
    """With what `tile = False` adds to the page, and no other Jupyter: see test_extension.py."""
    tab = new_page(newest)

    def hide(route: Route) -> None:
        answer = route.fetch()
        begin = '<script id="jupyter-config-data" type="application/json">'
        text = answer.text()
        assert begin in text
        assert "labelstudioProxyHidden" not in text
        changed = re.sub(
            re.escape(begin) + r"\s*\{", f'{begin}{{"labelstudioProxyHidden": "true", ', text
        )
        route.fulfill(response=answer, body=changed)

    tab.page.route(re.compile(r"/lab(\?.*)?$"), hide)
    page = open_lab(tab, newest, "?reset")
    expect(page.locator(".jp-LauncherCard").first).to_be_visible()
    assert search_palette(page, "Label Studio").count() == 0
    expect(panel_of(page)).to_have_count(0)
    expect(status(page)).to_have_count(0)
