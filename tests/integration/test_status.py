"""Label Studio's state in Jupyter's own API, its metrics and its log."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import command_line, pids_that_mention, wait_for

from labelstudio_proxy.shell_command import shell_command
from labelstudio_proxy.snapshot import State

API = "api/labelstudio"
# Jupyter itself responds to OPTIONS, without credentials, for CORS
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
COMMANDS = ["start", "stop", "restart"]
READ = ["", "/events", "/log", "/projects", "/projects/1/formats"]
WRITE = [*(f"/{command}" for command in COMMANDS), "/source", "/projects", "/projects/1/export"]


@pytest.fixture(scope="module")
def data_directory(new_data_dir: Callable[[], Path]) -> Path:
    return new_data_dir()


@pytest.fixture(scope="module")
def jupyter(module_jupyter_lab: Callable[..., JupyterLab], data_directory: Path) -> JupyterLab:
    return module_jupyter_lab(base_url="/user/alice/", config={"data_dir": str(data_directory)})


@pytest.fixture(scope="module")
def untouched(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    """A Jupyter in which no gateway starts: simpervisor would restart it."""
    return module_jupyter_lab(base_url="/user/bob/", config={"data_dir": str(new_data_dir())})


def gateways(jupyter: JupyterLab) -> list[int]:
    return [
        pid
        for pid in pids_that_mention(jupyter.home)
        if " serve --unix-socket" in command_line(pid)
    ]


def state(jupyter: JupyterLab) -> dict[str, Any]:
    answer = jupyter.get(API)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("application/json")
    found: dict[str, Any] = answer.json()
    return found


def until(jupyter: JupyterLab, wanted: str) -> dict[str, Any]:
    def reached() -> dict[str, Any] | None:
        found = state(jupyter)
        assert found["state"] != "failed", found
        return found if found["state"] == wanted else None

    return wait_for(reached, what=f"Label Studio {wanted}", timeout=120)


def metrics(jupyter: JupyterLab) -> dict[str, float]:
    """Return the metrics of labelstudio-proxy, by `name` or `name{label}`."""
    answer = jupyter.request("GET", "metrics", timeout=10)
    assert answer.status_code == 200
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            if sample.name.startswith("labelstudio_"):
                label = "".join(f"{{{value}}}" for value in sample.labels.values())
                found[sample.name + label] = sample.value
    return found


def current_state(found: dict[str, float]) -> list[str]:
    return [each.value for each in State if found[f"labelstudio_state{{{each.value}}}"] == 1]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", [f"{API}{path}" for path in dict.fromkeys([*READ, *WRITE])])
def test_without_credentials_nothing_is_shown_and_nothing_starts(
    untouched: JupyterLab, method: str, path: str
) -> None:
    for headers in ({}, {"Authorization": "token wrong"}, {"Cookie": "username-x=y"}):
        refused = untouched.request(method, path, anonymous=True, headers=headers)
        assert refused.status_code in {302, 403, 405}, refused.text
        assert "data_dir" not in refused.text
    assert not gateways(untouched)


def test_reading_the_state_starts_neither_gateway_nor_label_studio(
    jupyter: JupyterLab, data_directory: Path
) -> None:
    assert not gateways(jupyter)
    found = state(jupyter)
    assert found["state"] == "stopped"
    assert found["data_dir"] == str(data_directory)
    assert found["prefix"] == jupyter.prefix
    assert current_state(metrics(jupyter)) == ["stopped"]
    for command in COMMANDS:
        assert jupyter.get(f"{API}/{command}").status_code == 405
    stopped = jupyter.post(f"{API}/stop")
    assert (stopped.status_code, stopped.json()["state"]) == (202, "stopped")
    assert not gateways(jupyter)


def test_the_command_line_starts_label_studio_with_nothing_running(
    jupyter: JupyterLab, data_directory: Path, tmp_path: Path
) -> None:
    runtime = jupyter.home / "run" / "jupyter"
    env = {"HOME": str(jupyter.home), "JUPYTER_RUNTIME_DIR": str(runtime), "PATH": "/usr/bin:/bin"}
    browser, shown = tmp_path / "browser", tmp_path / "shown"
    browser.write_text(f'#!/bin/sh\necho "$@" >{shown}\n')
    browser.chmod(0o755)

    def text(words: str) -> str:
        """Return what a command prints, typed where the PATH has nothing of Python."""
        command = ["/bin/sh", "-c", shell_command(f"labelstudio-proxy {words}")]
        return subprocess.check_output(
            command, env=env | {"BROWSER": str(browser)}, text=True, timeout=120
        )

    def run(words: str) -> Any:
        return json.loads(text(f"{words} --json"))

    address = f"{jupyter.url}labelstudio/"
    stopped = run("status")
    assert (stopped["state"], stopped["data_dir"]) == ("stopped", str(data_directory))
    assert not gateways(jupyter)
    started = run("start")
    assert started["state"] == "ready"
    status = run("status")
    assert started["started_at"] <= status["since"] <= status["now"]
    assert status["memory"] > 50e6
    assert re.search(
        rf"address: +{re.escape(status['address'])}\n +since: .*\n +memory: +\d+ MB\n",
        text("status"),
    )
    for opened in (run("open")["address"], f"{status['address']}?token={jupyter.token}"):
        assert re.sub("localhost", "127.0.0.1", opened) == f"{address}?token={jupyter.token}"
    assert shown.read_text() == f"{status['address']}\n"  # every user sees a browser's arguments
    assert run("stop")["state"] == "stopped"


def test_started_restarted_and_stopped_with_state_log_and_metrics(
    jupyter: JupyterLab,
    data_directory: Path,
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
) -> None:
    started = jupyter.post(f"{API}/start")
    assert started.status_code == 202
    assert started.json()["state"] in {"preparing", "starting"}
    ready = until(jupyter, "ready")
    told = label_studio_client(jupyter).state()
    changing = {"now", "log"}
    assert {k: v for k, v in ready.items() if k not in changing} == {
        **{k: v for k, v in told.items() if k not in changing},
        "data_dir": str(data_directory),
        "prefix": jupyter.prefix,
        "new_browser_tab": True,
    }
    before = metrics(jupyter)
    assert current_state(before) == ["ready"]
    assert before["labelstudio_start_seconds"] == ready["ready_after"]
    database = data_directory / "label_studio.sqlite3"
    assert before["labelstudio_database_bytes"] == database.stat().st_size

    # reading the state is no activity
    label_studio_client(jupyter).state()
    looked = metrics(jupyter).get("labelstudio_last_activity_timestamp_seconds")
    assert looked == before.get("labelstudio_last_activity_timestamp_seconds")
    assert label_studio_client(jupyter).get("api/projects").status_code == 200
    worked = metrics(jupyter)["labelstudio_last_activity_timestamp_seconds"]
    assert worked >= ready["started_at"]
    assert worked > (looked or 0)

    assert jupyter.post(f"{API}/restart").status_code == 202
    wait_for(
        lambda: state(jupyter)["restarts"] == 1 and state(jupyter)["state"] == "ready",
        what="the restart",
        timeout=120,
    )
    assert metrics(jupyter)["labelstudio_restarts_total{asked}"] == 1

    assert jupyter.post(f"{API}/stop").status_code == 202
    until(jupyter, "stopped")
    assert current_state(metrics(jupyter)) == ["stopped"]
    log = jupyter.log.read_text()
    for command in COMMANDS:
        assert f"Label Studio ({data_directory}): {command}, by Jupyter's API" in log
        assert f"Label Studio ({data_directory}): {command}, by a button, a command" in log
    assert re.search(rf"Label Studio \({re.escape(str(data_directory))}\) is ready after", log)
    assert jupyter.token not in log.replace(
        f"token={jupyter.token}", "", 2
    )  # Jupyter's address in its log


def test_a_cookie_changes_nothing_without_jupyters_xsrf_token(untouched: JupyterLab) -> None:
    jupyter = untouched
    with requests.Session() as browser:
        browser.trust_env = False
        browser.get(f"{jupyter.url}login", params={"token": jupyter.token})
        assert browser.get(f"{jupyter.url}{API}").json()["state"] == "stopped"
        stop = f"{jupyter.url}{API}/start"
        assert browser.post(stop).status_code == 403
        assert browser.post(stop, headers={"X-XSRFToken": "wrong"}).status_code == 403
        evil = {"Origin": "https://evil.example", "X-XSRFToken": browser.cookies["_xsrf"]}
        assert browser.post(stop, headers=evil).status_code in {403, 404}
        assert not gateways(jupyter)
        own = {"X-XSRFToken": browser.cookies["_xsrf"], "Origin": jupyter.origin}
        assert browser.post(f"{jupyter.url}{API}/stop", headers=own).status_code == 202


def test_jupyters_authorizer_decides(
    jupyter_lab: Callable[..., JupyterLab], tmp_path: Path
) -> None:
    (tmp_path / "readers.py").write_text(
        "from jupyter_server.auth import Authorizer\n"
        "class Readers(Authorizer):\n"
        "    def is_authorized(self, handler, user, action, resource):\n"
        "        allowed = handler.request.headers.get('Allowed')\n"
        "        return resource != 'labelstudio' or action == allowed\n"
    )
    jupyter = jupyter_lab(
        config={"data_dir": str(tmp_path / "data")},
        server_config={"ServerApp": {"authorizer_class": "readers.Readers"}},
        env={"PYTHONPATH": str(tmp_path)},
    )
    for allowed in ("read", "nothing"):
        headers = {"Allowed": allowed}
        for path in READ:
            answer = jupyter.get(f"{API}{path}", headers=headers, stream=True)
            with contextlib.closing(answer):
                assert (answer.status_code == 403) == (allowed == "nothing"), path
        for path in WRITE:
            answer = jupyter.post(f"{API}{path}", headers=headers, json={})
            assert answer.status_code == 403, path
    assert not gateways(jupyter)


def test_a_gateway_that_hangs_blocks_no_other_request(jupyter: JupyterLab) -> None:
    label_studio = LabelStudioClient(jupyter)
    assert label_studio.state()
    label_studio.close()
    (pid,) = gateways(jupyter)
    os.kill(pid, signal.SIGSTOP)
    try:
        assert current_state(metrics(jupyter)) == []
        assert jupyter.get(API).status_code == 504
        assert jupyter.get("api/status").status_code == 200
    finally:
        os.kill(pid, signal.SIGCONT)
    assert current_state(metrics(jupyter)) == ["stopped"]
