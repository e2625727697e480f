"""Several Jupyter servers on one data directory: one holds it, the others name it and take over."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support import media
from support.containers import container_of, on
from support.desk import Desk, text_of
from support.engine import Engine
from support.images import LABEL_STUDIO
from support.jupyter import JupyterLab, LabelStudioClient
from support.label_studio import BareLabelStudio
from support.processes import command_line, pids_that_mention, wait_for

from labelstudio_proxy.data_directory.lock import LOCK
from labelstudio_proxy.data_directory.lock_record import RECORD, REQUEST


@dataclass
class Server:
    """A Jupyter server, and Label Studio as its user sees it."""

    jupyter: JupyterLab
    studio: LabelStudioClient

    def press(self, button: str) -> dict[str, Any]:
        """Press a button of the start page, and wait for the result."""
        headers = {"Sec-Fetch-Site": "same-origin", "Origin": self.jupyter.origin}
        assert self.studio.post(f"_proxy/{button}", headers=headers).status_code == 202
        return Desk(self.jupyter, self.studio).settle()

    def page(self) -> str:
        """Return the text of the page after a click on the tile."""
        return text_of(Desk(self.jupyter, self.studio).click())

    def annotate(self, task: int) -> int:
        made = self.studio.post(f"api/tasks/{task}/annotations/", json={"result": [media.BOX]})
        assert made.status_code == 201, made.text[:2000]
        return int(made.json()["id"])

    def annotations(self, task: int) -> list[int]:
        found = self.studio.get(f"api/tasks/{task}/annotations/").json()
        return sorted(each["id"] for each in found)


@pytest.fixture
def server(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    data_dir: Path,
) -> Callable[..., Server]:
    def make(base_url: str = "/", **options: Any) -> Server:
        options = {"config": {"data_dir": str(data_dir), "backend": "process"}} | options
        jupyter = jupyter_lab(base_url=base_url, **options)
        return Server(jupyter, label_studio_client(jupyter))

    return make


def new_task(server: Server) -> int:
    made = server.studio.post("api/projects", json={"title": "Cars", "label_config": media.BOXES})
    assert made.status_code == 201, made.text[:2000]
    project = made.json()["id"]
    task = {"image": "/data/upload/car.png"}
    assert server.studio.post(f"api/projects/{project}/import", json=[task]).status_code == 201
    (found,) = server.studio.get(f"api/projects/{project}/tasks/").json()
    return int(found["id"])


def run(*words: object) -> subprocess.CompletedProcess[str]:
    """The command line."""
    return subprocess.run(
        [sys.executable, "-m", "labelstudio_proxy", *map(str, words)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


def typed(jupyter: JupyterLab, command: str) -> str:
    """Type a command into a terminal of JupyterLab; return what is shown until it has an answer."""
    name = jupyter.post("api/terminals").json()["name"]
    address = f"{jupyter.url}terminals/websocket/{name}"
    shown = ""

    async def answer() -> None:
        nonlocal shown
        login = {"Authorization": f"token {jupyter.token}"}
        async with (
            aiohttp.ClientSession(headers=login) as session,
            session.ws_connect(address) as terminal,
        ):
            await terminal.send_json(["stdin", f"{command}\r"])
            while not re.search(r"is ready|not found|labelstudio-proxy: ", shown):
                kind, *text = await terminal.receive_json()
                shown += text[0] if kind == "stdout" else ""

    try:
        with contextlib.suppress(asyncio.TimeoutError):
            asyncio.run(asyncio.wait_for(answer(), 90))
    finally:
        jupyter.request("DELETE", f"api/terminals/{name}")
    return shown


def foreign_pids(data_dir: Path) -> list[int]:
    """Return what a gateway finds. This process cannot ask: it is the parent of all of them."""
    program = (
        "import sys; from pathlib import Path;"
        "from labelstudio_proxy.data_directory.foreign_processes import find_foreign_processes;"
        "found = find_foreign_processes(Path(sys.argv[1]));"
        "print(*[each.process.pid for each in found])"
    )
    said = subprocess.check_output([sys.executable, "-c", program, data_dir], text=True)
    return [int(pid) for pid in said.split()]


def label_studios(data_dir: Path) -> list[int]:
    """The processes of a local Label Studio on the directory."""
    pids = pids_that_mention(data_dir)
    return sorted(pid for pid in pids if "labelstudio_server.py serve" in command_line(pid))


def test_second_server_takes_over_and_the_first_takes_it_back_with_every_annotation(
    server: Callable[..., Server], data_dir: Path
) -> None:
    # As after `.venv/bin/jupyter lab`: the terminals do not find this environment's programs.
    path = {"PATH": "/usr/bin:/bin"}
    ada, gpu = server("/user/ada/"), server("/user/ada/gpu/", env=path)
    assert ada.press("start")["state"] == "ready"
    task = new_task(ada)
    kept = [ada.annotate(task)]

    refused = gpu.press("start")
    assert refused["state"] == "failed"
    assert refused["holder"]["server"] == "the Jupyter server at /user/ada/"
    assert refused["holder"]["host"] == os.uname().nodename
    assert refused["holder"]["address"] == ada.jupyter.origin + ada.jupyter.prefix
    backed_up = data_dir.parent / "kept.zip"
    assert run("backup", "--output", backed_up, "--data-dir", data_dir).returncode == 0
    with zipfile.ZipFile(backed_up) as file:
        names = {Path(name).name for name in file.namelist()}
        assert not names & {LOCK, RECORD, REQUEST}
    page = gpu.page()
    assert "is in use by the Jupyter server at /user/ada/ on the host" in page
    assert "Take over" in page
    assert "Open it there" in page
    kept.append(ada.annotate(task))
    assert foreign_pids(data_dir) == []

    command = re.search(r"In a terminal: (\S.*) --take-over", page)
    assert command
    shown = typed(gpu.jupyter, command[0].removeprefix("In a terminal: "))
    assert "Label Studio is ready" in shown
    assert gpu.annotations(task) == kept
    kept.append(gpu.annotate(task))
    # The first server says so. A click on its tile or a request of an open tab takes nothing back.
    page = ada.page()
    assert "was taken over by the Jupyter server at /user/ada/gpu/ on the host" in page
    assert "Take it back" in page
    assert ada.studio.get("api/projects").status_code == 503
    assert ada.studio.state()["state"] == "failed"
    assert len({os.getpgid(pid) for pid in label_studios(data_dir)}) == 1

    assert ada.press("take-over")["state"] == "ready"
    assert ada.annotations(task) == kept
    assert gpu.studio.state()["holder"]["action"] == "Take it back"
    with closing(sqlite3.connect(data_dir / "label_studio.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert [line for line in gpu.jupyter.log.read_text().splitlines() if "Traceback" in line] == []


def test_leftover_of_a_killed_server_is_ended_first(
    server: Callable[..., Server], data_dir: Path
) -> None:
    killed = server("/user/ada/")
    killed.press("start")
    task = new_task(killed)
    kept = [killed.annotate(task)]
    left = label_studios(data_dir)
    # So that it does not notice the end of its gateway.
    for pid in left:
        os.kill(pid, signal.SIGSTOP)
    gateways = [
        pid
        for pid in pids_that_mention(killed.jupyter.home)
        if "labelstudio_proxy serve" in command_line(pid)
    ]
    for pid in (killed.jupyter.process.pid, *gateways):
        os.kill(pid, signal.SIGKILL)

    second = server("/user/ada/gpu/")
    assert second.press("start")["state"] == "ready"
    assert not set(left) & set(label_studios(data_dir))
    assert second.annotations(task) == kept
    assert foreign_pids(data_dir) == []


def test_plain_label_studio_is_named_and_not_taken_over(
    server: Callable[..., Server],
    data_dir: Path,
    bare_label_studio: Callable[..., BareLabelStudio],
    tmp_path: Path,
) -> None:
    plain = bare_label_studio(data_dir, email="ada@example.org")
    ada = server("/user/ada/")
    for button in ("start", "take-over"):
        refused = ada.press(button)
        assert refused["state"] == "failed"
        error = refused["error"]
        assert error["what"] == f"Another Label Studio uses the data directory {data_dir}."
        assert f"process {plain.process.pid} of the user root (`" in error["why"]
        assert "label-studio start" in error["why"]
        assert f"`kill {plain.process.pid}`" in error["remedy"]
        assert refused["holder"] is None
    kept = ["--output", tmp_path / "kept.zip", "--data-dir", data_dir]
    assert run("backup", *kept).returncode == 0
    restored = run("restore", tmp_path / "kept.zip", "--data-dir", data_dir)
    assert restored.returncode == 1
    assert f"Another Label Studio uses the data directory {data_dir}." in restored.stderr
    assert plain.process.pid in foreign_pids(data_dir)
    assert plain.get("api/projects").ok
    assert not (data_dir / ".labelstudio-proxy" / "holder.json").exists()

    plain.stop()
    assert ada.press("start")["state"] == "ready"
    assert ada.studio.state()["notices"] == []


def test_foreign_container_is_found_and_our_own_is_not(
    docker_engine: Engine,
    server: Callable[..., Server],
    data_dir: Path,
) -> None:
    ours = server(root_dir=data_dir.parent, **on(docker_engine, data_dir))
    assert ours.press("start")["state"] == "ready"
    assert container_of(docker_engine, data_dir).status == "running"
    assert foreign_pids(data_dir) == []
    ours.press("stop")

    foreign = docker_engine.client.containers.run(
        LABEL_STUDIO,
        ["start", "--no-browser"],
        entrypoint="label-studio",
        user=f"{os.getuid()}:{os.getgid()}",
        environment={"LABEL_STUDIO_BASE_DATA_DIR": "/label-studio/data"},
        volumes={str(data_dir): {"bind": "/label-studio/data", "mode": "rw"}},
        detach=True,
    )
    try:
        wait_for(lambda: foreign_pids(data_dir), what=lambda: foreign.logs().decode())
        error = ours.press("start")["error"]
        assert error["what"] == f"Another Label Studio uses the data directory {data_dir}."
    finally:
        foreign.remove(force=True, v=True)
    assert ours.press("start")["state"] == "ready"
