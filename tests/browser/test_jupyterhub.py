"""On a real JupyterHub, with the settings of docs/hosts/jupyterhub.md, from a login to a label.

The tests run in this order, and use the servers that earlier ones have started: each costs seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect
from support import media, results
from support.browser import INSECURE_HOST, Tab
from support.events import events_of
from support.http import Http
from support.hub_pages import (
    HURRY,
    START_MS,
    click_tile,
    expect_card,
    expect_label_studio,
    expect_owner,
    log_in,
    start_again,
)
from support.jupyter import LabelStudioClient, Server
from support.jupyterhub import JupyterHub, UserServer, documented, spawner_of
from support.labelling import choose, submit
from support.processes import wait_for

NAMAE = "名前"
ADA = "ada@example.org"
O_BRIEN = "o'brien-x"
JUERGEN = "jürgen"
NAMED = "second"
SERVICE = "/services/label-studio/"
VISITOR_NOTE = "labelstudio-proxy-visitor"
REST = """rest => {
    window[Symbol.for("labelstudio-proxy.watch")].rest = rest;
}"""  # after these milliseconds without input, not after 15 minutes
CULL_SECONDS = 3


@pytest.fixture(scope="module")
def hub(hub_proxy: list[str], request: pytest.FixtureRequest) -> Iterator[JupyterHub]:
    titles = ("Named servers", "Share a server", "Label Studio alone, for a team")
    settings = "\n".join(documented(title) for title in titles)
    settings = settings.replace('"users": ["ada", "bob"]', f'"users": ["{O_BRIEN}"]')
    spawners = {
        O_BRIEN: spawner_of(documented("Label Studio alone, for each user")),
        ADA: spawner_of(documented("Label Studio first")),
    }
    yield from run(request, JupyterHub(hub_proxy, settings, spawners))


@pytest.fixture
def hub_with_hosts(hub_proxy: list[str], request: pytest.FixtureRequest) -> Iterator[JupyterHub]:
    settings = documented("A host name for each user")
    yield from run(request, JupyterHub(hub_proxy, settings, host=INSECURE_HOST))


def run(request: pytest.FixtureRequest, hub: JupyterHub) -> Iterator[JupyterHub]:
    try:
        yield hub
    finally:
        results.keep_log(request, hub.process.log)
        hub.stop()


@dataclass(frozen=True)
class Service(Server):
    """Label Studio as a service of the hub."""

    origin: str
    token: str
    prefix: str = SERVICE


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


def test_user_of_a_hub_labels_and_continues_after_a_logout_and_a_cull(
    hub: JupyterHub, new_page: Callable[..., Tab]
) -> None:
    lab, recorder = new_page()
    owner = UserServer(hub, NAMAE)
    lab.goto(hub.origin)
    log_in(lab, NAMAE)
    page = click_tile(lab)
    expect_label_studio(page)
    expect_owner(page, NAMAE)
    assert page.locator(VISITOR_NOTE).count() == 0
    with closing(LabelStudioClient(owner)) as studio:
        submit(page, studio, choose(page, owner, studio))
        failed = [each for each in recorder.exchanges if each.is_failed]
        assert not failed, failed

        folder = hub.home / NAMAE / "pictures"
        folder.mkdir()
        (folder / "1.png").write_bytes(media.png(64, 48, (200, 20, 40)))
        label_folder(lab, folder.name)
        wait_for((folder / "labels.jsonl").exists, what="the labels on disk", timeout=30)

        task = choose(page, owner, studio)
        page.evaluate(HURRY)
        page.evaluate("window.isTheSamePage = true")
        lab.goto(f"{hub.origin}/hub/logout")
        expect_card(page, "You are logged out")
        with lab.context.expect_page() as opened:
            page.get_by_role("button", name="Log in again").click()
        log_in(opened.value, NAMAE)
        expect_label_studio(opened.value)
        opened.value.close()
        expect(page.get_by_role("dialog")).not_to_be_visible(timeout=START_MS)

        page.evaluate(REST, 0)
        with events_of(owner), hub.culling(CULL_SECONDS):
            owner.wait_until_stopped()
        page.evaluate(REST, START_MS)
        page.mouse.move(1, 1)
        expect_card(page, "Your Jupyter server is not running")
        with lab.context.expect_page() as opened:
            page.get_by_role("button", name="Start the server").click()
        expect(opened.value.get_by_text("Launch Server")).to_be_visible()
        opened.value.close()
        owner.start()
        start_again(page)
        submit(page, studio, task)
        assert page.evaluate("window.isTheSamePage")


def test_a_visitor_labels_as_the_owner_and_reads_so(
    hub: JupyterHub, new_page: Callable[..., Tab]
) -> None:
    owner = UserServer(hub, NAMAE)
    owner.ensure_running()
    owner.share_with(ADA)
    page, _ = new_page()
    page.goto(owner.origin + owner.prefix)
    log_in(page, ADA)
    page.get_by_role("button", name="Authorize").click()
    expect_label_studio(page)
    note = page.locator(VISITOR_NOTE)
    expect(note).to_contain_text(f"Everyone here labels as {NAMAE}.")
    note.get_by_role("button", name="OK").click()
    with closing(LabelStudioClient(owner)) as studio:
        task = choose(page, owner, studio)
        submit(page, studio, task)
        assert note.count() == 0
        (annotation,) = studio.get(f"api/tasks/{task}").json()["annotations"]
        assert annotation["created_username"].startswith(f"{NAMAE} ")


def test_a_hub_sees_no_activity_while_a_panel_listens(hub: JupyterHub) -> None:
    ada = UserServer(hub, ADA)
    ada.ensure_running()
    with (
        closing(Http(f"{ada.origin}{ada.base_url}api/", lambda: f"token {ada.token}")) as api,
        events_of(ada) as events,
    ):
        events.state("stopped")
        assert api.post("labelstudio/start").status_code == 202
        reported = api.get("status").json()["last_activity"]  # by Jupyter, to the hub
        seen = ada.seen_by_proxy()
        events.state("ready")
        assert ada.seen_by_proxy() == seen
        for path in ("labelstudio?memory=1", "labelstudio/log", "labelstudio/projects"):
            assert api.get(path).status_code == 200
        assert api.get("status").json()["last_activity"] == reported


def test_a_named_server_leads_to_the_label_studio_of_the_first(
    hub: JupyterHub, new_page: Callable[..., Tab]
) -> None:
    first, named = UserServer(hub, ADA), UserServer(hub, ADA, NAMED)
    first.ensure_running()
    named.ensure_running()
    page, _ = new_page()
    page.goto(hub.origin)
    log_in(page, ADA)
    expect_label_studio(page)  # without a click, by the setting of the hub
    expect(page).to_have_url(re.compile(re.escape(first.prefix)))
    expect_owner(page, ADA)
    page.goto(named.origin + named.prefix)
    expect_card(page, "Label Studio is running on another server")
    expect(page.get_by_text(f"the Jupyter server at {first.base_url}")).to_be_visible()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Open it there").click()
    there = opened.value
    expect_label_studio(there)
    with closing(LabelStudioClient(first)) as studio:
        submit(there, studio, choose(there, first, studio))
    there.evaluate(HURRY)
    page.get_by_role("button", name="Take over").click()
    expect_label_studio(page)
    expect_card(there, "Label Studio runs elsewhere")
    expect(there.get_by_text("taken over by the Jupyter server at")).to_be_visible()
    with closing(LabelStudioClient(named)) as studio:
        submit(page, studio, choose(page, named, studio))


def test_hub_runs_label_studio_alone(hub: JupyterHub, new_page: Callable[..., Tab]) -> None:
    page, recorder = new_page()
    alone = UserServer(hub, O_BRIEN, below="")
    page.goto(hub.origin)
    log_in(page, O_BRIEN)
    expect_label_studio(page)
    expect_owner(page, O_BRIEN)
    assert page.locator(VISITOR_NOTE).count() == 0
    recorder.forget()
    with closing(LabelStudioClient(alone)) as studio:
        submit(page, studio, choose(page, alone, studio))
    recorder.assert_clean(alone.prefix, alone.origin)


def test_a_team_labels_with_a_service_of_the_hub(
    hub: JupyterHub, new_page: Callable[..., Tab]
) -> None:
    service = Service(hub.origin, hub.token)
    refused, _ = new_page()
    refused.goto(service.origin + service.prefix)
    log_in(refused, ADA)  # has no role for it
    expect(refused.get_by_role("heading", name="403")).to_be_visible(timeout=START_MS)
    page, recorder = new_page()
    page.goto(service.origin + service.prefix)
    log_in(page, O_BRIEN)
    expect_label_studio(page)
    expect(page.get_by_title("team@hub.example")).to_be_visible()
    note = page.locator(VISITOR_NOTE)
    expect(note).to_contain_text("Everyone here labels as team@hub.example.")
    note.get_by_role("button", name="OK").click()
    recorder.forget()
    with closing(LabelStudioClient(service)) as studio:
        submit(page, studio, choose(page, service, studio))
    recorder.assert_clean(service.prefix, service.origin)


def test_user_with_a_host_name_labels(
    hub_with_hosts: JupyterHub, new_page: Callable[..., Tab]
) -> None:
    hub = hub_with_hosts
    lab, recorder = new_page()
    lab.goto(hub.origin)
    log_in(lab, JUERGEN)
    page = click_tile(lab)
    expect_label_studio(page)
    expect_owner(page, JUERGEN)
    assert page.url.startswith(hub.origin.replace("//", "//xn--jrgen-kva."))
    failed = [each for each in recorder.exchanges if each.is_failed]
    assert not failed, failed
    folder = hub.home / JUERGEN / "pictures"
    folder.mkdir()
    (folder / "1.png").write_bytes(media.png(64, 48, (200, 20, 40)))
    label_folder(lab, folder.name)
    wait_for((folder / "labels.jsonl").exists, what="the labels on disk", timeout=30)
