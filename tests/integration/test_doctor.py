"""`labelstudio-proxy doctor` and *Copy diagnostics*, through a real Jupyter below a base URL."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.gateway import stand_in
from support.jupyter import JupyterLab
from support.processes import command_line, pids_that_mention, wait_for

BASE_URL = "/user/a%40b.c/"
SECRET = "hunter22"


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab],
    new_data_dir: Callable[[], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> JupyterLab:
    """A Jupyter whose command line names the data directory, with the echo as Label Studio."""
    data_dir = new_data_dir()
    data_dir.chmod(0o700)
    echo = stand_in(tmp_path_factory.mktemp("echo"))
    return module_jupyter_lab(
        base_url=BASE_URL,
        config={"label_studio": str(echo), "environment": {"POSTGRE_PASSWORD": SECRET}},
        server_config={"ServerApp": {"allow_remote_access": True}},
        argv=[f"--LabelStudioProxy.data_dir={data_dir}"],
    )


def doctor(jupyter: JupyterLab, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a terminal of Jupyter's user."""
    return subprocess.run(
        [sys.executable, "-m", "labelstudio_proxy", "doctor", *arguments],
        env=jupyter.environment,
        check=False,
        capture_output=True,
        text=True,
    )


def checks(done: subprocess.CompletedProcess[str]) -> dict[str, list[dict[str, Any]]]:
    assert done.stderr == ""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in json.loads(done.stdout)["checks"]:
        found.setdefault(each["subject"], []).append(each)
    return found


def without_time(text: str) -> list[str]:
    """Return the lines without the time, and without what changes from one second to the next."""
    heading, *lines = text.splitlines()
    return [
        heading.partition(" at 20")[0],
        *(line for line in lines if " Clock: " not in line and " Space: " not in line),
    ]


def test_the_running_server_is_asked_and_nothing_starts(jupyter: JupyterLab) -> None:
    found = checks(doctor(jupyter, "--json"))
    servers = found["Jupyter server"]
    assert any(f"base URL {BASE_URL}): Label Studio is stopped" in each["what"] for each in servers)
    # the command line of Jupyter is not known to a terminal
    assert any("uses the data directory" in each["what"] for each in servers)
    gateways = [
        pid for pid in pids_that_mention(jupyter.home) if " serve --unix" in command_line(pid)
    ]
    assert gateways == []


def test_the_checks_run_in_the_gateway_and_the_diagnostics_begin_with_them(
    jupyter: JupyterLab,
) -> None:
    assert jupyter.post("api/labelstudio/start").status_code == 202
    wait_for(
        lambda: jupyter.get("api/labelstudio").json()["state"] != "preparing", what="the gateway"
    )
    done = doctor(jupyter)
    assert done.stdout.startswith("labelstudio-proxy ")
    assert f"checked in the gateway at {BASE_URL}labelstudio/ at " in done.stdout
    assert f"(base URL {BASE_URL}): Label Studio is " in done.stdout
    assert f"requests for {BASE_URL}labelstudio/ reach it" in done.stdout
    assert "Holder: this server" in done.stdout
    assert "uses the data directory /" not in done.stdout
    assert "environment = names POSTGRE_PASSWORD" in done.stdout
    text = jupyter.get("labelstudio/_proxy/diagnostics").text
    checked, _, rest = text.partition("\n\n")
    assert without_time(checked) == without_time(done.stdout)
    assert '"state": "' in rest
    assert "log (last" in rest
    assert SECRET not in done.stdout + text


def test_a_proxy_that_changes_host_is_found(jupyter: JupyterLab) -> None:
    arrived = {"Origin": "https://hub.example", "X-Forwarded-Proto": "https"}
    jupyter.get("labelstudio/_proxy/state", headers=arrived | {"Host": "hub.example"})
    (found,) = checks(doctor(jupyter, "--json"))["Proxy headers"]
    assert found["severity"] == "ok"
    assert "opened https://hub.example, and Host was hub.example" in found["what"]
    assert "X-Forwarded-Proto https" in found["what"]
    assert jupyter.get("labelstudio/_proxy/state", headers=arrived).status_code == 200
    done = doctor(jupyter, "--json")
    (found,) = checks(done)["Proxy headers"]
    assert found["severity"] == "warning"
    assert "proxy_set_header Host" in found["remedy"]
    assert done.returncode == 3
