"""What counts as activity for Jupyter, and so for a hub: what users do, not what open pages poll."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from support.desk import NAVIGATION
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import again_and_again, pids_that_mention, wait_for

# Jupyter checks once a minute.
CULL_SECONDS = 20
LOOK_SECONDS = 60
PAGE = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}


def log_in(jupyter: JupyterLab) -> dict[str, str]:
    """The cookies of a browser."""
    login = jupyter.get("login", anonymous=True, params={"token": jupyter.token})
    return dict(login.cookies.get_dict())


@pytest.mark.parametrize("extension", ["enabled", "disabled"])
def test_open_pages_do_not_keep_jupyter_from_being_culled(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    data_dir: Path,
    extension: str,
) -> None:
    jupyter = jupyter_lab(
        config={"data_dir": str(data_dir)},
        server_config={
            "ServerApp": {"jpserver_extensions": {"labelstudio_proxy": extension == "enabled"}}
        },
    )
    studio = label_studio_client(jupyter)
    studio.wait_ready()
    cookies = log_in(jupyter)

    def moves(method: str, path: str, headers: dict[str, str]) -> bool:
        before = jupyter.get("api/status").json()["last_activity"]
        ask = {"GET": studio.get, "POST": studio.post}[method]
        assert ask(path, anonymous=True, headers=headers, cookies=cookies).ok
        after = jupyter.get("api/status").json()["last_activity"]
        return str(after) > str(before)

    assert not moves("GET", "api/projects", PAGE)
    assert not moves("GET", "_proxy/state", PAGE)
    assert moves("GET", "projects", NAVIGATION)
    assert moves("POST", "_proxy/activity", PAGE | {"Origin": jupyter.origin})


def test_jupyter_is_culled_with_open_pages_but_not_during_work(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    new_data_dir: Callable[[], Path],
) -> None:
    def start() -> JupyterLab:
        return jupyter_lab(
            config={"data_dir": str(new_data_dir())},
            server_config={"ServerApp": {"shutdown_no_activity_timeout": CULL_SECONDS}},
        )

    def asking(
        studio: LabelStudioClient, cookies: dict[str, str], method: str, path: str, **headers: str
    ) -> Callable[[], None]:
        def ask() -> None:
            with contextlib.suppress(requests.RequestException):
                answer = studio.request(
                    method, path, anonymous=True, headers=PAGE | headers, cookies=cookies
                )
                answers[studio] += answer.ok

        return ask

    # The one with activity is checked first.
    worked_with, left_open = start(), start()
    at_work, open_page = label_studio_client(worked_with), label_studio_client(left_open)
    answers = {at_work: 0, open_page: 0}
    work = asking(
        at_work, log_in(worked_with), "POST", "_proxy/activity", Origin=worked_with.origin
    )
    with again_and_again(work, pause=2):
        open_page.wait_ready()
        with again_and_again(asking(open_page, log_in(left_open), "GET", "api/projects"), pause=2):
            wait_for(
                lambda: left_open.process.returncode is not None,
                what="the end of the idle one",
                timeout=2 * LOOK_SECONDS + CULL_SECONDS,
            )
    assert left_open.process.returncode == 0
    assert "shutting down" in left_open.log.read_text()
    assert answers[open_page] > 3
    wait_for(lambda: not pids_that_mention(left_open.home), what="the end of Label Studio")
    assert worked_with.process.returncode is None
    assert answers[at_work] > answers[open_page]
