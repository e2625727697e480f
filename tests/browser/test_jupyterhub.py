"""On a real JupyterHub: label, and continue after a logout and after a stop of the server."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support import jupyterhub, media, results
from support.browser import Tab
from support.events import events_of
from support.http import Http
from support.jupyter import LabelStudioClient
from support.jupyterhub import JupyterHub, UserServer
from support.labelling import choose, submit
from support.processes import wait_for

START_MS = 60_000
# Characters that the hub escapes in the URL, and those that it leaves.
ADA = "ada o'neil@example.org"
BOB = "bob@example.org"
# Runs Label Studio alone. Label Studio has a path with this name, too.
PROJECTS = "projects"
HURRY = """() => {
    window[Symbol.for("labelstudio-proxy.watch")].beat = 500;
    dispatchEvent(new Event("focus"));
}"""


def documented_command() -> list[str]:
    """The command of the documentation that runs Label Studio alone on a hub."""
    readme = Path(__file__).parents[2] / "docs" / "hosts" / "index.md"
    found = re.search(r"^ +(jupyter standaloneproxy .*)$", readme.read_text(), re.MULTILINE)
    assert found
    return shlex.split(found[1])


@pytest.fixture(scope="module")
def hub(request: pytest.FixtureRequest) -> Iterator[JupyterHub]:
    proxy = jupyterhub.find_proxy()
    if proxy is None:
        pytest.skip("no proxy for JupyterHub: scripts/system-packages installs it")
    hub = JupyterHub(proxy, {PROJECTS: documented_command()})
    try:
        yield hub
    finally:
        results.keep_log(request, hub.process.log)
        hub.stop()


def log_in(page: Page, user: str) -> None:
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(jupyterhub.PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def expect_label_studio(page: Page) -> None:
    create = page.get_by_role("button", name="Create Project").first
    expect(create).to_be_visible(timeout=START_MS)


def expect_card(page: Page, title: str) -> None:
    expect(page.get_by_role("heading", name=title)).to_be_visible(timeout=START_MS)


def label_folder(lab: Page, name: str) -> None:
    """Right-click on a folder in JupyterLab, and label its first picture."""
    lab.get_by_role("button", name="Refresh").first.click()
    lab.locator(".jp-DirListing-item").filter(has_text=name).click(button="right")
    lab.get_by_role("menuitem", name="Label with Label Studio…").click()
    dialog = lab.get_by_role("dialog")
    dialog.get_by_label("Labels", exact=True).fill("cat")
    dialog.get_by_label("Keep the labels").check()
    with lab.expect_popup() as opened:
        dialog.get_by_role("button", name="Label", exact=True).click()
    studio = opened.value
    studio.get_by_role("checkbox", name="cat").first.click(timeout=START_MS)
    studio.get_by_role("button", name="Submit").first.click()
    lab.get_by_role("tab", name="Label Studio", exact=True).click()
    project = lab.get_by_role("listitem").filter(has_text=name)
    expect(project).to_contain_text("1 of 1 labelled", timeout=START_MS)
    studio.close()


def test_user_of_a_hub_labels_and_continues_after_a_logout_and_a_stop(
    hub: JupyterHub, new_page: Callable[..., Tab]
) -> None:
    lab, recorder = new_page()
    ada = UserServer(hub, ADA)
    lab.goto(hub.origin)
    log_in(lab, ADA)
    tile = lab.locator(".jp-LauncherCard", has_text="Label Studio")
    with lab.expect_popup(timeout=START_MS) as opened:
        tile.click(timeout=START_MS)
    page = opened.value
    expect_label_studio(page)
    with closing(LabelStudioClient(ada)) as studio:
        submit(page, studio, choose(page, ada, studio))
        failed = [each for each in recorder.exchanges if each.is_failed]
        assert not failed, failed

        folder = hub.home / ADA / "pictures"
        folder.mkdir()
        (folder / "1.png").write_bytes(media.png(64, 48, (200, 20, 40)))
        label_folder(lab, folder.name)
        wait_for((folder / "labels.jsonl").exists, what="the labels on disk", timeout=30)

        task = choose(page, ada, studio)
        page.evaluate(HURRY)
        page.evaluate("window.isTheSamePage = true")
        lab.goto(f"{hub.origin}/hub/logout")
        expect_card(page, "You are logged out")
        with lab.context.expect_page() as opened:
            page.get_by_role("button", name="Log in again").click()
        log_in(opened.value, ADA)
        expect_label_studio(opened.value)
        opened.value.close()
        expect(page.get_by_role("dialog")).not_to_be_visible(timeout=START_MS)

        ada.stop()
        expect_card(page, "Your Jupyter server is not running")
        with lab.context.expect_page() as opened:
            page.get_by_role("button", name="Start the server").click()
        expect(opened.value.get_by_text("Launch Server")).to_be_visible()
        opened.value.close()
        ada.start()
        # The hub renews the login without asking, since the user is still logged in there.
        expect_card(page, "Label Studio is not running")
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.get_by_role("dialog")).not_to_be_visible(timeout=START_MS)
        submit(page, studio, task)
        assert page.evaluate("window.isTheSamePage")


def test_a_hub_sees_no_activity_while_a_panel_listens(hub: JupyterHub) -> None:
    bob = UserServer(hub, BOB)
    bob.add_user()
    bob.start()
    with (
        closing(Http(f"{bob.origin}{bob.base_url}api/", lambda: f"token {bob.token}")) as api,
        events_of(bob) as events,
    ):
        events.state("stopped")
        assert api.post("labelstudio/start").status_code == 202
        reported = api.get("status").json()["last_activity"]  # by Jupyter, to the hub
        seen = bob.seen_by_proxy()
        events.state("ready")
        assert bob.seen_by_proxy() == seen
        for path in ("labelstudio?memory=1", "labelstudio/log", "labelstudio/projects"):
            assert api.get(path).status_code == 200
        assert api.get("status").json()["last_activity"] == reported


def test_hub_runs_label_studio_alone(hub: JupyterHub, new_page: Callable[..., Tab]) -> None:
    page, recorder = new_page()
    alone = UserServer(hub, PROJECTS, below="")
    page.goto(hub.origin)
    log_in(page, PROJECTS)
    expect_label_studio(page)
    recorder.forget()
    with closing(LabelStudioClient(alone)) as studio:
        submit(page, studio, choose(page, alone, studio))
    recorder.assert_clean(alone.prefix, alone.origin)
