"""What can happen to a container in Docker: explained, and repaired without a restart of Jupyter."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.container_faults import (
    keeps_running_lines,
    make_project,
    reports,
    restarts,
    running_again,
    titles,
    works,
)
from support.containers import (
    container_of,
    containers_of,
    on,
    processes_of,
    volume_of,
    volumes,
)
from support.desk import Desk
from support.engine import Engine
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import free_port, wait_for
from support.unix_port import port_of

YOUNG_SECONDS = 30.0  # a Label Studio that crashes later than in its first minute is restarted


@pytest.fixture(scope="module")
def engine(docker_engine: Engine) -> Engine:
    return docker_engine


@pytest.fixture(scope="module")
def shared(
    engine: Engine,
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Desk]:
    data_dir = tmp_path_factory.mktemp("faults") / "data"
    jupyter = JupyterLab(**on(engine, data_dir))
    try:
        yield Desk(jupyter, label_studio_client(jupyter), data_dir=data_dir)
    finally:
        jupyter.stop()


@pytest.fixture
def desk(engine: Engine, shared: Desk) -> Iterator[Desk]:
    """Label Studio is ready, and has not run for long. The engine runs afterwards."""
    now = shared.settle()
    if now["state"] == "ready" and now["now"] - now["started_at"] > YOUNG_SECONDS:
        shared.studio.post("_proxy/stop")
        shared.studio.wait_for_state("stopped")
    assert shared.try_again()["state"] == "ready"
    with running_again(engine):
        yield shared


# ---- the container


def test_a_removed_container_is_reported(engine: Engine, desk: Desk) -> None:
    make_project(desk, "Before the removal")
    container = container_of(engine, desk.data_dir)
    volume = volume_of(container)
    container.remove(force=True)  # but not its volume
    error = reports(desk, container.name, "was removed", "docker rm")
    assert error["remedy"] == "Try again."
    assert volume not in volumes(engine)  # it has secrets
    works(desk)
    assert "Before the removal" in titles(desk)


def test_a_killed_container_is_restarted(engine: Engine, desk: Desk) -> None:
    make_project(desk, "Before the kill")
    container = container_of(engine, desk.data_dir)
    with restarts(desk, container.name, "was killed"):
        container.kill()
    assert "Before the kill" in titles(desk)


def test_a_label_studio_killed_inside_the_container_is_restarted(
    engine: Engine, desk: Desk
) -> None:
    """Like the system does if memory runs out."""
    container = container_of(engine, desk.data_dir)
    with restarts(desk, container.name, "was killed"):
        for process in processes_of(container):
            if int(process.name) != container.attrs["State"]["Pid"]:  # init
                os.kill(int(process.name), signal.SIGKILL)
    works(desk)


def test_a_stopped_container_is_reported(engine: Engine, desk: Desk) -> None:
    container = container_of(engine, desk.data_dir)
    container.stop(timeout=10)
    reports(desk, container.name, "was stopped", "docker stop")
    works(desk)


def test_a_paused_container_is_resumed_by_try_again(engine: Engine, desk: Desk) -> None:
    before = container_of(engine, desk.data_dir)
    before.pause()
    reports(desk, before.name, "is paused", "docker pause", "Try again resumes it")
    before.reload()
    assert before.status == "paused"
    works(desk)
    after = container_of(engine, desk.data_dir)
    assert after.id == before.id
    assert after.attrs["State"]["StartedAt"] == before.attrs["State"]["StartedAt"]


def test_a_paused_container_can_be_stopped(engine: Engine, desk: Desk) -> None:
    container = container_of(engine, desk.data_dir)
    container.pause()
    reports(desk, container.name, "is paused")
    desk.studio.post("_proxy/stop")
    desk.studio.wait_for_state("stopped")
    assert containers_of(engine, desk.data_dir) == []
    works(desk)


@pytest.fixture
def take_over(
    desk: Desk,
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
) -> Callable[[Engine], Desk]:
    """Press *Take over* in another Jupyter server with the same data directory."""

    def ask(engine: Engine) -> Desk:
        jupyter = jupyter_lab(base_url="/second/", **on(engine, desk.data_dir))
        second = Desk(jupyter, label_studio_client(jupyter), data_dir=desk.data_dir)
        assert second.studio.post("_proxy/take-over").status_code == 202
        return second

    return ask


def test_a_paused_container_can_be_taken_over(
    engine: Engine, desk: Desk, take_over: Callable[[Engine], Desk]
) -> None:
    make_project(desk, "Before the pause")
    before = container_of(engine, desk.data_dir)
    before.pause()
    reports(desk, before.name, "is paused")
    second = take_over(engine)
    assert second.settle()["state"] == "ready"
    assert "Before the pause" in titles(second)
    assert container_of(engine, desk.data_dir).id != before.id
    first = desk.studio.state()
    assert (first["state"], first["holder"]["action"]) == ("failed", "Take it back")
    second.studio.post("_proxy/stop")
    second.studio.wait_for_state("stopped")
    works(desk)


def test_a_container_whose_stop_failed_can_be_taken_over_later(
    engine: Engine, desk: Desk, take_over: Callable[[Engine], Desk]
) -> None:
    before = container_of(engine, desk.data_dir)
    engine.freeze()
    desk.studio.post("_proxy/stop")
    reports(desk, before.name, "could not be stopped and may still run")
    engine.thaw()
    second = take_over(engine)
    assert second.settle()["state"] == "ready"
    assert container_of(engine, desk.data_dir).id != before.id
    assert desk.studio.state()["holder"]["action"] == "Take it back"
    second.studio.post("_proxy/stop")
    second.studio.wait_for_state("stopped")
    works(desk)


def test_too_little_memory_is_explained(engine: Engine, own_desk: Callable[..., Desk]) -> None:
    desk = own_desk(engine, memory_limit="100m")
    error = desk.fails("ran out of memory")
    assert "`memory_limit` of 100m" in error["why"]
    assert "Raise `memory_limit`" in error["remedy"]
    assert not containers_of(engine, desk.data_dir)


def test_a_failed_start_is_explained_by_the_output_of_the_container(
    engine: Engine, own_desk: Callable[..., Desk]
) -> None:
    environment = {
        "DJANGO_DB": "default",
        "POSTGRE_HOST": "127.0.0.1",
        "POSTGRE_PORT": "1",
    }
    desk = own_desk(engine, environment=environment)
    error = desk.fails("The database that `environment` names could not be reached.")
    assert "exit status 1" in error["what"]
    said = [line for _, line in desk.studio.state()["log"] if "OperationalError" in line]
    assert "Connection refused" in said[-1]
    (file,) = desk.jupyter.home.rglob("label-studio-*.log")
    assert said[-1] in file.read_text()
    assert not containers_of(engine, desk.data_dir)


# ---- the image


def test_a_missing_image_that_may_not_be_downloaded(
    engine: Engine, own_desk: Callable[..., Desk]
) -> None:
    desk = own_desk(engine, image="nobody/nothing:1", pull_policy="never")
    error = desk.fails("The image nobody/nothing:1 is not on this machine.", "`pull_policy`")
    assert "docker load" in error["remedy"]


def test_an_image_of_a_registry_out_of_reach(engine: Engine, own_desk: Callable[..., Desk]) -> None:
    name = f"127.0.0.1:{free_port()}/x:1"
    desk = own_desk(engine, image=name)
    error = desk.fails(f"The image {name} could not be downloaded.", "cannot be reached")
    assert "connection refused" in error["why"]
    steps = {step["id"]: step["state"] for step in desk.studio.state()["steps"]}
    assert steps == {
        "data": "done",
        "engine": "done",
        "pull": "failed",
        "database": "next",
        "container": "next",
        "load": "next",
        "response": "next",
    }


def test_an_image_without_label_studio(engine: Engine, own_desk: Callable[..., Desk]) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as layer:
        layer.addfile(tarfile.TarInfo("nothing"))
    name = "localhost/labelstudio-proxy-tests/empty:latest"
    engine.client.api.import_image_from_data(archive.getvalue(), name.removesuffix(":latest"))
    try:
        desk = own_desk(engine, image=name)
        error = desk.fails("The image has no `label-studio` program.")
        assert "`image`" in error["remedy"]
        assert not containers_of(engine, desk.data_dir)
    finally:
        engine.client.images.remove(name)


# ---- the settings


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"memory_limit": "1m"}, "`memory_limit`"),
        ({"cpu_limit": 100_000.0}, "`cpu_limit`"),
        ({"docker_network": "nowhere"}, "`docker_network`"),
    ],
)
def test_settings_that_docker_refuses(
    docker_engine: Engine, own_desk: Callable[..., Desk], settings: dict[str, Any], said: str
) -> None:
    desk = own_desk(docker_engine, **settings)
    error = desk.fails("The container engine said:", timeout=30)
    assert said in error["remedy"]
    assert not containers_of(docker_engine, desk.data_dir)


# ---- the engine while Label Studio runs


def test_label_studio_works_while_the_engine_hangs(engine: Engine, desk: Desk) -> None:
    before, said = container_of(engine, desk.data_dir), keeps_running_lines(desk)
    engine.freeze()
    wait_for(lambda: keeps_running_lines(desk) > said, what="a line in Jupyter's log")
    make_project(desk, "While the engine hung")
    assert desk.studio.state()["state"] == "ready"
    engine.thaw()
    assert "While the engine hung" in titles(desk)
    assert desk.studio.state()["state"] == "ready"
    after = container_of(engine, desk.data_dir)
    assert after.id == before.id
    # Its end is noticed.
    with restarts(desk, "was killed"):
        after.kill()


def test_a_stop_fails_while_the_engine_hangs(engine: Engine, desk: Desk) -> None:
    before = container_of(engine, desk.data_dir)
    engine.freeze()
    desk.studio.post("_proxy/stop")
    reports(desk, before.name, "could not be stopped and may still run", "does not respond")
    engine.thaw()
    works(desk)
    assert container_of(engine, desk.data_dir).id == before.id


def test_jupyter_stops_while_the_engine_hangs(
    engine: Engine,
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path: Path,
) -> None:
    data_dir, notebooks = tmp_path / "data", tmp_path / "notebooks"
    jupyter = jupyter_lab(root_dir=notebooks, **on(engine, data_dir))
    label_studio_client(jupyter).wait_ready()
    with running_again(engine):
        engine.freeze()
        jupyter.stop()
    container_of(engine, data_dir).remove(force=True, v=True)


@pytest.fixture
def address(docker_engine: Engine) -> Iterator[str]:
    """The engine at a port, so that Label Studio has a port, too."""
    with port_of(docker_engine.socket) as port:
        yield f"tcp://127.0.0.1:{port}"


def test_a_container_that_lost_its_port_is_replaced(
    engine: Engine, own_desk: Callable[..., Desk], address: str
) -> None:
    """The engine's process for a port can crash while the container runs."""
    desk = own_desk(engine, address=address)
    assert desk.try_again()["state"] == "ready"
    container = container_of(engine, desk.data_dir)
    (port,) = container.ports["8080/tcp"]
    before = desk.studio.state()["restarts"]
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"-host-port" in words and port["HostPort"].encode() in words:
                os.kill(int(process.name), signal.SIGKILL)
    assert desk.studio.get("api/projects").status_code == 503
    wait_for(lambda: desk.studio.get("api/projects").ok, what=lambda: str(desk.studio.state()))
    assert desk.studio.state()["restarts"] == before + 1
    assert container_of(engine, desk.data_dir).id != container.id


def test_label_studio_works_without_a_killed_dockerd(
    docker_engine: Engine, own_desk: Callable[..., Desk]
) -> None:
    desk = own_desk(docker_engine)
    assert desk.try_again()["state"] == "ready"
    lines = keeps_running_lines(desk)
    with running_again(docker_engine):
        docker_engine.kill()
        wait_for(lambda: keeps_running_lines(desk) > lines, what="a line in Jupyter's log")
        make_project(desk, "Without the engine")
        docker_engine.start()  # which stops what it finds running
        reports(desk, "was stopped")
        works(desk)
    assert "Without the engine" in titles(desk)


def test_label_studio_behind_a_port_ends_with_a_killed_dockerd(
    docker_engine: Engine, own_desk: Callable[..., Desk], address: str
) -> None:
    """The proxy of the published port ends with it."""
    desk = own_desk(docker_engine, address=address)
    assert desk.try_again()["state"] == "ready"
    make_project(desk, "Before the crash")
    with running_again(docker_engine):
        docker_engine.kill()
        reports(desk, "engine")
        docker_engine.start()
        works(desk)
    assert "Before the crash" in titles(desk)


SQUATTER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
while True:
    try:
        server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
        break
    except OSError:
        pass
print("listening", flush=True)
server.serve_forever()
"""


def test_another_user_on_the_port_of_a_killed_dockerd_is_not_label_studio(
    docker_engine: Engine, own_desk: Callable[..., Desk], address: str
) -> None:
    desk = own_desk(docker_engine, address=address)
    assert desk.try_again()["state"] == "ready"
    container = container_of(docker_engine, desk.data_dir)
    port = container.attrs["NetworkSettings"]["Ports"]["8080/tcp"][0]["HostPort"]
    with running_again(docker_engine):
        command = ["setpriv", "--reuid", "65534", "--clear-groups", "/usr/bin/python3", "-c"]
        squatter = subprocess.Popen([*command, SQUATTER, port], stdout=subprocess.PIPE)
        assert squatter.stdout is not None
        try:
            docker_engine.kill()
            assert squatter.stdout.readline() == b"listening\n"
            reports(desk, "engine")
        finally:
            squatter.kill()
            squatter.wait()
            squatter.stdout.close()
        docker_engine.start()
        works(desk)


def test_label_studio_ends_with_a_stopped_dockerd(
    docker_engine: Engine, own_desk: Callable[..., Desk]
) -> None:
    desk = own_desk(docker_engine)
    assert desk.try_again()["state"] == "ready"
    make_project(desk, "Before the stop")
    with running_again(docker_engine):
        docker_engine.stop()
        error = reports(desk)
        details = {step["id"]: step["detail"] for step in desk.studio.state()["steps"]}
        assert error["what"] in {
            "No container engine is running.",
            f"Label Studio's container {details['container']} was stopped.",
        }
        desk.fails("No container engine is running.")
        docker_engine.start()
        works(desk)
    assert "Before the stop" in titles(desk)
