"""Projects in Jupyter's own REST API, as a front end of Jupyter asks for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from support import media
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import wait_for

API = "api/labelstudio/projects"
WISH = {"source": {"kind": "path", "path": "pets"}, "labels": ["Cat", "Dog"]}


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    jupyter = module_jupyter_lab(base_url="/user/ada/", config={"data_dir": str(new_data_dir())})
    (jupyter.root_dir / "pets").mkdir()
    (jupyter.root_dir / "pets" / "1.png").write_bytes(media.png(8, 8, (1, 2, 3)))
    return jupyter


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", [API, f"{API}/1", f"{API}/1/rows"])
def test_strangers_get_nothing_and_start_nothing(
    jupyter: JupyterLab, method: str, path: str
) -> None:
    for headers in ({}, {"Authorization": "token wrong"}):
        refused = jupyter.request(method, path, anonymous=True, headers=headers)
        assert refused.status_code in {302, 403}
    assert jupyter.get("api/labelstudio").json()["state"] == "stopped"


def test_reading_starts_nothing(jupyter: JupyterLab, label_studio_client: Any) -> None:
    stopped = jupyter.get(API)
    assert (stopped.status_code, stopped.json()["state"]) == (503, "stopped")
    client: LabelStudioClient = label_studio_client(jupyter)
    assert client.state()["state"] == "stopped"  # now with a gateway
    assert (jupyter.get(API).status_code, client.state()["state"]) == (503, "stopped")


def test_a_front_end_makes_and_reads_a_project(jupyter: JupyterLab) -> None:
    def made() -> list[Any] | None:
        answer = jupyter.post(API, json=WISH)
        if answer.status_code == 503:  # Label Studio starts
            return None
        assert answer.headers["Content-Type"].startswith("application/x-ndjson"), answer.text
        return [json.loads(line) for line in answer.text.splitlines()]

    project = wait_for(made, what="a project", timeout=300)[-1]["project"]
    assert (project["title"], project["total"]) == ("pets", 1)
    assert project["url"] == f"{jupyter.prefix}projects/{project['id']}/data?labeling=1"
    listed = jupyter.get(API).json()["projects"]
    assert [each["id"] for each in listed] == [project["id"]]
    rows = jupyter.get(f"{API}/{project['id']}/rows?unlabelled=1").text.splitlines()
    assert str(jupyter.root_dir / "pets" / "1.png") in rows[1]
    assert jupyter.get(f"{API}/4711").status_code == 404


def test_jupyter_checks_for_other_sites(jupyter: JupyterLab) -> None:
    with requests.Session() as browser:
        assert browser.get(f"{jupyter.url}api/status?token={jupyter.token}", timeout=30).ok
        assert browser.get(f"{jupyter.url}{API}", timeout=30).ok  # by its cookie
        refused = browser.post(f"{jupyter.url}{API}", json=WISH, timeout=30)
    assert refused.status_code == 403
    assert "_xsrf" in refused.text


def test_the_card_of_a_project_that_is_not_set_up_is_empty(
    jupyter: JupyterLab, studio: LabelStudioClient
) -> None:
    number = studio.post("api/projects", json={"title": "Not set up"}).json()["id"]
    found = jupyter.get(f"{API}/{number}?summary=1").json()["project"]
    assert (found["label_counts"], found["last"]) == ({}, [])
