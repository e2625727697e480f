"""A user labels, leaves, and comes back after the idle stop."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from support.browser import Tab
from support.jupyter import JupyterLab, LabelStudioClient
from support.labelling import choices, new_task, open_task
from support.processes import wait_for

TIMEOUT = 12  # s; it is announced 3 s before
FRAME = """() => {
    const frame = document.createElement("iframe");
    frame.srcdoc = "<p>A text</p>";
    frame.style = "position: fixed; inset: 0 auto auto 0; width: 80px; height: 80px; z-index: 9999";
    document.body.append(frame);
}"""


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    return module_jupyter_lab(
        base_url="/user/alice/", config={"data_dir": str(new_data_dir()), "idle_timeout": TIMEOUT}
    )


@pytest.fixture
def task(studio: LabelStudioClient) -> int:
    return new_task(studio)


@pytest.fixture
def page(
    jupyter: JupyterLab, task: int, studio: LabelStudioClient, new_page: Callable[..., Tab]
) -> Page:
    """The task, open for labelling."""
    return open_task(new_page(jupyter).page, jupyter, studio, task)


def warning(page: Page) -> Locator:
    return page.get_by_text("Still there?")


def stir(page: Page) -> None:
    """Move the mouse a little."""
    page.mouse.move(100 + time.monotonic() % 10, 100)


def test_a_user_who_returns_continues_in_the_same_page(
    page: Page, studio: LabelStudioClient, task: int
) -> None:
    page.get_by_text(re.compile("^cat")).last.click()
    # returns before the stop
    expect(warning(page)).to_be_visible(timeout=2000 * TIMEOUT)
    stir(page)
    expect(warning(page)).not_to_be_visible()
    page.wait_for_timeout(6000)
    assert studio.state()["state"] == "ready"

    # Work in a frame, such as a labelled text, counts as use, too.
    page.evaluate(FRAME)
    expect(warning(page)).to_be_visible(timeout=2000 * TIMEOUT)
    for step in range(5):
        page.mouse.move(40 + step, 40)
    expect(warning(page)).not_to_be_visible()

    # does not return
    expect(page.get_by_role("heading", name="Label Studio was stopped")).to_be_visible(
        timeout=2000 * TIMEOUT
    )
    assert studio.state()["stopped_because"] == f"Nobody has used it for {TIMEOUT} seconds."

    page.mouse.click(640, 10)  # anywhere
    expect(page.get_by_role("heading", name="Starting Label Studio…")).to_be_visible()
    expect(page.get_by_role("dialog")).not_to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Submit").click()
    wait_for(lambda: choices(studio, task) == ["cat"], what="the annotation", timeout=30)
