"""The JupyterLab extension, in the oldest and the newest supported JupyterLab and in Notebook 7."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from support.browser import Tab
from support.jupyter import JupyterLab

expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def jupyter(
    any_jupyterlab: Path,
    module_jupyter_lab: Callable[..., JupyterLab],
    new_data_dir: Callable[[], Path],
) -> JupyterLab:
    return module_jupyter_lab(python=any_jupyterlab, config={"data_dir": str(new_data_dir())})


def open_jupyterlab(jupyter: JupyterLab, new_page: Callable[..., Tab]) -> Page:
    """Open JupyterLab, and wait for its launcher with one tile."""
    page, _ = new_page(jupyter)
    page.goto(f"{jupyter.url}lab")
    expect(tile(page)).to_have_count(1)
    return page


def tile(page: Page) -> Locator:
    return page.locator(".jp-LauncherCard", has_text="Label Studio")


def open_notebook(jupyter: JupyterLab, new_page: Callable[..., Tab]) -> Page:
    """Open Notebook 7, and wait for the menu with one entry for the tile."""
    page, _ = new_page(jupyter)
    page.goto(f"{jupyter.url}tree")
    page.get_by_text("New", exact=True).click()
    expect(page.locator(".lm-Menu-itemLabel", has_text="Label Studio")).to_have_count(1)
    page.keyboard.press("Escape")
    return page


def search_palette(page: Page, text: str) -> Locator:
    """Search the command palette, and return the commands of the extension in it."""
    page.keyboard.press("Control+Shift+C")
    page.locator(".lm-CommandPalette-input").fill(text)
    expect(
        page.locator(".lm-CommandPalette-item mark, .lm-CommandPalette-emptyMessage").first
    ).to_be_visible()
    return page.locator('.lm-CommandPalette-item[data-command^="labelstudio:"]')


@pytest.mark.parametrize("open_application", [open_jupyterlab, open_notebook])
def test_the_palette_opens_label_studio(
    jupyter: JupyterLab,
    new_page: Callable[..., Tab],
    open_application: Callable[[JupyterLab, Callable[..., Tab]], Page],
) -> None:
    page = open_application(jupyter, new_page)
    command = search_palette(page, "Open Label Studio")
    expect(command).to_have_count(1)
    expect(command.locator("svg")).to_be_visible()
    with page.expect_popup() as opened:
        command.click()
    expect(opened.value).to_have_title(re.compile("Label Studio"))


def test_jupyterlab_loads_one_more_file(jupyter: JupyterLab, new_page: Callable[..., Tab]) -> None:
    page, recorder = new_page(jupyter)
    page.goto(f"{jupyter.url}lab")
    expect(tile(page)).to_have_count(1)
    expect(search_palette(page, "Open Label Studio")).to_have_count(1)
    ours = [str(each) for each in recorder.exchanges if "extensions/labelstudio-proxy" in each.url]
    assert len(ours) == 1, ours


def test_jupyterlab_has_the_tile_when_the_extension_is_disabled(
    jupyter_lab: Callable[..., JupyterLab], new_page: Callable[..., Tab], data_dir: Path
) -> None:
    jupyter = jupyter_lab(config={"data_dir": str(data_dir)})
    disable = ("-m", "jupyterlab.labextensions", "disable", "--level=user", "labelstudio-proxy")
    subprocess.run(
        [sys.executable, *disable], env=jupyter.environment, capture_output=True, check=True
    )
    page = open_jupyterlab(jupyter, new_page)
    expect(search_palette(page, "Label Studio")).to_have_count(0)
    page.keyboard.press("Escape")
    with page.expect_popup() as opened:
        tile(page).click()
    expect(opened.value).to_have_title(re.compile("Label Studio"))
