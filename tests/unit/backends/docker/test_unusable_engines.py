"""Addresses and sockets without a usable engine: each is explained, without an engine."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.processes import clean_environment

from labelstudio_proxy.backends.docker import engine as engines
from labelstudio_proxy.backends.docker.engine import connect_engine, engine_sockets
from labelstudio_proxy.backends.docker.engine_problems import EngineProblem
from labelstudio_proxy.backends.docker.plan import find_site

Respond = Callable[[socket.socket, bytes], object]


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path that DOCKER_HOST names; nothing is there."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
    return tmp_path / "engine.sock"


@contextlib.contextmanager
def listening(address: Path, respond: Respond) -> Iterator[None]:
    """A server that calls `respond` for each request, and then closes the connection."""

    connections: list[socket.socket] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connections.append(self.request)
            if request := self.request.recv(65536):
                respond(self.request, request)

    with socketserver.ThreadingUnixStreamServer(str(address), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            for connection in connections:  # one may still wait for its first request
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


async def fault() -> EngineProblem:
    with pytest.raises(EngineProblem) as raised:
        await connect_engine()
    return raised.value


# ---- sockets


async def test_without_a_socket_the_remedy_is_to_start_the_engine(address: Path) -> None:
    found = await fault()
    assert found.what == "No container engine is running."
    assert f"{address} does not exist" in found.why
    assert "DOCKER_HOST" in found.why
    assert "systemctl start docker" in found.remedy


async def test_a_socket_without_a_program_is_not_running(address: Path) -> None:
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(str(address))
    found = await fault()
    assert found.what == "The container engine is not running."
    assert f"Nothing listens at unix://{address}" in found.why
    assert "systemctl start docker" in found.remedy


async def test_a_file_in_place_of_the_socket_is_not_running(address: Path) -> None:
    await asyncio.to_thread(address.write_text, "")
    assert (await fault()).what == "The container engine is not running."


OK = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
OTHER_PROGRAMS = {
    "not found": "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found",
    "a page": "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<!doctype html><title>Mail</title>",
    "no HTTP": "220 mail.example ESMTP\r\n",
    "nothing": "",
    "an empty object": OK + "{}",
    "a list": OK + "[]",
    "a number": OK + "1",
}


@pytest.mark.parametrize("response", OTHER_PROGRAMS.values(), ids=OTHER_PROGRAMS)
async def test_another_program_is_not_an_engine(address: Path, response: str) -> None:
    with listening(address, lambda connection, _: connection.sendall(response.encode())):
        found = await fault()
    assert "does not respond like a container engine" in found.what
    assert str(address) in found.what
    assert "Docker or Podman" in found.remedy


async def test_a_response_that_never_ends_hits_the_time_out(
    address: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "QUICK_SECONDS", 0.3)
    stopped = threading.Event()

    def drip(connection: socket.socket, _: bytes) -> None:
        with contextlib.suppress(OSError):
            while not stopped.wait(0.05):
                connection.sendall(b"x")

    with listening(address, drip):
        found = await fault()
        stopped.set()
    assert found.what == "The container engine does not respond."


KEPT_OPEN = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}"


@pytest.mark.parametrize("version", ["{}", '{"ApiVersion": "1.0"}', '{"ApiVersion": 1}'])
async def test_no_connection_to_an_unusable_engine_stays_open(address: Path, version: str) -> None:
    closed = threading.Event()

    def respond(connection: socket.socket, _: bytes) -> None:
        connection.sendall(KEPT_OPEN.format(len(version), version).encode())
        if not connection.recv(1):
            closed.set()

    with listening(address, respond):
        found = await fault()  # the error keeps what it was raised from
        assert await asyncio.to_thread(closed.wait, 5)
    assert "does not respond like a container engine" in found.what


async def test_a_proxy_that_allows_only_the_version_is_explained(address: Path) -> None:
    def respond(connection: socket.socket, request: bytes) -> None:
        version = '{"Version": "27.0", "ApiVersion": "1.41", "MinAPIVersion": "1.24"}'
        allowed = b"/version " in request.partition(b"\r\n")[0]
        forbidden = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
        connection.sendall((OK + version if allowed else forbidden).encode())

    with listening(address, respond):
        engine = await connect_engine()
        try:
            with pytest.raises(EngineProblem) as raised:
                await find_site(engine)
        finally:
            engine.close()
    assert "does not allow Label Studio's container" in raised.value.what
    assert "403" in raised.value.why
    assert "proxy" in raised.value.remedy


# Run as another user, because root is never refused. A group without a name.
GROUP = 54321
CONNECT_AS_NOBODY = """
# All imports come first: the interpreter may be in root's home.
import asyncio, concurrent.futures.thread, json, os, sys
from pathlib import Path
from labelstudio_proxy.backends.docker import engine_problems
from labelstudio_proxy.backends.docker.engine import connect_engine
from labelstudio_proxy.backends.docker.engine_problems import EngineProblem
engine_problems.CONTAINER_MARKERS = tuple(map(Path, sys.argv[1:]))
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
try:
    asyncio.run(connect_engine())
except EngineProblem as fault:
    print(json.dumps(fault.as_json()))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("closed", ["socket", "folder"])
@pytest.mark.parametrize("in_container", [False, True])
def test_a_user_without_permission_for_the_socket(
    tmp_path: Path, closed: str, in_container: bool
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name, socket.socket(socket.AF_UNIX) as server:
        folder = Path(name)
        folder.chmod(0o700 if closed == "folder" else 0o755)
        address = folder / "engine.sock"
        server.bind(str(address))
        server.listen()
        address.chmod(0o660)
        os.chown(address, 0, GROUP)
        env = clean_environment(tmp_path) | {"DOCKER_HOST": f"unix://{address}"}
        done = subprocess.run(
            [sys.executable, "-c", CONNECT_AS_NOBODY, *(["/"] if in_container else [])],
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
    if in_container:
        number = GROUP if closed == "socket" else "<the group of the socket>"
        assert f"`--group-add {number}`" in error["remedy"]
    else:
        assert f"sudo usermod -aG {group} nobody" in error["remedy"]
        assert "rootless" in error["remedy"]


# ---- addresses and contexts


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of Docker's configuration; it is empty."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / ".docker"))
    (tmp_path / ".docker").mkdir()
    return tmp_path / ".docker"


def write_context(docker_config: Path, name: str, host: str) -> Path:
    """Write a context like `docker context create`."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = docker_config / "contexts" / "meta" / digest / "meta.json"
    meta.parent.mkdir(parents=True)
    endpoint = {"Host": host, "SkipTLSVerify": False}
    meta.write_text(json.dumps({"Name": name, "Endpoints": {"docker": endpoint}}))
    return meta


@pytest.mark.parametrize("config", [{"currentContext": "other"}, {}, None])
def test_a_context_in_the_environment_is_used(
    docker_config: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, str] | None
) -> None:
    write_context(docker_config, "work", "unix:///by/work.sock")
    write_context(docker_config, "other", "unix:///by/other.sock")
    if config is not None:
        (docker_config / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONTEXT", "work")
    assert engine_sockets()[0] == Path("/by/work.sock")


@pytest.mark.parametrize("damaged", [False, True])
async def test_a_missing_or_damaged_context_is_explained(
    docker_config: Path, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    if damaged:
        write_context(docker_config, "work", "").write_text("{")
    monkeypatch.setenv("DOCKER_CONTEXT", "work")
    found = await fault()
    assert found.what == "The Docker context 'work' cannot be used."
    assert "docker context ls" in found.remedy


async def test_the_explanation_of_a_missing_socket_names_the_context(
    docker_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_context(docker_config, "work", "unix:///nowhere/engine.sock")
    monkeypatch.setenv("DOCKER_CONTEXT", "work")
    found = await fault()
    assert found.what == "No container engine is running."
    assert "the Docker context 'work' names it" in found.why


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("tcp://127.0.0.1:1", "The container engine is not running."),
        ("tcp://localhost:1", "The container engine is not running."),
        ("tcp://192.0.2.1:2375", "is on another machine"),
        ("ssh://ada@hub.example", "is on another machine"),
        ("/var/run/docker.sock", "is not the address of a container engine"),
        ("127.0.0.1:2375", "is not the address of a container engine"),
        ("tcp://localhost:99999", "is not the address of a container engine"),
        ("nonsense", "DOCKER_HOST"),
        ("tcp://[::1", "DOCKER_HOST"),
    ],
)
async def test_an_address_without_an_engine_is_explained(
    monkeypatch: pytest.MonkeyPatch, host: str, words: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    assert words in (await fault()).as_sentence()


async def test_a_damaged_login_is_explained(
    docker_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    (docker_config / "config.json").write_text('{"auths": {"hub.example": {"auth": "x"}}}')
    found = await fault()
    assert str(docker_config / "config.json") in found.why
    assert "docker login" in found.remedy
