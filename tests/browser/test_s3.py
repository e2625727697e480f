"""Objects in S3 show in the editor: through Label Studio, and by signed links."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Response, expect
from support import media
from support.browser import Tab, wait_for_colour
from support.container_studio import json_of, tasks_of
from support.jupyter import JupyterLab, LabelStudioClient
from support.s3 import S3Server, label

TIMEOUT = 30_000
BLUE = (0, 120, 200)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tmp_path_factory.mktemp("s3"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], s3: S3Server, new_data_dir: Callable[[], Path]
) -> JupyterLab:
    settings = {"aws_credentials": True, "data_dir": str(new_data_dir())}
    return module_jupyter_lab(base_url="/user/ada/", config=settings, env=s3.variables)


def open_task(tab: Tab, studio: LabelStudioClient, number: int) -> None:
    (task,) = tasks_of(studio, number)
    tab.recorder.forget()
    tab.page.goto(f"{studio.url}projects/{number}/data?task={task['id']}")


def see_picture(tab: Tab) -> None:
    picture = tab.page.get_by_alt_text("image", exact=True)
    expect(picture).to_have_js_property("naturalWidth", 64, timeout=TIMEOUT)
    wait_for_colour(tab.page.locator(".lsf-image"), BLUE, 0.8)


def test_a_picture_shows_through_the_tile_and_by_a_signed_link(
    jupyter: JupyterLab, studio: LabelStudioClient, s3: S3Server, new_page: Callable[..., Tab]
) -> None:
    s3.put("pictures/100% blue #1.png", media.png(colour=BLUE))
    number = label(studio, "pictures", ["Hot dog", "Not hot dog"])["project"]["id"]
    tab = new_page(jupyter)
    open_task(tab, studio, number)
    see_picture(tab)
    tab.recorder.assert_clean(jupyter.prefix, jupyter.origin)

    (storage,) = json_of(studio.get(f"api/storages/s3?project={number}"))
    json_of(studio.patch(f"api/storages/s3/{storage['id']}", json={"presign": True}))
    s3.check_rights(False)  # moto cannot check signed links
    tab = new_page(jupyter)  # the other has the picture in its cache
    try:
        open_task(tab, studio, number)
        see_picture(tab)
    finally:
        s3.check_rights(True)
    from_s3 = [each for each in tab.recorder.exchanges if each.url.startswith(s3.url)]
    assert from_s3
    assert {each.status for each in from_s3} == {200}
    assert all("X-Amz-Signature" in each.url for each in from_s3)


def test_a_video_is_sought_in_parts(
    jupyter: JupyterLab, studio: LabelStudioClient, s3: S3Server, new_page: Callable[..., Tab]
) -> None:
    s3.put("videos/a.webm", media.webm(60, rate=1, width=640, height=480, noise=True))
    tab = new_page(jupyter)
    number = label(studio, "videos", ["Dog", "Cat"])["project"]["id"]
    with tab.page.expect_response(is_part, timeout=TIMEOUT):
        open_task(tab, studio, number)
    player: Locator = tab.page.locator("video").last
    expect(player).to_have_js_property("duration", 60, timeout=TIMEOUT)
    tab.recorder.assert_clean(jupyter.prefix, jupyter.origin)


def is_part(response: Response) -> bool:
    return response.status == 206 and "content-range" in response.headers
