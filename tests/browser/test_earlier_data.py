"""The page of a first start where `docker run` has left data in the notebook's folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support import label_studio
from support.browser import Tab
from support.jupyter import JupyterLab

from labelstudio_proxy.data_directory.directory import DataDirectory

START_MS = 120_000


@pytest.mark.parametrize("button", ["Use these data", "Start with no data"])
def test_the_user_chooses_the_data_of_the_first_start(
    jupyter_lab: Callable[..., JupyterLab],
    new_page: Callable[..., Tab],
    tmp_path: Path,
    button: str,
) -> None:
    mydata = label_studio.new_data_dir(tmp_path / "mydata")
    jupyter = jupyter_lab(root_dir=tmp_path)
    page, _ = new_page(jupyter)
    page.goto(jupyter.origin + jupyter.prefix)
    heading = page.get_by_role("heading", name="Which data should Label Studio use?")
    expect(heading).to_be_visible(timeout=START_MS)
    expect(page.locator("#what")).to_have_text(f"{mydata} has data of Label Studio.")
    expect(page.locator(".actions > :visible")).to_have_text(
        ["Use these data", "Start with no data"]
    )
    page.reload()  # is no choice
    expect(heading).to_be_visible(timeout=START_MS)
    page.get_by_role("button", name=button).click()
    create = page.get_by_role("button", name="Create Project").first
    expect(create).to_be_visible(timeout=START_MS)
    assert DataDirectory(mydata).has_accounts() == (button == "Use these data")
