"""An open page says that Label Studio does not respond, and restarts it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from support.browser import Tab
from support.jupyter import JupyterLab, LabelStudioClient
from support.labelling import choices, new_task, open_task
from support.processes import command_line, pids_that_mention, wait_for

SET_PATIENCE = "window[Symbol.for('labelstudio-proxy.watch')].patience = 500"
CHECKS = 3


@pytest.fixture(scope="module")
def data_dir(new_data_dir: Callable[[], Path]) -> Path:
    return new_data_dir()


@pytest.fixture(scope="module")
def jupyter(module_jupyter_lab: Callable[..., JupyterLab], data_dir: Path) -> JupyterLab:
    config = {"data_dir": str(data_dir), "backend": "process"}
    return module_jupyter_lab(base_url="/user/alice/", config=config)


@pytest.fixture
def task(studio: LabelStudioClient) -> int:
    return new_task(studio)


@pytest.fixture
def tab(
    jupyter: JupyterLab, task: int, studio: LabelStudioClient, new_page: Callable[..., Tab]
) -> Tab:
    """The task, with a choice that is not submitted yet."""
    tab: Tab = new_page(jupyter)
    page = open_task(tab.page, jupyter, studio, task)
    page.evaluate(SET_PATIENCE)
    page.get_by_text(re.compile("^cat")).last.click()
    return tab


def card(page: Page) -> Locator:
    return page.get_by_role("heading", name="Label Studio does not respond.")


@contextlib.contextmanager
def suspended(jupyter: JupyterLab) -> Iterator[None]:
    """Suspend Label Studio with SIGSTOP; at the end, what still runs of it continues."""
    found = pids_that_mention(jupyter.home)
    pids = [pid for pid in found if "labelstudio_server.py serve" in command_line(pid)]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def test_suspended_label_studio_is_restarted_from_the_page(
    tab: Tab, jupyter: JupyterLab, studio: LabelStudioClient, task: int
) -> None:
    page = tab.page
    restarts = studio.state()["restarts"]
    with suspended(jupyter):
        page.get_by_role("button", name="Submit").click()
        expect(card(page)).to_be_visible(timeout=20_000)
        page.get_by_role("button", name="Restart").click()
        expect(card(page)).not_to_be_visible()
        expect(page.get_by_role("dialog")).not_to_be_visible(timeout=60_000)
    assert studio.state()["restarts"] == restarts + 1
    # Label Studio's own message about the request that the restart cut off
    expect(page.get_by_text("Runtime error")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Runtime error")).not_to_be_visible()
    page.get_by_role("button", name="Submit").click()
    wait_for(lambda: choices(studio, task) == ["cat"], what="the annotation", timeout=30)


def test_card_closes_when_label_studio_responds_again(
    tab: Tab, jupyter: JupyterLab, studio: LabelStudioClient, task: int
) -> None:
    restarts = studio.state()["restarts"]
    with suspended(jupyter):
        tab.page.get_by_role("button", name="Submit").click()
        expect(card(tab.page)).to_be_visible(timeout=20_000)
    expect(tab.page.get_by_role("dialog")).not_to_be_visible(timeout=20_000)
    wait_for(lambda: choices(studio, task) == ["cat"], what="the annotation", timeout=30)
    assert studio.state()["restarts"] == restarts


def test_slow_request_shows_nothing(
    tab: Tab, data_dir: Path, studio: LabelStudioClient, task: int
) -> None:
    def checks() -> int:
        seen = [each for each in tab.recorder.exchanges if each.url.endswith("_proxy/responds")]
        return sum(each.status == 200 for each in seen)

    with contextlib.closing(sqlite3.connect(data_dir / "label_studio.sqlite3")) as database:
        database.execute("BEGIN IMMEDIATE")  # Label Studio waits with what it wants to write
        tab.page.get_by_role("button", name="Submit").click()
        for _ in range(CHECKS):
            with tab.page.expect_response("**/_proxy/responds"):
                pass
        expect(tab.page.get_by_role("dialog")).not_to_be_visible()
        assert checks() >= CHECKS
        database.rollback()
    wait_for(lambda: choices(studio, task) == ["cat"], what="the annotation", timeout=30)
