"""Label Studio that ends in use comes back, with every annotation that it has acknowledged."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from support.desk import Desk, text_of
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import (
    again_and_again,
    command_line,
    cpu_seconds,
    pids_that_mention,
    wait_for,
)

from labelstudio_proxy.data_directory.directory import PROXY_FOLDER

BACK_SECONDS = 15
STOP_SECONDS = 10
SLOW_SECONDS = 240
KILLS = 50
CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="choice" toName="text">'
    '<Choice value="yes"/><Choice value="no"/></Choices></View>'
)
# An extension of Jupyter's that sends Jupyter a SIGTERM as a file appears in its home.
SIGNALS_ITSELF = """
import os, pathlib, signal, weakref
from tornado.ioloop import PeriodicCallback

class Thing: pass

def _load_jupyter_server_extension(app):
    def look():
        if (pathlib.Path.home() / "now").exists():
            ticks.stop()
            thing = Thing()
            wait = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGTERM))
            del thing
    ticks = PeriodicCallback(look, 50)
    ticks.start()
"""
RESULT = [{"from_name": "choice", "to_name": "text", "type": "choices"}]


@dataclass
class Annotator:
    """A user who annotates one task; keeps the ids that Label Studio acknowledged."""

    studio: LabelStudioClient
    project: int
    task: int
    acknowledged: list[int] = field(default_factory=list)

    def annotate(self, choice: str = "yes") -> requests.Response:
        result = [RESULT[0] | {"value": {"choices": [choice]}}]
        answer = self.studio.post(f"api/tasks/{self.task}/annotations/", json={"result": result})
        if answer.status_code == 201:
            self.acknowledged.append(answer.json()["id"])
        return answer

    def at_work(self) -> contextlib.AbstractContextManager[None]:
        """Annotate all the while, whatever becomes of it."""

        def work() -> None:
            with contextlib.suppress(requests.RequestException):
                self.annotate()

        return again_and_again(work, pause=0.01)

    def wait_for_another(self) -> None:
        """Wait until one more annotation is acknowledged."""
        known = len(self.acknowledged)
        wait_for(lambda: len(self.acknowledged) > known, what="a success")


class SlowBody:
    """A task to import, of which a byte comes each second."""

    def __init__(self) -> None:
        self._rest = json.dumps([{"text": "a" * SLOW_SECONDS}]).encode()

    def __len__(self) -> int:
        return len(self._rest)

    def read(self, _size: int = -1) -> bytes:
        time.sleep(1)
        part, self._rest = self._rest[:1], self._rest[1:]
        return part


@pytest.fixture
def jupyter(jupyter_lab: Callable[..., JupyterLab], data_dir: Path) -> JupyterLab:
    return jupyter_lab(config={"data_dir": str(data_dir), "backend": "process"})


@pytest.fixture
def studio(
    jupyter: JupyterLab, label_studio_client: Callable[[JupyterLab], LabelStudioClient]
) -> LabelStudioClient:
    studio = label_studio_client(jupyter)
    studio.wait_ready()
    return studio


@pytest.fixture
def annotator(studio: LabelStudioClient) -> Annotator:
    made = studio.post("api/projects/", json={"title": "Kept", "label_config": CONFIG})
    assert made.status_code == 201, made.text
    project = made.json()["id"]
    assert studio.post(f"api/projects/{project}/import", json=[{"text": "a"}]).status_code == 201
    (task,) = studio.get(f"api/projects/{project}/tasks/").json()
    return Annotator(studio, project, task["id"])


def label_studios(jupyter: JupyterLab) -> list[int]:
    """Its processes: the first one, and the worker that is the first one's child."""
    pids = pids_that_mention(jupyter.home)
    return sorted(pid for pid in pids if "labelstudio_server.py serve" in command_line(pid))


def kill(jupyter: JupyterLab) -> None:
    """kill -9, for Label Studio and all of its processes."""
    for pid in label_studios(jupyter):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_one_that_is_killed_in_use_comes_back_with_all_annotations(
    jupyter: JupyterLab, studio: LabelStudioClient, annotator: Annotator
) -> None:
    assert annotator.annotate().status_code == 201
    begin = time.monotonic()
    kill(jupyter)
    wait_for(lambda: studio.state()["next_start"], what="the announcement", timeout=BACK_SECONDS)
    page = text_of(Desk(jupyter, studio).click())
    assert "Label Studio crashed" in page or "Starting Label Studio" in page
    early = studio.get("api/projects")
    assert early.status_code == 503
    assert early.headers["Content-Type"].startswith("application/json")
    wait_for(
        lambda: studio.state()["state"] == "ready",
        what=lambda: str(studio.state()),
        timeout=BACK_SECONDS - (time.monotonic() - begin),
    )
    state = studio.state()
    assert state["restarts"] == 1
    assert state["restart_reasons"] == {"ended": 1}
    assert 'labelstudio_restarts_total{reason="ended"} 1.0' in jupyter.get("metrics").text
    kept = studio.get(f"api/tasks/{annotator.task}/annotations/").json()
    assert [each["id"] for each in kept] == annotator.acknowledged
    assert any("Restarting it in 1 s" in line for _, line in state["log"])


def test_fifty_kills_at_random_moments_of_writing_lose_nothing(
    jupyter: JupyterLab, studio: LabelStudioClient, annotator: Annotator, data_dir: Path
) -> None:
    chance = random.Random(4711)
    with annotator.at_work():
        for _ in range(KILLS):
            annotator.wait_for_another()
            time.sleep(chance.uniform(0, 0.3))
            kill(jupyter)
            wait_for(lambda: studio.state()["state"] != "ready", what="the end to be noticed")
            studio.start()  # like a user who presses Try again
            studio.wait_for_state("ready")
    assert len(annotator.acknowledged) >= KILLS
    studio.post("_proxy/stop")
    studio.wait_for_state("stopped")
    # One that was being written may be there without having been acknowledged.
    assert set(annotator.acknowledged) <= in_database(data_dir)


def test_one_that_is_slow_or_idle_is_left_alone(
    jupyter: JupyterLab, studio: LabelStudioClient, annotator: Annotator
) -> None:
    before = label_studios(jupyter)
    project = studio.get("api/projects").json()["results"][0]["id"]

    # Nobody else asks for anything meanwhile: it waits in silence for the next byte.
    answer = studio.post(
        f"api/projects/{project}/import",
        data=SlowBody(),
        headers={"Content-Type": "application/json"},
        timeout=SLOW_SECONDS * 3,
    )
    assert answer.status_code == 201, answer.text
    assert studio.state()["restarts"] == 0
    assert label_studios(jupyter) == before


def in_database(data_dir: Path) -> set[int]:
    """The annotations in a database that nobody uses; AssertionError if it is not whole."""
    with contextlib.closing(sqlite3.connect(data_dir / "label_studio.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {number for (number,) in database.execute("SELECT id FROM task_completion")}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_of_jupyter_leaves_the_data_and_nothing_else(
    jupyter: JupyterLab, annotator: Annotator, data_dir: Path, number: signal.Signals
) -> None:
    """In ten seconds: then JupyterHub sends SIGTERM after its SIGINT, and Docker SIGKILL."""
    assert annotator.annotate().status_code == 201

    def left() -> list[Path]:
        """What is there for as long as it runs: also who has the data directory."""
        places = (
            (jupyter.home, "labelstudio-proxy-*"),
            (jupyter.home, "*.sock"),
            (jupyter.home, "jpserver-*.json"),
            (jupyter.home / "tmp", "*"),
            (data_dir / PROXY_FOLDER, "holder.json"),
        )
        found = [list(folder.rglob(kind)) for folder, kind in places]
        return [path for each in found for path in each]

    assert {path.name for path in left()} >= {"holder.json", "socket", "label-studio.sock"}
    end = time.monotonic() + STOP_SECONDS
    os.kill(jupyter.process.pid, number)
    for what, over in (
        ("Jupyter's end", lambda: jupyter.process.returncode is not None),
        ("the end of all", lambda: not pids_that_mention(jupyter.home)),
    ):
        wait_for(over, what=what, timeout=end - time.monotonic())
    assert left() == []
    assert in_database(data_dir) == set(annotator.acknowledged)
    assert not [path for path in data_dir.iterdir() if path.name.endswith("-journal")]


def test_a_gateway_that_is_killed_takes_label_studio_along_and_both_come_back(
    jupyter: JupyterLab, studio: LabelStudioClient, annotator: Annotator
) -> None:
    assert annotator.annotate().status_code == 201
    gateway, first = jupyter.gateway_pid, label_studios(jupyter)
    assert first
    os.kill(gateway, signal.SIGKILL)
    wait_for(lambda: not set(first) & set(label_studios(jupyter)), what="its end", timeout=5)
    assert studio.get("api/projects").status_code == 503
    studio.wait_for_state("ready")
    assert jupyter.gateway_pid != gateway
    assert label_studios(jupyter)
    kept = studio.get(f"api/tasks/{annotator.task}/annotations/").json()
    assert [each["id"] for each in kept] == annotator.acknowledged
    assert annotator.annotate().status_code == 201


def test_jupyter_ends_at_a_signal_that_comes_while_an_object_is_finalized(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    data_dir: Path,
    tmp_path: Path,
) -> None:
    """What a handler raises there, Python drops."""
    (tmp_path / "signals_itself.py").write_text(SIGNALS_ITSELF)
    jupyter = jupyter_lab(
        config={"data_dir": str(data_dir)},
        server_config={"ServerApp": {"jpserver_extensions": {"signals_itself": True}}},
        env={"PYTHONPATH": str(tmp_path)},
    )
    label_studio_client(jupyter).wait_ready()
    (jupyter.home / "now").touch()
    wait_for(lambda: jupyter.process.returncode is not None, what="Jupyter's end", timeout=20)
    wait_for(lambda: not pids_that_mention(jupyter.home), what="the end of all", timeout=20)
    assert "SystemExit" not in jupyter.log.read_text()


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_a_jupyter_that_is_killed_takes_all_along_within_five_seconds(
    jupyter: JupyterLab,
    studio: LabelStudioClient,
    annotator: Annotator,
    data_dir: Path,
    busy: bool,
) -> None:
    assert annotator.annotate().status_code == 201

    def ask_much() -> None:
        with contextlib.suppress(requests.RequestException):  # its end is not lived to see
            studio.post(f"api/projects/{annotator.project}/import", json=[{"text": "a"}] * 200_000)

    if busy:
        (_, worker) = label_studios(jupyter)
        before = cpu_seconds(worker)
        threading.Thread(target=ask_much, daemon=True).start()
        wait_for(lambda: cpu_seconds(worker) > before + 2, what="Label Studio at work")
    os.kill(jupyter.process.pid, signal.SIGKILL)
    wait_for(lambda: not pids_that_mention(jupyter.home), what="the end of all", timeout=5)
    assert in_database(data_dir) == set(annotator.acknowledged)
