"""A Jupyter whose Label Studio runs in a container, and what users do in that Label Studio."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from docker.models.containers import Container

from . import media
from .containers import container_of
from .engine import Engine
from .http import Http
from .jupyter import JupyterLab, LabelStudioClient
from .processes import pids_that_mention, wait_for

UPLOADED = media.png(colour=(200, 0, 0))
LOCAL = media.png(colour=(0, 0, 200))


@dataclass
class Studio:
    """A Jupyter, its Label Studio, and the engine of the container."""

    engine: Engine
    jupyter: JupyterLab
    client: LabelStudioClient
    data_dir: Path
    notebooks: Path
    first: dict[str, Any] = field(default_factory=dict)  # the snapshot after the first start

    @property
    def container(self) -> Container:
        return container_of(self.engine, self.data_dir)

    @property
    def owner(self) -> str:
        """The email of the account."""
        return str(json_of(self.client.get("api/current-user/whoami"))["email"])

    def is_running(self) -> bool:
        """Return True if the container runs."""
        return bool(self.container.attrs["State"]["Running"])

    def start(self) -> dict[str, Any]:
        self.client.start()
        return self.client.wait_ready()

    def stop(self) -> dict[str, Any]:
        self.client.post("_proxy/stop")
        return self.client.wait_for_state("stopped")


Begin = Callable[..., Studio]  # starts a Jupyter on the test's data directory, with settings


def kill_gateway(jupyter: JupyterLab) -> None:
    """Kill the gateway; Jupyter starts another one at the next request."""
    pid = jupyter.gateway_pid
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: pid not in pids_that_mention(jupyter.home), what="the end of the gateway")


def crash(jupyter: JupyterLab) -> None:
    """Kill Jupyter and the gateway at once, so that neither can react."""
    pids = [jupyter.process.pid, jupyter.gateway_pid]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            os.kill(pid, number)
    jupyter.stop()


def assert_whole(data_dir: Path) -> None:
    """Check the integrity of the database."""
    with contextlib.closing(sqlite3.connect(data_dir / "label_studio.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# ---- projects, tasks, annotations


def notebook_folder(path: Path) -> Path:
    """Make a notebook folder with a picture in it."""
    (path / "pictures").mkdir(parents=True)
    (path / "pictures" / "local.png").write_bytes(LOCAL)
    return path


def json_of(response: requests.Response) -> Any:
    assert response.status_code in {200, 201}, f"{response.url}: {response.text[:2000]}"
    return response.json()


def new_project(http: Http, title: str) -> int:
    made = http.post("api/projects", json={"title": title, "label_config": media.BOXES})
    return int(json_of(made)["id"])


def titles(http: Http) -> set[str]:
    return {project["title"] for project in json_of(http.get("api/projects"))["results"]}


def tasks_of(http: Http, project: int) -> list[dict[str, Any]]:
    path = f"api/tasks?project={project}&fields=all"
    tasks: list[dict[str, Any]] = json_of(http.get(path))["tasks"]
    return tasks


def upload(http: Http, project: int) -> None:
    files = {"uploaded.png": ("uploaded.png", UPLOADED)}
    json_of(http.post(f"api/projects/{project}/import", files=files))


def import_local_files(http: Http, project: int, notebooks: Path) -> None:
    """Import the picture of the notebook folder by a storage with its path."""
    storage = {
        "project": project,
        "path": str(notebooks / "pictures"),
        "regex_filter": r".*\.png",
        "use_blob_urls": True,
    }
    number = json_of(http.post("api/storages/localfiles", json=storage))["id"]
    json_of(http.post(f"api/storages/localfiles/{number}/sync"))


def annotate(http: Http, project: int) -> None:
    for task in tasks_of(http, project):
        json_of(http.post(f"api/tasks/{task['id']}/annotations/", json={"result": [media.BOX]}))


def picture_of(http: Http, task: dict[str, Any]) -> bytes:
    response = http.get(task["data"]["image"])
    assert response.status_code == 200, response.text[:2000]
    return response.content


def exported_pictures(http: Http, project: int) -> list[bytes]:
    """Return the pictures of an export with images."""
    options = {"exportType": "COCO_WITH_IMAGES", "download_all_tasks": "true"}
    answer = http.get(f"api/projects/{project}/export", params=options)
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return [archive.read(name) for name in archive.namelist() if name.endswith(".png")]


def everything(http: Http) -> dict[str, Any]:
    """All that users have made."""
    projects = json_of(http.get("api/projects"))["results"]
    tasks = [task for project in projects for task in tasks_of(http, project["id"])]
    return {
        "owner": json_of(http.get("api/current-user/whoami"))["email"],
        "projects": [(project["title"], project["label_config"]) for project in projects],
        "tasks": [task["data"] for task in tasks],
        "annotations": [[each["result"] for each in task["annotations"]] for task in tasks],
        "pictures": [picture_of(http, task) for task in tasks],
    }
