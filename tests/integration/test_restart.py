"""Label Studio restarts after a crash, with every annotation that it has acknowledged."""

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
from support.gateway import IMPATIENT, STALL_SECONDS
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
# Longer than gunicorn's default time-out and than every other limit on the way, but for that of a
# body that stalls, which IMPATIENT makes shorter.
SLOW_SECONDS = 40
BYTE_SECONDS = 0.5
KILLS = 10
CTRL_C = b"\x03"
CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="choice" toName="text">'
    '<Choice value="yes"/><Choice value="no"/></Choices></View>'
)
# An extension of Jupyter that sends Jupyter a SIGTERM when a file appears in its home.
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
        """Annotate without a break, and ignore failures."""

        def work() -> None:
            with contextlib.suppress(requests.RequestException):
                self.annotate()

        return again_and_again(work, pause=0.01)

    def wait_for_more(self, count: int) -> None:
        """Wait until `count` more annotations are acknowledged."""
        enough = len(self.acknowledged) + count
        wait_for(lambda: len(self.acknowledged) >= enough, what="annotations")


class SlowBody:
    """A task to import that takes SLOW_SECONDS to send, byte by byte."""

    def __init__(self) -> None:
        self._rest = json.dumps([{"text": "a" * int(SLOW_SECONDS / BYTE_SECONDS)}]).encode()

    def __len__(self) -> int:
        return len(self._rest)

    def read(self, _size: int = -1) -> bytes:
        time.sleep(BYTE_SECONDS)
        part, self._rest = self._rest[:1], self._rest[1:]
        return part


@pytest.fixture
def terminal() -> bool:
    """Whether Jupyter runs in a terminal; a parameter of a test."""
    return False


@pytest.fixture
def jupyter(jupyter_lab: Callable[..., JupyterLab], data_dir: Path, terminal: bool) -> JupyterLab:
    config = {"data_dir": str(data_dir), "backend": "process"}
    return jupyter_lab(config=config, terminal=terminal)


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
    """Return its processes: gunicorn's arbiter, and its child, the worker."""
    pids = pids_that_mention(jupyter.home)
    return sorted(pid for pid in pids if "labelstudio_server.py serve" in command_line(pid))


def kill(jupyter: JupyterLab) -> None:
    """Send SIGKILL to all processes of Label Studio."""
    for pid in label_studios(jupyter):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_label_studio_restarts_after_a_kill_with_all_annotations(
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


def test_ten_kills_at_random_moments_of_writing_lose_nothing(
    jupyter: JupyterLab, studio: LabelStudioClient, annotator: Annotator, data_dir: Path
) -> None:
    chance = random.Random(4711)
    with annotator.at_work():
        for _ in range(KILLS):
            annotator.wait_for_more(chance.randint(1, 8))
            kill(jupyter)
            wait_for(
                lambda: studio.state()["state"] != "ready",
                what="the crash to be noticed",
                pause=0.05,
            )
            studio.start()  # like a user who presses Try again
            studio.wait_for_state("ready")
    assert len(annotator.acknowledged) >= KILLS
    studio.post("_proxy/stop")
    studio.wait_for_state("stopped")
    # The last one before a kill may be there although it was not acknowledged.
    assert set(annotator.acknowledged) <= in_database(data_dir)


def test_slow_request_is_not_cut_off(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    data_dir: Path,
) -> None:
    config = {"data_dir": str(data_dir), "backend": "process"}
    jupyter = jupyter_lab(config=config, env=IMPATIENT)
    studio = label_studio_client(jupyter)
    studio.wait_ready()
    before = label_studios(jupyter)
    made = studio.post("api/projects/", json={"title": "Slow", "label_config": CONFIG})
    project = made.json()["id"]
    assert SLOW_SECONDS > 10 * STALL_SECONDS
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
    """Return the annotations in a database; AssertionError if it is damaged."""
    with contextlib.closing(sqlite3.connect(data_dir / "label_studio.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {number for (number,) in database.execute("SELECT id FROM task_completion")}


def left(jupyter: JupyterLab, data_dir: Path) -> list[Path]:
    """Return the files that exist only while Jupyter and Label Studio run."""
    places = (
        (jupyter.home, "labelstudio-proxy-*"),
        (jupyter.home, "*.sock"),
        (jupyter.home, "jpserver-*.json"),
        (jupyter.home, "kernel-*.json"),
        (jupyter.home / "tmp", "*"),
        (data_dir / PROXY_FOLDER, "holder.json"),
    )
    found = [list(folder.rglob(kind)) for folder, kind in places]
    return [path for each in found for path in each]


def assert_ends_cleanly(jupyter: JupyterLab, annotator: Annotator, data_dir: Path) -> None:
    """Wait for the end of Jupyter, the gateway, Label Studio and kernels, with all data kept.

    Within ten seconds: then JupyterHub sends SIGTERM after SIGINT, and Docker SIGKILL.
    """
    end = time.monotonic() + STOP_SECONDS
    for what, over in (
        ("Jupyter's end", lambda: jupyter.process.returncode is not None),
        ("the end of all", lambda: not pids_that_mention(jupyter.home)),
    ):
        wait_for(over, what=what, timeout=end - time.monotonic())
    assert left(jupyter, data_dir) == []
    assert in_database(data_dir) == set(annotator.acknowledged)
    assert not [path for path in data_dir.iterdir() if path.name.endswith("-journal")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_of_jupyter_leaves_the_data_and_nothing_else(
    jupyter: JupyterLab, annotator: Annotator, data_dir: Path, number: signal.Signals
) -> None:
    assert annotator.annotate().status_code == 201
    names = {path.name for path in left(jupyter, data_dir)}
    assert names >= {"holder.json", "gateway.sock", "label-studio.sock"}
    os.kill(jupyter.process.pid, number)
    assert_ends_cleanly(jupyter, annotator, data_dir)


@pytest.mark.parametrize("terminal", [True])
def test_ctrl_c_asks_first_and_a_second_one_stops_all(
    jupyter: JupyterLab, studio: LabelStudioClient, annotator: Annotator, data_dir: Path
) -> None:
    """The terminal sends it to Jupyter and to the gateway."""
    jupyter.post("api/kernels", json={"name": "python3"}).raise_for_status()
    assert annotator.annotate().status_code == 201
    before = sorted(pids_that_mention(jupyter.home))

    def log() -> str:
        return jupyter.log.read_text()

    jupyter.process.type(CTRL_C)
    wait_for(lambda: "Shut down this Jupyter server (y/[n])?" in log(), what="the question")
    jupyter.process.type(b"n\n")
    wait_for(lambda: "resuming operation" in log(), what=log)
    assert annotator.annotate().status_code == 201
    assert studio.state()["restarts"] == 0
    assert sorted(pids_that_mention(jupyter.home)) == before
    jupyter.process.type(CTRL_C)
    wait_for(lambda: log().count("Shut down this Jupyter server") == 2, what="the question")
    jupyter.process.type(CTRL_C)
    assert_ends_cleanly(jupyter, annotator, data_dir)


def test_killed_gateway_ends_label_studio_and_both_restart(
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


def test_jupyter_stops_at_a_signal_during_the_finalizer_of_an_object(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    data_dir: Path,
    tmp_path: Path,
) -> None:
    """Python ignores what a signal handler raises there."""
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
def test_killed_jupyter_leaves_no_process_after_five_seconds(
    jupyter: JupyterLab,
    studio: LabelStudioClient,
    annotator: Annotator,
    data_dir: Path,
    busy: bool,
) -> None:
    assert annotator.annotate().status_code == 201

    def import_many() -> None:
        with contextlib.suppress(requests.RequestException):  # the server is killed meanwhile
            studio.post(f"api/projects/{annotator.project}/import", json=[{"text": "a"}] * 200_000)

    if busy:
        (_, worker) = label_studios(jupyter)
        before = cpu_seconds(worker)
        threading.Thread(target=import_many, daemon=True).start()
        wait_for(lambda: cpu_seconds(worker) > before + 2, what="Label Studio at work")
    os.kill(jupyter.process.pid, signal.SIGKILL)
    wait_for(lambda: not pids_that_mention(jupyter.home), what="the end of all", timeout=5)
    assert in_database(data_dir) == set(annotator.acknowledged)
    assert not list(jupyter.home.rglob("labelstudio-proxy-*"))
