"""JupyterHub with a container for each user, as docs/hosts/jupyterhub-docker.md has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page
from support import results
from support.browser import Tab
from support.docker_hub import DockerHub
from support.engine import Engine
from support.hub_pages import (
    HURRY,
    click_tile,
    expect_card,
    expect_label_studio,
    expect_owner,
    log_in,
    start_again,
)
from support.jupyter import LabelStudioClient
from support.jupyterhub import UserServer
from support.labelling import choices, choose, submit

USER = "名前"


@pytest.fixture
def start_hub(
    docker_engine: Engine, hub_proxy: list[str], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., DockerHub]]:
    started: list[DockerHub] = []

    def start(*, beside: bool) -> DockerHub:
        started.append(DockerHub(docker_engine, hub_proxy, tmp_path, beside=beside))
        return started[-1]

    yield start
    for hub in started:
        results.keep_log(request, hub.process.log)
        hub.stop()


def open_label_studio(hub: DockerHub, page: Page) -> Page:
    """Log in, and click the tile; return the tab with Label Studio."""
    page.goto(hub.origin)
    log_in(page, USER)
    studio = click_tile(page)
    expect_label_studio(studio)
    expect_owner(studio, USER)
    return studio


def label_and_continue(hub: DockerHub, page: Page, studio: LabelStudioClient) -> None:
    """Submit a label, stop the user's server while another is chosen, and submit that one, too."""
    owner = UserServer(hub, USER)
    first = choose(page, owner, studio)
    submit(page, studio, first)
    second = choose(page, owner, studio)
    page.evaluate(HURRY)
    owner.stop()
    assert hub.containers() == []
    expect_card(page, "Your Jupyter server is not running")
    owner.start()
    start_again(page)
    submit(page, studio, second)
    assert choices(studio, first) == ["cat"]


def test_a_user_labels_with_label_studio_in_the_image(
    start_hub: Callable[..., DockerHub], new_page: Callable[..., Tab]
) -> None:
    hub = start_hub(beside=False)
    page = open_label_studio(hub, new_page().page)
    with closing(LabelStudioClient(UserServer(hub, USER))) as studio:
        label_and_continue(hub, page, studio)
    (container,) = hub.containers()
    # Docker copies the image's home folder to a new volume.
    found = container.exec_run(["find", "/home/jovyan", "!", "-user", "jovyan"])
    assert found.output == b""


def test_a_user_labels_with_label_studio_beside(
    start_hub: Callable[..., DockerHub], new_page: Callable[..., Tab]
) -> None:
    hub = start_hub(beside=True)
    page = open_label_studio(hub, new_page().page)
    owner = UserServer(hub, USER)
    with closing(LabelStudioClient(owner)) as studio:
        label_and_continue(hub, page, studio)
        task = choose(page, owner, studio)
        page.evaluate(HURRY)
        beside = hub.beside()
        (container,) = (each for each in hub.containers() if each != beside)
        container.kill()
        owner.stop()  # the hub would see it half a minute later
        assert hub.beside() == beside
        owner.start()
        start_again(page)
        submit(page, studio, task)
        assert hub.beside() == beside
