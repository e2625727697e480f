"""A container after a crash of its gateway: adopted, replaced, or stopped. In Docker."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.container_studio import (
    Begin,
    Studio,
    assert_whole,
    crash,
    json_of,
    kill_gateway,
    new_project,
    notebook_folder,
    titles,
)
from support.containers import (
    containers_of,
    on,
    volume_of,
    volumes,
)
from support.engine import Engine
from support.jupyter import JupyterLab, LabelStudioClient
from support.label_studio import EXECUTABLE
from support.processes import clean_environment, wait_for

from labelstudio_proxy.backends.docker.container_spec import (
    ORPHAN_VARIABLE,
    ORPHAN_WORDS,
)
from labelstudio_proxy.data_directory.directory import DataDirectory

OWNER = "ada@example.org"
ORPHAN_SECONDS = 5.0  # after which a container without a gateway stops


@pytest.fixture(scope="module")
def engine(docker_engine: Engine) -> Engine:
    return docker_engine


@pytest.fixture(scope="module")
def made(
    engine: Engine,
    module_jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path_factory: pytest.TempPathFactory,
) -> Studio:
    folder = tmp_path_factory.mktemp("adoption")
    notebooks, data_dir = notebook_folder(folder / "notebooks"), folder / "data"
    jupyter = module_jupyter_lab(root_dir=notebooks, **on(engine, data_dir, owner_email=OWNER))
    client = label_studio_client(jupyter)
    client.wait_ready()
    return Studio(engine, jupyter, client, data_dir, notebooks, client.state())


@pytest.fixture
def studio(made: Studio) -> Studio:
    """The studio of the tests that only kill the gateway, ready at the beginning of each."""
    if made.client.state()["state"] != "ready":
        made.start()
    return made


def test_a_new_gateway_adopts_the_container_of_a_killed_one(studio: Studio) -> None:
    new_project(studio.client, "Before the crash")
    before = studio.container
    kill_gateway(studio.jupyter)
    assert studio.container.attrs["State"]["Running"] is True

    assert studio.client.get("api/projects").status_code in {200, 503}
    snapshot = studio.client.wait_ready()
    details = {step["id"]: step["detail"] for step in snapshot["steps"]}
    assert details["container"] == f"{before.name} was running"
    assert snapshot["ready_after"] < studio.first["ready_after"]
    assert "Before the crash" in titles(studio.client)
    assert studio.container.id == before.id
    assert studio.container.attrs["State"]["StartedAt"] == before.attrs["State"]["StartedAt"]

    def starts_in_log() -> int:
        log = studio.client.state()["log"]
        return sum(line == "labelstudio-proxy: Serving" for _, line in log)

    wait_for(lambda: starts_in_log() == 1, what="the earlier output")


def test_the_container_of_a_replaced_data_directory_is_not_adopted(studio: Studio) -> None:
    """A restore replaces the folder; everything else, also the secret key, can be the same."""
    before = studio.container
    kill_gateway(studio.jupyter)
    aside = studio.data_dir.with_name("aside")
    studio.data_dir.rename(aside)
    ignored = shutil.ignore_patterns("*.sock")
    shutil.copytree(aside, studio.data_dir, symlinks=True, ignore=ignored)
    studio.data_dir.chmod(0o700)
    assert studio.client.get("api/projects").status_code in {200, 503}
    studio.client.wait_ready()
    assert studio.container.id != before.id
    assert json_of(studio.client.get("api/projects"))["results"]
    shutil.rmtree(aside)


def test_with_another_secret_key_the_container_is_replaced(studio: Studio) -> None:
    before = studio.container
    kill_gateway(studio.jupyter)
    key = DataDirectory(studio.data_dir).secret_key()
    env = studio.data_dir / ".env"
    env.write_text(env.read_text().replace(key, key[::-1]))
    assert studio.client.get("api/projects").status_code in {200, 503}
    studio.client.wait_ready()
    assert studio.container.id != before.id
    assert volume_of(before) not in volumes(studio.engine)
    assert studio.owner == OWNER


def test_a_container_that_refuses_the_owner_is_replaced(
    studio: Studio,
) -> None:
    before = studio.container
    kill_gateway(studio.jupyter)

    def set_active(number: int) -> None:
        path = studio.data_dir / "label_studio.sqlite3"
        with contextlib.closing(sqlite3.connect(path, timeout=60)) as database, database:
            database.execute("UPDATE htx_user SET is_active = ?", (number,))

    set_active(0)
    try:
        assert studio.client.get("api/projects").status_code == 503
        studio.client.wait_ready()
        assert studio.container.id != before.id
    finally:
        set_active(1)
    assert studio.owner == OWNER


@pytest.fixture
def begin(
    engine: Engine,
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path: Path,
) -> Begin:
    """Start a Jupyter on the test's data directory; several in a row."""
    data_dir, notebooks = tmp_path / "data", notebook_folder(tmp_path / "notebooks")

    def begin(address: str = engine.address, **settings: Any) -> Studio:
        options = on(engine, data_dir, **settings)
        options["env"]["DOCKER_HOST"] = address
        jupyter = jupyter_lab(root_dir=notebooks, **options)
        client = label_studio_client(jupyter)
        client.wait_ready()
        return Studio(engine, jupyter, client, data_dir, notebooks)

    return begin


def test_the_next_jupyter_adopts_the_container_unless_a_setting_has_changed(
    begin: Begin,
) -> None:
    studio = begin(memory_limit="1500m")
    new_project(studio.client, "To be kept")
    first = studio.container
    crash(studio.jupyter)
    studio = begin(memory_limit="1500m")
    adopted = studio.container
    crash(studio.jupyter)
    studio = begin(memory_limit="1200m")
    replaced = studio.container
    assert json_of(studio.client.get("api/projects"))["count"] == 1
    assert adopted.id == first.id
    assert replaced.id != first.id
    assert replaced.name == first.name
    assert replaced.attrs["HostConfig"]["Memory"] == 1200 * 1024 * 1024
    assert volume_of(first) not in volumes(studio.engine)


def test_a_container_keeps_running_after_only_jupyter_was_killed(
    begin: Begin,
) -> None:
    studio = begin()
    new_project(studio.client, "Before the kill")
    before, gateway = studio.container, Path(f"/proc/{studio.jupyter.gateway_pid}")
    os.kill(studio.jupyter.process.pid, signal.SIGKILL)
    wait_for(lambda: not gateway.exists(), what="the end of the gateway", timeout=5)
    studio.jupyter.stop()
    assert studio.is_running()
    studio = begin()
    assert studio.container.id == before.id
    assert json_of(studio.client.get("api/projects"))["count"] == 1


def test_a_container_without_a_gateway_stops_and_loses_nothing(
    begin: Begin,
) -> None:
    settings = {"environment": {ORPHAN_VARIABLE: str(ORPHAN_SECONDS)}}
    studio = begin(**settings)
    new_project(studio.client, "To be kept")
    first = studio.container
    # A gateway keeps it running, although no user works.
    began = time.monotonic()
    wait_for(
        lambda: not studio.is_running() or time.monotonic() - began > 2 * ORPHAN_SECONDS,
        what="twice the time",
    )
    assert studio.is_running()
    crash(studio.jupyter)
    assert studio.is_running()
    wait_for(lambda: not studio.is_running(), what="the end of the container", timeout=60)
    assert ORPHAN_WORDS.encode() in first.logs()
    assert_whole(studio.data_dir)
    studio = begin(**settings)
    log = [line for _, line in studio.client.state()["log"]]
    assert f"labelstudio-proxy: The container {first.name} ended. Replacing it." in log
    assert json_of(studio.client.get("api/projects"))["count"] == 1
    assert studio.container.id != first.id
    assert volume_of(first) not in volumes(studio.engine)


@pytest.mark.skipif(not EXECUTABLE.exists(), reason="Label Studio is not installed")
def test_a_local_process_does_not_start_beside_a_leftover_container(begin: Begin) -> None:
    studio = begin()
    new_project(studio.client, "To be kept")
    leftover = studio.container
    crash(studio.jupyter)
    assert studio.is_running()
    studio = begin(backend="process", label_studio=str(EXECUTABLE))
    assert containers_of(studio.engine, studio.data_dir) == []
    assert volume_of(leftover) not in volumes(studio.engine)
    notice = f"The container {leftover.name} of an earlier gateway was removed."
    assert studio.client.state()["notices"] == [notice]
    assert json_of(studio.client.get("api/projects"))["count"] == 1
    assert_whole(studio.data_dir)


def test_a_container_of_another_engine_does_not_start_beside_a_leftover_one(
    begin: Begin, tmp_path: Path
) -> None:
    """The other engine is the same one under another address."""
    studio = begin()
    new_project(studio.client, "To be kept")
    leftover = studio.container
    crash(studio.jupyter)
    other = tmp_path / "other.sock"
    other.symlink_to(studio.engine.address.removeprefix("unix://"))
    studio = begin(f"unix://{other}")
    notice = f"The container {leftover.name} of an earlier gateway was removed."
    assert studio.client.state()["notices"] == [notice]
    assert studio.container.id != leftover.id
    assert json_of(studio.client.get("api/projects"))["count"] == 1


def test_a_restore_removes_a_leftover_container(begin: Begin, tmp_path: Path) -> None:
    studio = begin()
    leftover = studio.container
    saved = tmp_path / "saved.zip"
    environment = clean_environment(tmp_path / "home") | {"DOCKER_HOST": studio.engine.address}

    def command(*words: object) -> str:
        program = [sys.executable, "-m", "labelstudio_proxy", *map(str, words)]
        done = subprocess.run(
            [*program, "--data-dir", str(studio.data_dir)],
            env=environment,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        )
        return done.stdout

    command("backup", "--output", saved)
    crash(studio.jupyter)
    assert f"The container {leftover.name}" in command("restore", saved)
    assert containers_of(studio.engine, studio.data_dir) == []
