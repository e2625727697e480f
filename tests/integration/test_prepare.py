"""`labelstudio-proxy prepare` with a Label Studio that the package has no migrated database for."""

from __future__ import annotations

import re
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.models.containers import Container
from support.containers import processes_of, volumes
from support.engine import Engine
from support.image_archives import LABEL_STUDIO
from support.processes import clean_environment, wait_for

from labelstudio_proxy.backends.docker.run_once import LABEL
from labelstudio_proxy.data_directory import template
from labelstudio_proxy.data_directory.directory import DataDirectory

VERSION = "1.999.0"


@pytest.fixture(params=["docker_engine", "podman_engine"])
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def image(engine: Engine) -> Iterator[str]:
    """Label Studio's, with a tag by which it is of another version."""
    repository = "localhost/labelstudio-proxy-tests/label-studio"
    engine.client.images.get(LABEL_STUDIO).tag(repository, VERSION)
    yield f"{repository}:{VERSION}"
    engine.client.images.remove(f"{repository}:{VERSION}")


@pytest.fixture
def prepare(engine: Engine, image: str, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """It runs."""
    environment = clean_environment(tmp_path) | {
        "DOCKER_HOST": engine.address,
        "LABELSTUDIO_PROXY_BACKEND": "docker",
        "LABELSTUDIO_PROXY_IMAGE": image,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "labelstudio_proxy", "prepare"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        yield process
        process.kill()


def made(engine: Engine) -> list[Container]:
    found: list[Container] = engine.client.containers.list(
        all=True, filters={"label": LABEL}, ignore_removed=True
    )
    return found


def running(engine: Engine, process: subprocess.Popen[str]) -> Container:
    def found() -> list[Container]:
        assert process.poll() is None, process.communicate()[0]
        return [each for each in made(engine) if each.status == "running"]

    return wait_for(found, what="a container that runs")[0]


def status_of(container: Container) -> list[dict[str, str]]:
    """What the kernel says of each of its processes."""
    told = []
    for process in processes_of(container):
        lines = (process / "status").read_text().splitlines()
        told.append(
            {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
        )
    return told


def test_it_makes_one_in_a_container_that_may_do_nothing(
    engine: Engine, prepare: subprocess.Popen[str], tmp_path: Path
) -> None:
    before = volumes(engine)
    container = running(engine, prepare)
    for status in status_of(container):
        assert int(status["CapBnd"], 16) == 0
        assert int(status["CapEff"], 16) == 0
        assert status["NoNewPrivs"] == "1"
    host = container.attrs["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"]
    assert host["PidsLimit"] > 0
    assert not host.get("Binds") or engine.name == "podman"  # which has the volume there
    assert [mount["Type"] for mount in container.attrs["Mounts"]] == ["volume"]
    said, _ = prepare.communicate(timeout=500)
    assert prepare.returncode == 0, said
    found = re.search(r"A migrated database for it is at (.+)\.", said)
    assert found, said
    path = Path(found[1])
    try:
        assert path.name == f"label_studio-{VERSION}.sqlite3.xz"
        directory = DataDirectory(tmp_path / "data")
        directory.prepare()
        chosen = template.find(VERSION)
        assert chosen is not None
        assert chosen[1] == path
        assert template.place(directory, VERSION)
        assert not directory.has_accounts()
    finally:
        path.unlink()
    assert made(engine) == []
    assert volumes(engine) <= before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_behind_when_it_is_ended(
    engine: Engine, prepare: subprocess.Popen[str], number: signal.Signals
) -> None:
    before = volumes(engine)
    running(engine, prepare)
    prepare.send_signal(number)
    said, _ = prepare.communicate(timeout=60)
    assert prepare.returncode == 128 + number, said
    assert "Traceback" not in said
    assert made(engine) == []
    assert volumes(engine) <= before


def test_an_engine_that_tells_nothing_of_itself_is_told(tmp_path: Path) -> None:
    """As where a proxy stands before its socket."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            request = self.rfile.readline()
            status, body = "200 OK", '{"Version": "27.0", "ApiVersion": "1.41"}'
            if b"/info" in request:
                status, body = "403 Forbidden", '{"message": "not allowed here"}'
            elif b"/images/" in request:
                status, body = "404 Not Found", '{"message": "no such image"}'
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            self.wfile.write((head + body).encode())

    address = tmp_path / "engine.sock"
    environment = clean_environment(tmp_path) | {
        "DOCKER_HOST": f"unix://{address}",
        "LABELSTUDIO_PROXY_BACKEND": "docker",
        "LABELSTUDIO_PROXY_IMAGE": "registry.example/x:1",
    }
    with socketserver.ThreadingUnixStreamServer(str(address), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            done = subprocess.run(
                [sys.executable, "-m", "labelstudio_proxy", "prepare"],
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        finally:
            server.shutdown()
            thread.join()
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "registry.example/x:1 could not be downloaded" in done.stderr
    assert "not allowed here" in done.stderr
