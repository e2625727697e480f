"""A program that cleans up removes temporary folders and sockets while Label Studio runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import pids_that_mention, wait_for

LARGE = 3_000_000  # bytes; Django keeps what is smaller in memory


def test_uploads_go_on_and_a_gateway_out_of_reach_is_replaced(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    data_dir: Path,
) -> None:
    jupyter = jupyter_lab(config={"data_dir": str(data_dir), "backend": "process"})
    studio = label_studio_client(jupyter)
    studio.wait_ready()
    project = studio.post("api/projects", json={"title": "Kept"}).json()["id"]

    shutil.rmtree(jupyter.home / "tmp")
    files = {"file": ("a.png", bytes(LARGE), "image/png")}
    uploaded = studio.post(f"api/projects/{project}/import", files=files)
    assert uploaded.status_code == 201, uploaded.text
    assert uploaded.json()["task_count"] == 1
    exported = studio.get(
        f"api/projects/{project}/export", params={"exportType": "CSV", "download_all_tasks": "true"}
    )
    assert exported.status_code == 200, exported.text

    (socket,) = jupyter.home.rglob("gateway.sock")
    gateway = jupyter.gateway_pid
    shutil.rmtree(socket.parent)
    wait_for(socket.exists, what="the socket")
    assert studio.state()["restarts"] == 0
    assert jupyter.gateway_pid == gateway

    shutil.rmtree(socket.parent)
    socket.parent.touch()  # so the gateway cannot make it again
    restarted = jupyter.post("api/labelstudio/restart")
    assert restarted.status_code == 202
    assert restarted.json()["state"] != "stopped"
    studio.wait_for_state("ready")
    assert jupyter.gateway_pid != gateway
    assert studio.get(f"api/projects/{project}").json()["task_number"] == 1
    wait_for(lambda: len(list(jupyter.home.rglob("label-studio.sock"))) == 1, what="one to run")

    def beginning() -> list[Path]:
        """Return the folder in which a Label Studio that loads will listen."""
        folders = [each for each in jupyter.home.rglob("labelstudio-proxy-*") if each.is_dir()]
        return [each for each in folders if not [*each.iterdir()] and pids_that_mention(each)]

    studio.post("_proxy/restart")
    studio.wait_for_state("starting")  # before, the folder of the earlier one is there
    wait_for(beginning, what="the start of Label Studio", pause=0.05)
    shutil.rmtree(beginning()[0])
    studio.wait_for_state("ready", timeout=60)
    assert studio.state()["restart_reasons"] == {"asked": 1}
