"""An open page says why Label Studio does not work now, keeps what is not saved, and continues."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect
from support.browser import Tab
from support.jupyter import JupyterLab, LabelStudioClient
from support.labelling import choices, new_task, open_task
from support.processes import command_line, pids_that_mention, wait_for

from labelstudio_proxy.data_directory.directory import PROXY_FOLDER
from labelstudio_proxy.data_directory.lock import LOCK

HURRY = """() => {
    Object.assign(window[Symbol.for("labelstudio-proxy.watch")], { patience: 500, beat: 500 });
    dispatchEvent(new Event("focus"));
}"""
CHECKS = 3
# Another server: takes the data directory over, and hands it over when it is asked to.
OTHER_SERVER = """
import asyncio, sys, threading
from pathlib import Path
from labelstudio_proxy.data_directory.lock import DirectoryLock
asked = threading.Event()
lock = DirectoryLock(Path(sys.argv[1]), "the Jupyter server at /user/alice/gpu/")
lock.on_request = lambda by: asked.set()
asyncio.run(lock.take(lambda text: None, lambda: True))
asked.wait()
lock.release()
"""


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
    studio.wait_ready()
    tab: Tab = new_page(jupyter)
    page = open_task(tab.page, jupyter, studio, task)
    page.evaluate(HURRY)
    page.get_by_text(re.compile("^cat")).last.click()
    page.evaluate("window.isTheSamePage = true")
    return tab


def card(page: Page, title: str = "Label Studio does not respond.") -> Locator:
    return page.get_by_role("heading", name=title)


def drafts(studio: LabelStudioClient, task: int) -> list[str]:
    """What the drafts of the task chose."""
    found = studio.get(f"api/tasks/{task}/drafts").json()
    return [choice for each in found for choice in each["result"][0]["value"]["choices"]]


def continues(page: Page, studio: LabelStudioClient, task: int, *, button: str = "") -> None:
    """Press the button of the card; the page saves what it has, and Submit works."""
    if button:
        page.get_by_role("button", name=button).click()
    expect(page.get_by_role("dialog")).not_to_be_visible(timeout=60_000)
    wait_for(lambda: drafts(studio, task) == ["cat"], what="the draft", timeout=30)
    page.get_by_role("button", name="Submit").click()
    wait_for(lambda: choices(studio, task) == ["cat"], what="the annotation", timeout=30)
    assert page.evaluate("window.isTheSamePage")


def label_studios(jupyter: JupyterLab) -> list[int]:
    found = pids_that_mention(jupyter.home)
    pids = [pid for pid in found if "labelstudio_server.py serve" in command_line(pid)]
    assert pids
    return pids


@contextlib.contextmanager
def suspended(jupyter: JupyterLab) -> Iterator[None]:
    """Suspend Label Studio with SIGSTOP; at the end, what still runs of it continues."""
    pids = label_studios(jupyter)
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
    # If the restart cut the request off, Label Studio says so, and Submit sends it again
    error = page.get_by_text("Runtime error")
    saved = page.locator("button", has_text="Update")
    expect(error.or_(saved).first).to_be_visible()
    if error.is_visible():
        page.keyboard.press("Escape")
        expect(error).not_to_be_visible()
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


def test_page_continues_after_a_stop_and_a_failed_start(
    tab: Tab, data_dir: Path, studio: LabelStudioClient, task: int
) -> None:
    page = tab.page
    studio.post("_proxy/stop")  # as the command line does
    expect(card(page, "Label Studio was stopped")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("Nobody was using it")).not_to_be_visible()
    page.mouse.click(640, 10)  # starts nothing: a user has stopped it
    studio.wait_for_state("stopped")

    with (data_dir / PROXY_FOLDER / LOCK).open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as a restore does
        page.get_by_role("button", name="Start").click()
        expect(card(page, "Label Studio could not be started")).to_be_visible(timeout=30_000)
        expect(page.get_by_text("is in use")).to_be_visible()
    continues(page, studio, task, button="Try again")


def test_page_takes_label_studio_back(
    tab: Tab, data_dir: Path, studio: LabelStudioClient, task: int
) -> None:
    with subprocess.Popen([sys.executable, "-c", OTHER_SERVER, str(data_dir)]) as other:
        try:
            expect(tab.page.get_by_text("taken over by")).to_be_visible(timeout=30_000)
            continues(tab.page, studio, task, button="Take it back")
        finally:
            other.kill()


def test_page_continues_by_itself_after_a_crash(
    tab: Tab, jupyter: JupyterLab, studio: LabelStudioClient, task: int
) -> None:
    for pid in label_studios(jupyter):
        os.kill(pid, signal.SIGKILL)
    expect(tab.page.get_by_role("dialog")).to_be_visible(timeout=20_000)
    continues(tab.page, studio, task)


def test_page_continues_after_a_loss_of_the_network(
    tab: Tab, studio: LabelStudioClient, task: int
) -> None:
    tab.recorder.context.set_offline(True)
    expect(card(tab.page, "Label Studio cannot be reached")).to_be_visible(timeout=20_000)
    tab.recorder.context.set_offline(False)
    continues(tab.page, studio, task)


def test_page_continues_after_a_new_login(
    tab: Tab, jupyter: JupyterLab, studio: LabelStudioClient, task: int
) -> None:
    context = tab.recorder.context
    context.clear_cookies()
    expect(card(tab.page, "You are logged out")).to_be_visible(timeout=20_000)
    with context.expect_page() as opened:
        tab.page.get_by_role("button", name="Log in again").click()
    expect(opened.value).to_have_url(re.compile("/login"))
    assert context.request.get(f"{jupyter.url}login?token={jupyter.token}").ok
    continues(tab.page, studio, task)


def test_page_continues_after_a_restart_of_jupyter(
    tab: Tab, jupyter: JupyterLab, studio: LabelStudioClient, task: int
) -> None:
    with jupyter.restarted():
        expect(card(tab.page, "Label Studio cannot be reached")).to_be_visible(timeout=20_000)
    expect(card(tab.page, "Label Studio is not running")).to_be_visible(timeout=30_000)
    continues(tab.page, studio, task, button="Start")


def test_submit_works_after_requests_without_an_answer(
    tab: Tab, studio: LabelStudioClient, task: int
) -> None:
    lost: list[str] = []

    def lose(route: Route) -> None:
        lost.append(route.request.method)
        route.abort("connectionreset")

    tab.page.route("**/drafts*", lose)
    wait_for(lambda: tab.page.evaluate("1") and lost, what="the draft's request", timeout=30)
    tab.page.unroute("**/drafts*")
    tab.page.get_by_role("button", name="Submit").click()
    wait_for(lambda: choices(studio, task) == ["cat"], what="the annotation", timeout=30)


@pytest.mark.parametrize("arrives", [True, False])
def test_annotation_is_saved_once_if_its_response_is_lost(
    tab: Tab, studio: LabelStudioClient, task: int, arrives: bool
) -> None:
    posted: list[str] = []

    def lose(route: Route) -> None:
        if route.request.method != "POST" or posted:
            return route.fallback()
        posted.append(route.request.url)
        if arrives:
            route.fetch()
        return route.abort("connectionreset")

    tab.page.route("**/annotations*", lose)
    tab.page.get_by_role("button", name="Submit").click()
    expect(tab.page.locator("button", has_text="Update")).to_be_visible(timeout=20_000)
    assert len(posted) == 1
    assert choices(studio, task) == ["cat"]
    assert drafts(studio, task) == []
    assert tab.page.evaluate("window.isTheSamePage")


def test_next_task_appears_after_the_network_was_lost_meanwhile(
    jupyter: JupyterLab, studio: LabelStudioClient, tab: Tab, task: int
) -> None:
    project = studio.get(f"api/tasks/{task}").json()["project"]
    studio.post(f"api/projects/{project}/import", json=[{"text": "woof"}])
    page = tab.page
    page.goto(f"{jupyter.origin}{jupyter.prefix}projects/{project}/data?labeling=1")
    expect(page.get_by_text("miaow").last).to_be_visible(timeout=30_000)
    page.evaluate("window.isTheSamePage = true")
    page.get_by_text(re.compile("^cat")).last.click()
    tab.recorder.context.set_offline(True)
    expect(card(page, "Label Studio cannot be reached")).to_be_visible(timeout=20_000)
    # a click that came just before the card
    page.get_by_test_id("bottombar-submit-button").evaluate("button => button.click()")
    assert choices(studio, task) == []
    tab.recorder.context.set_offline(False)
    expect(page.get_by_text("woof").last).to_be_visible(timeout=30_000)
    assert choices(studio, task) == ["cat"]
    assert page.evaluate("window.isTheSamePage")
