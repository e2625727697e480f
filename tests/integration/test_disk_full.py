"""A disk fills up while users label, or before a start: the page says so, and nothing is lost."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.desk import Desk
from support.jupyter import JupyterLab, LabelStudioClient
from support.small_disk import fill, small_disk

from labelstudio_proxy.data_directory.directory import MINIMUM_FREE_BYTES

MB = 1024 * 1024
SIZE_MB = 80
CONFIG = '<View><Text name="t" value="$text"/><TextArea name="a" toName="t"/></View>'


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", SIZE_MB) as disk:
        yield disk


def test_a_full_disk_costs_no_label(
    disk: Path,
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
) -> None:
    data_dir = disk / "data"
    jupyter = jupyter_lab(config={"data_dir": str(data_dir), "backend": "process"})
    studio = label_studio_client(jupyter)
    studio.wait_ready()
    made = studio.post("api/projects/", json={"title": "Full", "label_config": CONFIG})
    assert made.status_code == 201, made.text
    project = made.json()["id"]
    assert studio.post(f"api/projects/{project}/import", json=[{"text": "a"}]).ok
    (task,) = studio.get(f"api/projects/{project}/tasks/").json()
    acknowledged: list[int] = []

    def annotate(text: str) -> str:
        """Return the error of Label Studio; empty if it acknowledged the annotation."""
        value = {"from_name": "a", "to_name": "t", "type": "textarea", "value": {"text": [text]}}
        answer = studio.post(f"api/tasks/{task['id']}/annotations/", json={"result": [value]})
        if answer.status_code == 201:
            acknowledged.append(answer.json()["id"])
            return ""
        assert answer.status_code >= 400
        return answer.text

    assert annotate("before") == ""
    ballast = fill(disk)
    said = ""
    for _ in range(100):  # pages of the database that are free take a few
        if said := annotate("x" * 20_000):
            break
    assert "The disk is full: this was not saved." in json.loads(said)["detail"]
    wish = {"source": {"kind": "list", "values": ["x" * 1000] * 100}, "labels": ["a"]}
    said = studio.post("_proxy/projects", json=wish).text.splitlines()[-1]
    assert "The disk is full: this was not saved." in json.loads(said)["error"]["what"]
    assert studio.state()["state"] == "ready"
    kept = studio.get(f"api/tasks/{task['id']}/annotations/").json()
    assert [each["id"] for each in kept] == acknowledged

    # A start reports it as well, and works after some space is free.
    studio.post("_proxy/stop")
    studio.wait_for_state("stopped")
    desk = Desk(jupyter, studio)
    desk.fails(f"The disk of the data directory {data_dir} is full.", "Free some space")
    ballast.unlink()
    assert desk.try_again()["state"] == "ready"
    assert annotate("after") == ""
    kept = studio.get(f"api/tasks/{task['id']}/annotations/").json()
    assert [each["id"] for each in kept] == acknowledged
    assert MINIMUM_FREE_BYTES < SIZE_MB * MB / 2
    studio.post("_proxy/stop")
    studio.wait_for_state("stopped")
    with contextlib.closing(sqlite3.connect(data_dir / "label_studio.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
