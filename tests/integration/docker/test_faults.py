"""What can go wrong with a container, its image and its engine: told apart, and mended.

Jupyter is never restarted for it. Most is shown on Docker and on Podman, as Debian has them.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
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
from support.processes import clean_environment, free_port, wait_for

# The bounds: for what is wrong at a click, and for what goes wrong later.
CLICK_SECONDS = 5.0
NOTICE_SECONDS = 10.0
BACK_SECONDS = 15.0
# Label Studio is started again by itself when it ends after a minute.
YOUNG_SECONDS = 30.0


@pytest.fixture(scope="module", params=["docker_engine", "podman_engine"], ids=["docker", "podman"])
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.getfixturevalue(request.param)
    return found


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
    """Label Studio is ready, and has not been for long; the engine runs afterwards."""
    now = shared.settle()
    if now["state"] == "ready" and now["now"] - now["started_at"] > YOUNG_SECONDS:
        shared.studio.post("_proxy/stop")
        shared.studio.wait_for_state("stopped")
    assert shared.try_again()["state"] == "ready"
    with running_again(engine):
        yield shared


@pytest.fixture
def own_desk(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path: Path,
) -> Callable[..., Desk]:
    """A Jupyter for one test."""

    def new(engine: Engine, **settings: Any) -> Desk:
        data_dir = tmp_path / "data"
        jupyter = jupyter_lab(**on(engine, data_dir, **settings))
        return Desk(jupyter, label_studio_client(jupyter), data_dir=data_dir)

    return new


@contextlib.contextmanager
def running_again(engine: Engine) -> Iterator[None]:
    """Whatever is done to the engine, it runs afterwards."""
    try:
        yield
    finally:
        engine.thaw()
        if engine.process is None:
            engine.start()


def notices(desk: Desk, *said: str) -> dict[str, str]:
    """That Label Studio has gone, in time."""
    wait_for(
        lambda: desk.studio.state()["state"] == "failed",
        what=lambda: f"a failure: {desk.studio.state()}",
        timeout=NOTICE_SECONDS,
    )
    return desk.tells(desk.studio.state(), *said)


@contextlib.contextmanager
def comes_back(desk: Desk, *said: str) -> Iterator[None]:
    """What is done here to a Label Studio is told in its log, and it is started again, in time."""
    before = desk.studio.state()
    yield

    def told() -> list[str]:
        return [
            line for number, line in desk.studio.state()["log"] if line.endswith("again in 1 s.")
        ]

    wait_for(
        lambda: (
            desk.studio.state()["restarts"] > before["restarts"]
            and desk.studio.state()["state"] == "ready"
        ),
        what=lambda: f"the next start: {desk.studio.state()}",
        timeout=BACK_SECONDS,
    )
    for words in said:
        assert words in told()[-1]
    reasons = desk.studio.state()["restart_reasons"]
    assert reasons["ended"] == before["restart_reasons"].get("ended", 0) + 1


def works(desk: Desk) -> None:
    """Label Studio is ready, or is so after Try again, with what was made before."""
    snapshot = desk.try_again()
    assert snapshot["state"] == "ready", snapshot
    assert snapshot["error"] is None
    titles(desk)


def titles(desk: Desk) -> set[str]:
    answer = desk.studio.get("api/projects")
    assert answer.status_code == 200, answer.text[:2000]
    return {project["title"] for project in answer.json()["results"]}


def make_project(desk: Desk, title: str) -> None:
    answer = desk.studio.post("api/projects", json={"title": title})
    assert answer.status_code == 201, answer.text[:2000]


# ---- the container


def test_removed(engine: Engine, desk: Desk) -> None:
    make_project(desk, "Before the removal")
    container = container_of(engine, desk.data_dir)
    volume = volume_of(container)
    container.remove(force=True)  # and not its volume
    error = notices(desk, container.name, "was removed", "docker rm")
    assert error["remedy"] == "Try again."
    assert volume not in volumes(engine)  # which holds what is secret
    works(desk)
    assert "Before the removal" in titles(desk)


def test_killed(engine: Engine, desk: Desk) -> None:
    make_project(desk, "Before the kill")
    container = container_of(engine, desk.data_dir)
    with comes_back(desk, container.name, "was killed"):
        container.kill()
    assert "Before the kill" in titles(desk)


def test_label_studio_killed_within_the_container(engine: Engine, desk: Desk) -> None:
    """As the system does for want of memory."""
    container = container_of(engine, desk.data_dir)
    with comes_back(desk, container.name, "was killed"):
        for process in processes_of(container):
            if int(process.name) != container.attrs["State"]["Pid"]:  # init
                os.kill(int(process.name), signal.SIGKILL)
    works(desk)


def test_stopped(engine: Engine, desk: Desk) -> None:
    container = container_of(engine, desk.data_dir)
    container.stop(timeout=10)  # else Podman's service kills it at once
    notices(desk, container.name, "was stopped", "docker stop")
    works(desk)


def test_paused_and_continued(engine: Engine, desk: Desk) -> None:
    before = container_of(engine, desk.data_dir)
    before.pause()
    notices(desk, before.name, "is paused", "docker pause", "Try again resumes it")
    before.reload()
    assert before.status == "paused"
    works(desk)
    after = container_of(engine, desk.data_dir)
    assert after.id == before.id
    assert after.attrs["State"]["StartedAt"] == before.attrs["State"]["StartedAt"]


def test_paused_and_stopped(engine: Engine, desk: Desk) -> None:
    container = container_of(engine, desk.data_dir)
    container.pause()
    notices(desk, container.name, "is paused")
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
    """Another Jupyter server with the same data directory, where Take over is pressed."""

    def ask(engine: Engine) -> Desk:
        jupyter = jupyter_lab(base_url="/second/", **on(engine, desk.data_dir))
        second = Desk(jupyter, label_studio_client(jupyter), data_dir=desk.data_dir)
        assert second.studio.post("_proxy/take-over").status_code == 202
        return second

    return ask


def test_paused_and_taken_over(
    engine: Engine, desk: Desk, take_over: Callable[[Engine], Desk]
) -> None:
    make_project(desk, "Before the pause")
    before = container_of(engine, desk.data_dir)
    before.pause()
    notices(desk, before.name, "is paused")
    second = take_over(engine)
    assert second.settle()["state"] == "ready"
    assert "Before the pause" in titles(second)
    assert container_of(engine, desk.data_dir).id != before.id
    first = desk.studio.state()
    assert (first["state"], first["holder"]["action"]) == ("failed", "Take it back")
    second.studio.post("_proxy/stop")
    second.studio.wait_for_state("stopped")
    works(desk)


def test_one_that_could_not_be_stopped_is_taken_over_once_it_can(
    engine: Engine, desk: Desk, take_over: Callable[[Engine], Desk]
) -> None:
    before = container_of(engine, desk.data_dir)
    engine.freeze()
    desk.studio.post("_proxy/stop")
    notices(desk, before.name, "could not be stopped and may still run")
    engine.thaw()
    second = take_over(engine)
    assert second.settle()["state"] == "ready"
    assert container_of(engine, desk.data_dir).id != before.id
    assert desk.studio.state()["holder"]["action"] == "Take it back"
    second.studio.post("_proxy/stop")
    second.studio.wait_for_state("stopped")
    works(desk)


def test_too_little_memory(engine: Engine, own_desk: Callable[..., Desk]) -> None:
    desk = own_desk(engine, memory_limit="100m")
    error = desk.fails("memory")
    # Podman 4.3 says only that it was killed, at least with the first version of cgroups.
    if engine.name == "dockerd":
        assert "ran out of memory" in error["what"]
        assert "`memory_limit` of 100m" in error["why"]
        assert "Raise `memory_limit`" in error["remedy"]
    assert not containers_of(engine, desk.data_dir)


def test_start_that_fails_is_explained_by_what_was_printed_in_the_container(
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


def test_image_that_is_not_here_and_may_not_be_downloaded(
    engine: Engine, own_desk: Callable[..., Desk]
) -> None:
    desk = own_desk(engine, image="nobody/nothing:1", pull_policy="never")
    error = desk.fails("The image nobody/nothing:1 is not on this machine.", "`pull_policy`")
    assert "docker load" in error["remedy"]


def test_image_of_a_registry_that_is_out_of_reach(
    engine: Engine, own_desk: Callable[..., Desk]
) -> None:
    name = f"127.0.0.1:{free_port()}/x:1"
    desk = own_desk(engine, image=name)
    error = desk.fails(f"The image {name} could not be downloaded.", "cannot be reached")
    assert "connection refused" in error["why"]
    steps = {step["id"]: step["state"] for step in desk.studio.state()["steps"]}
    assert steps == {
        "data": "done",
        "engine": "done",
        "pull": "failed",
        "container": "next",
        "answer": "next",
    }


def test_image_without_label_studio(engine: Engine, own_desk: Callable[..., Desk]) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as layer:
        layer.addfile(tarfile.TarInfo("nothing"))
    # Podman 4.3 takes no other tag here.
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
def test_what_dockerd_cannot_do(
    docker_engine: Engine, own_desk: Callable[..., Desk], settings: dict[str, Any], said: str
) -> None:
    desk = own_desk(docker_engine, **settings)
    error = desk.fails("The container engine said:", timeout=30)
    assert said in error["remedy"]
    assert not containers_of(docker_engine, desk.data_dir)


# ---- no engine


@pytest.fixture(scope="module")
def nowhere(
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    module_jupyter_lab: Callable[..., JupyterLab],
    tmp_path_factory: pytest.TempPathFactory,
) -> Desk:
    """DOCKER_HOST names a path at which there is nothing."""
    folder = tmp_path_factory.mktemp("nowhere")
    jupyter = module_jupyter_lab(
        config={"backend": "docker", "data_dir": str(folder / "data")},
        env={"DOCKER_HOST": f"unix://{folder}/engine.sock"},
    )
    return Desk(jupyter, label_studio_client(jupyter), data_dir=folder / "data")


@pytest.fixture
def address(nowhere: Desk) -> Iterator[Path]:
    """That path."""
    path = nowhere.data_dir.with_name("engine.sock")
    yield path
    path.unlink(missing_ok=True)


def test_no_socket_at_the_first_click(own_desk: Callable[..., Desk], docker_engine: Engine) -> None:
    """In a Jupyter that has done nothing yet, and for which the engine's package is new."""
    with running_again(docker_engine):
        desk = own_desk(docker_engine)
        docker_engine.stop()
        began = time.monotonic()
        desk.click()
        snapshot = desk.settle(CLICK_SECONDS)
        assert time.monotonic() - began < CLICK_SECONDS
        error = desk.tells(snapshot, "No container engine is running.", "does not exist")
        assert "systemctl start docker" in error["remedy"]
        assert "DOCKER_HOST" in error["why"]
        docker_engine.start()
        works(desk)


def test_no_socket(nowhere: Desk, address: Path) -> None:
    error = nowhere.fails(
        "No container engine is running.", f"{address} does not exist", timeout=CLICK_SECONDS
    )
    assert "systemctl start docker" in error["remedy"]


def test_nobody_listens(nowhere: Desk, address: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(address))
    error = nowhere.fails(
        "The container engine is not running.",
        f"Nothing listens at unix://{address}",
        timeout=CLICK_SECONDS,
    )
    assert "systemctl start docker" in error["remedy"]


def test_no_socket_but_a_file(nowhere: Desk, address: Path) -> None:
    address.write_text("")
    nowhere.fails("The container engine is not running.", timeout=CLICK_SECONDS)


OK = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
STRANGERS = {
    "not found": "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found",
    "a page": "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<!doctype html><title>Mail</title>",
    "no HTTP": "220 mail.example ESMTP\r\n",
    "nothing": "",
    "an empty object": OK + "{}",
    "a list": OK + "[]",
    "a number": OK + "1",
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_something_that_is_no_engine(nowhere: Desk, address: Path, stranger: str) -> None:
    said = STRANGERS[stranger].encode()
    with listening(address, lambda connection, _: connection.sendall(said)):
        error = nowhere.fails(
            "does not respond like a container engine", str(address), timeout=CLICK_SECONDS
        )
    assert "Docker or Podman" in error["remedy"]


def test_something_whose_answer_never_ends(nowhere: Desk, address: Path) -> None:
    ended = threading.Event()

    def drip(connection: socket.socket, _: bytes) -> None:
        with contextlib.suppress(OSError):
            while not ended.wait(0.1):
                connection.sendall(b"x")

    with listening(address, drip):
        try:
            nowhere.fails("The container engine does not respond.", timeout=CLICK_SECONDS)
        finally:
            ended.set()


def test_an_engine_that_allows_only_to_ask_for_its_version(nowhere: Desk, address: Path) -> None:
    """As proxies for engines' sockets do."""

    def answer(connection: socket.socket, request: bytes) -> None:
        version = '{"Version": "27.0", "ApiVersion": "1.41", "MinAPIVersion": "1.24"}'
        allowed = b"/version " in request.partition(b"\r\n")[0]
        said = OK + version if allowed else "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
        connection.sendall(said.encode())

    with listening(address, answer):
        error = nowhere.fails("403", "orbidden", timeout=CLICK_SECONDS)
    assert "did not expect" not in error["why"]


@contextlib.contextmanager
def listening(address: Path, answer: Callable[[socket.socket, bytes], object]) -> Iterator[None]:
    """A server that calls `answer` with every request, of which there is one in a connection."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(10)
            if request := self.request.recv(65536):
                answer(self.request, request)

    with socketserver.ThreadingUnixStreamServer(str(address), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


# A group that has no name.
GROUP = 54321
# Only another user than root can be denied anything.
DENIED = """
# all that is needed later: the interpreter may be in root's home
import asyncio, concurrent.futures.thread, json, os, sys
from pathlib import Path
from labelstudio_proxy.backends.docker import engine_problems
from labelstudio_proxy.backends.docker.engine import connect_engine
from labelstudio_proxy.backends.docker.engine_problems import EngineFault
engine_problems.CONTAINER_MARKERS = tuple(map(Path, sys.argv[1:]))
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
try:
    asyncio.run(connect_engine())
except EngineFault as fault:
    print(json.dumps(fault.as_json()))
"""


@pytest.mark.parametrize("closed", ["socket", "folder"])
@pytest.mark.parametrize("contained", [False, True])
def test_a_user_who_may_not_use_the_engine(
    docker_engine: Engine, tmp_path: Path, closed: str, contained: bool
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o700 if closed == "folder" else 0o755)
        address = folder / "engine.sock"
        with listening(address, lambda *_: None):
            address.chmod(0o660)
            os.chown(address, 0, GROUP)
            env = clean_environment(tmp_path) | {"DOCKER_HOST": f"unix://{address}"}
            done = subprocess.run(
                [sys.executable, "-c", DENIED, *(["/"] if contained else [])],
                check=True,
                capture_output=True,
                text=True,
                env={key: value for key, value in env.items() if key not in {"USER", "LOGNAME"}},
                cwd="/",
                timeout=60,
            )
    error = json.loads(done.stdout)
    assert error["what"] == "This user may not use the container engine."
    assert f"The socket {address} is closed to nobody" in error["why"]
    group = GROUP if closed == "socket" else "docker"
    if contained:
        # There is nobody to log in, and no service.
        number = GROUP if closed == "socket" else "<the group of the socket>"
        assert f"`--group-add {number}`" in error["remedy"]
    else:
        assert f"sudo usermod -aG {group} nobody" in error["remedy"]
        assert "rootless" in error["remedy"]


def test_a_hung_engine(engine: Engine, own_desk: Callable[..., Desk]) -> None:
    with running_again(engine):
        desk = own_desk(engine)
        engine.freeze()
        desk.click()
        error = desk.tells(desk.settle(CLICK_SECONDS), "The container engine does not respond.")
        assert engine.address in error["why"]
        assert "systemctl restart" in error["remedy"]
        engine.thaw()
        works(desk)


def test_an_engine_that_comes_later(engine: Engine, nowhere: Desk, address: Path) -> None:
    nowhere.fails("No container engine is running.", timeout=CLICK_SECONDS)
    address.symlink_to(engine.address.removeprefix("unix://"))
    works(nowhere)
    nowhere.studio.post("_proxy/stop")
    nowhere.studio.wait_for_state("stopped")
    assert not containers_of(engine, nowhere.data_dir)


# ---- a context of Docker's


def write_context(home: Path, name: str, host: str) -> None:
    """As `docker context create` does."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    folder = home / ".docker" / "contexts" / "meta" / digest
    folder.mkdir(parents=True)
    endpoint = {"Host": host, "SkipTLSVerify": False}
    meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}
    (folder / "meta.json").write_text(json.dumps(meta))


def test_the_current_context_of_dockers_names_the_engine(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    docker_engine: Engine,
    tmp_path: Path,
) -> None:
    jupyter = jupyter_lab(config={"backend": "docker", "data_dir": str(tmp_path / "data")})
    write_context(jupyter.home, "work", docker_engine.address)
    (jupyter.home / ".docker" / "config.json").write_text(json.dumps({"currentContext": "work"}))
    label_studio_client(jupyter).wait_ready()
    assert container_of(docker_engine, tmp_path / "data").status == "running"


@pytest.fixture
def prepare(tmp_path: Path) -> Callable[..., str]:
    """What `labelstudio-proxy prepare` says of an engine, which it finds as the tile does."""

    def run(**env: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "labelstudio_proxy", "prepare"],
            check=False,
            capture_output=True,
            text=True,
            env=clean_environment(tmp_path) | {"LABELSTUDIO_PROXY_BACKEND": "docker"} | env,
            cwd=tmp_path,
            timeout=60,
        )
        assert (done.returncode == 0) is not done.stderr.startswith("labelstudio-proxy: ")
        return done.stdout + done.stderr

    return run


@pytest.mark.parametrize("config", [{"currentContext": "other"}, {}, None])
def test_a_context_named_in_the_environment(
    prepare: Callable[..., str],
    docker_engine: Engine,
    tmp_path: Path,
    config: dict[str, str] | None,
) -> None:
    write_context(tmp_path, "work", docker_engine.address)
    write_context(tmp_path, "other", "unix:///nowhere/engine.sock")
    if config is not None:
        (tmp_path / ".docker" / "config.json").write_text(json.dumps(config))
    assert "is here" in prepare(DOCKER_CONTEXT="work")


def test_a_context_that_does_not_exist(prepare: Callable[..., str]) -> None:
    said = prepare(DOCKER_CONTEXT="work")
    assert "The Docker context 'work' cannot be used." in said
    assert "docker context ls" in said


def test_a_context_that_is_damaged(prepare: Callable[..., str], tmp_path: Path) -> None:
    write_context(tmp_path, "work", "")
    (meta,) = tmp_path.rglob("meta.json")
    meta.write_text("{")
    (tmp_path / ".docker" / "config.json").write_text("{}")
    assert "The Docker context 'work' cannot be used." in prepare(DOCKER_CONTEXT="work")


def test_a_context_whose_engine_does_not_run(prepare: Callable[..., str], tmp_path: Path) -> None:
    write_context(tmp_path, "work", "unix:///nowhere/engine.sock")
    (tmp_path / ".docker" / "config.json").write_text("{}")
    said = prepare(DOCKER_CONTEXT="work")
    assert "No container engine is running." in said
    assert "the Docker context 'work' names it" in said


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("tcp://127.0.0.1:1", "The container engine is not running."),
        ("tcp://localhost:1", "The container engine is not running."),
        ("tcp://192.0.2.1:2375", "is on another machine"),
        ("ssh://ada@hub.example", "is on another machine"),
        ("nonsense", "DOCKER_HOST"),
        ("tcp://[::1", "DOCKER_HOST"),
    ],
)
def test_an_address_at_which_there_is_no_engine(
    prepare: Callable[..., str], host: str, told: str
) -> None:
    said = prepare(DOCKER_HOST=host)
    assert told in said
    assert "Traceback" not in said


# ---- an engine in mid-use


def goes_on_says(desk: Desk) -> int:
    return desk.jupyter.log.read_text().count("Label Studio keeps running.")


def test_an_engine_that_hangs_does_not_disturb_label_studio(engine: Engine, desk: Desk) -> None:
    before, said = container_of(engine, desk.data_dir), goes_on_says(desk)
    engine.freeze()
    wait_for(lambda: goes_on_says(desk) > said, what="a word about it in Jupyter's log")
    make_project(desk, "While the engine hung")
    assert desk.studio.state()["state"] == "ready"
    engine.thaw()
    assert "While the engine hung" in titles(desk)
    assert desk.studio.state()["state"] == "ready"
    after = container_of(engine, desk.data_dir)
    assert after.id == before.id
    # and its end is noticed
    with comes_back(desk, "was killed"):
        after.kill()


def test_stopping_while_the_engine_hangs_is_said_to_have_failed(engine: Engine, desk: Desk) -> None:
    before = container_of(engine, desk.data_dir)
    engine.freeze()
    desk.studio.post("_proxy/stop")
    notices(desk, before.name, "could not be stopped and may still run", "does not respond")
    engine.thaw()
    works(desk)
    assert container_of(engine, desk.data_dir).id == before.id


def test_jupyter_ends_though_the_engine_hangs(
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


def test_a_dockerd_that_is_killed_takes_label_studio_with_it(
    docker_engine: Engine, own_desk: Callable[..., Desk]
) -> None:
    """The program that publishes the port ends with it; with Podman, see below."""
    desk = own_desk(docker_engine)
    assert desk.try_again()["state"] == "ready"
    make_project(desk, "Before the crash")
    with running_again(docker_engine):
        docker_engine.kill()
        error = notices(desk, "The container engine is not running.")
        assert "systemctl start docker" in error["remedy"]
        docker_engine.start()
        works(desk)
    assert "Before the crash" in titles(desk)


# Takes the port as soon as it is free, and says that all is well.
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


def test_another_user_on_the_port_of_an_engine_that_ended_is_not_label_studio(
    docker_engine: Engine, own_desk: Callable[..., Desk]
) -> None:
    desk = own_desk(docker_engine)
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
            notices(desk, "The container engine is not running.")
        finally:
            squatter.kill()
            squatter.wait()
            squatter.stdout.close()
        docker_engine.start()
        works(desk)


def test_a_dockerd_that_is_stopped_takes_label_studio_with_it(
    docker_engine: Engine, own_desk: Callable[..., Desk]
) -> None:
    desk = own_desk(docker_engine)
    assert desk.try_again()["state"] == "ready"
    make_project(desk, "Before the stop")
    with running_again(docker_engine):
        docker_engine.stop()
        error = notices(desk)
        assert error["what"] in {
            "No container engine is running.",
            f"Label Studio's container {desk.studio.state()['steps'][3]['detail']} was stopped.",
        }
        desk.fails("No container engine is running.", timeout=CLICK_SECONDS)
        docker_engine.start()
        works(desk)
    assert "Before the stop" in titles(desk)


def test_label_studio_goes_on_without_podmans_service(
    podman_engine: Engine, own_desk: Callable[..., Desk]
) -> None:
    desk = own_desk(podman_engine)
    assert desk.try_again()["state"] == "ready"
    before = container_of(podman_engine, desk.data_dir)
    with running_again(podman_engine):
        podman_engine.kill()
        wait_for(lambda: goes_on_says(desk), what="a word about it in Jupyter's log")
        make_project(desk, "Without the engine")
        podman_engine.start()
    assert "Without the engine" in titles(desk)
    # What it prints from now on is in the log as well.
    Path(f"/proc/{before.attrs['State']['Pid']}/fd/1").write_text("said afterwards\n")
    wait_for(
        lambda: [line for _, line in desk.studio.state()["log"] if line == "said afterwards"],
        what="what was printed afterwards",
    )
    assert desk.studio.state()["restarts"] == 0
    assert container_of(podman_engine, desk.data_dir).id == before.id
