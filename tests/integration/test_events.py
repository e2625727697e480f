"""The events, the log and the activity that Jupyter's API shows to its front ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.events import events_of
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import command_line, pids_that_mention, wait_for

API = "api/labelstudio"
BASE_URL = "/user/a%40b.c/"
READS = ["", "?memory=1", "/log", "/projects", "/projects/1"]


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    return module_jupyter_lab(base_url=BASE_URL, config={"data_dir": str(new_data_dir())})


def gateways(jupyter: JupyterLab) -> list[int]:
    return [
        pid
        for pid in pids_that_mention(jupyter.home)
        if " serve --unix-socket" in command_line(pid)
    ]


def last_activity(jupyter: JupyterLab) -> str:
    found: str = jupyter.get("api/status").json()["last_activity"]
    return found


def label_one(client: LabelStudioClient, project: int) -> None:
    """Label a new item of a project, through the gateway."""
    task = client.post(f"api/projects/{project}/import", json=[{"text": "It was fine."}])
    assert task.status_code == 201, task.text
    (found,) = client.get(f"api/tasks?project={project}&fields=all").json()["tasks"]
    assert client.post(f"api/tasks/{found['id']}/annotations/", json={"result": []}).ok


def test_the_first_event_is_the_state_and_nothing_starts(jupyter: JupyterLab) -> None:
    before = last_activity(jupyter)
    with events_of(jupyter) as events:
        state = events.state("stopped")
        assert state["prefix"] == f"{BASE_URL}labelstudio/"
        assert state["new_browser_tab"] is True
        for path in READS:
            assert jupyter.get(API + path).status_code in {200, 503}
        assert jupyter.get(f"{API}/log").text == ""
    assert not gateways(jupyter)
    assert last_activity(jupyter) == before


def test_events_follow_a_start_a_label_and_a_crash_of_the_gateway(
    jupyter: JupyterLab, label_studio_client: Callable[[JupyterLab], LabelStudioClient]
) -> None:
    client = label_studio_client(jupyter)
    with events_of(jupyter) as events:
        events.state("stopped")
        assert jupyter.post(f"{API}/start").status_code == 202
        listed = events.until(lambda event: event[0] == "projects", "the projects")
        assert listed == {"projects": []}
        events.state("starting")
        assert events.state("ready")["versions"]["Label Studio"]

        config = '<View><Text name="text" value="$text"/></View>'
        made = client.post("api/projects", json={"title": "Texts", "label_config": config})
        label_one(client, made.json()["id"])
        events.until(
            lambda event: (
                event[0] == "projects"
                and [(each["title"], each["labelled"]) for each in event[1]["projects"]]
                == [("Texts", 1)]
            ),
            "the new count",
        )
        assert jupyter.get(f"{API}/projects").json()["projects"][0]["labelled"] == 1

        os.kill(jupyter.gateway_pid, signal.SIGKILL)
        events.state("stopped")
        assert jupyter.post(f"{API}/start").status_code == 202
        lines = events.until(lambda event: event[0] == "log", "the log of the new start")
        assert lines[0][0] == 1
        events.state("ready")
        assert "labelstudio-proxy: Serving\n" in jupyter.get(f"{API}/log").text

        assert jupyter.post(f"{API}/stop").status_code == 202
        events.state("stopped")
        assert not events.over
    with events_of(jupyter) as later:
        stored = later.until(lambda event: event[0] == "projects", "the projects of a stopped one")
        assert [each["labelled"] for each in stored["projects"]] == [1]


def test_reading_is_no_activity(
    jupyter: JupyterLab, label_studio_client: Callable[[JupyterLab], LabelStudioClient]
) -> None:
    label_studio_client(jupyter).wait_ready()
    before = last_activity(jupyter)
    with events_of(jupyter) as events:
        events.state("ready")
        for path in READS:
            assert jupyter.get(API + path).ok, path
        assert jupyter.get(f"{API}?memory=1").json()["memory"] > 50e6
        assert "memory" not in jupyter.get(API).json()
    assert last_activity(jupyter) == before
    assert jupyter.post(f"{API}/start").status_code == 202
    assert last_activity(jupyter) > before


def test_events_end_when_the_client_leaves(jupyter: JupyterLab) -> None:
    assert jupyter.post(f"{API}/start").status_code == 202
    gateway = psutil.Process(jupyter.gateway_pid)

    def connections() -> int:
        return len(gateway.net_connections("unix"))

    with events_of(jupyter) as events:
        events.until(lambda event: event[0] == "projects", "both streams of the gateway")
        listening = connections()
    wait_for(lambda: connections() <= listening - 2, what="the end of both connections", timeout=5)


def test_the_idle_stop_comes_while_a_panel_listens_which_ends_with_jupyter(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    data_dir: Path,
) -> None:
    jupyter = jupyter_lab(config={"data_dir": str(data_dir), "idle_timeout": 3})
    client = label_studio_client(jupyter)
    client.wait_ready()
    with events_of(jupyter) as events:
        assert "used it" in events.until(_stopped_because, "the idle stop")["stopped_because"]
        jupyter.stop()  # fails if it takes long
        wait_for(lambda: events.over, what="the end of the events", timeout=5)


def _stopped_because(event: tuple[str, Any]) -> object:
    return event[0] == "state" and event[1]["state"] == "stopped" and event[1]["stopped_because"]
