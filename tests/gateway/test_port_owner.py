"""Another user of the machine takes the port that Label Studio is to have, or had."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import stranger
from support.gateway import ECHO, PROGRAM, Gateway, add_account, script
from support.processes import free_port, wait_for
from support.stranger import Squatter, listening

from labelstudio_proxy.label_studio.port_owner import Listener, listeners

pytestmark = stranger.needed

SECRET = "a-label-of-the-users"


@pytest.fixture
def take(tmp_path: Path) -> Iterator[Callable[[int], Squatter]]:
    taken: list[Squatter] = []

    def take(port: int) -> Squatter:
        squatter = Squatter(port, tmp_path / f"squatter-{len(taken)}")
        taken.append(squatter)
        wait_for(lambda: squatter.listens, what="the squatter")
        return squatter

    yield take
    for squatter in taken:
        squatter.stop()


@pytest.fixture
def gateway(data_dir: Path, tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """A gateway whose Label Studio runs as these lines of a shell script; `$port` is its port."""
    add_account(data_dir, "ada@localhost")
    started: list[Gateway] = []
    find_port = 'for port; do [ "$last" = --port ] && break; last=$port; done'

    def start(*lines: str) -> Gateway:
        executable = script(
            tmp_path / "label-studio",
            find_port,
            f"echo $port > {tmp_path}/port.new; mv {tmp_path}/port.new {tmp_path}/port",
            *lines,
        )
        started.append(Gateway(data_dir, settings={"label_studio": str(executable)}))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def port_in(folder: Path) -> int:
    file = folder / "port"
    wait_for(file.exists, what="Label Studio's port")
    return int(file.read_text())


def test_listeners_are_found_wherever_they_listen(take: Callable[[int], Squatter]) -> None:
    own = os.geteuid()
    for host, family in (
        ("127.0.0.1", socket.AF_INET),
        ("0.0.0.0", socket.AF_INET),
        ("::", socket.AF_INET6),
        ("::ffff:127.0.0.1", socket.AF_INET6),
    ):
        with listening(host, family) as port:
            assert listeners(port) == {own}
            assert Listener(frozenset({own})).holds(port)
            assert not Listener(frozenset({own + 1})).holds(port)
    with listening("127.0.0.2") as port:
        assert listeners(port) == frozenset()
    port = free_port()
    assert not Listener(frozenset({own})).holds(port)
    take(port)
    assert Listener(frozenset({own})).foreign(port) == stranger.UID
    assert not Listener(frozenset({own})).holds(port)


def test_who_takes_the_port_before_label_studio_gets_nothing(
    gateway: Callable[..., Gateway], take: Callable[[int], Squatter], tmp_path: Path
) -> None:
    server = gateway("exec sleep 600")
    server.ask("POST", "/_proxy/start", [PROGRAM])
    squatter = take(port_in(tmp_path))
    server.ask("POST", "/api/projects", [PROGRAM], SECRET.encode())
    wait_for(lambda: server.state() == "failed", what="the failure")
    error = server.ask("GET", "/_proxy/state").json()["error"]
    assert "Somebody else listens" in error["what"]
    assert str(stranger.UID) in error["why"]
    assert squatter.received == b""


def test_who_takes_the_port_after_label_studio_gets_nothing(
    gateway: Callable[..., Gateway], take: Callable[[int], Squatter], tmp_path: Path
) -> None:
    echo = f"{shlex.quote(sys.executable)} {shlex.quote(str(ECHO))}"
    # Label Studio's port is free, but its program has not ended.
    server = gateway(f'{echo} "$@" & echo $! > {tmp_path}/pid', "wait", "exec sleep 600")
    server.start()
    assert server.ask("GET", "/api/projects", [PROGRAM]).status == 200
    port = port_in(tmp_path)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    wait_for(lambda: not listeners(port), what="a port that is free")
    squatter = take(port)
    for _ in range(20):
        back = server.ask("POST", f"/api/projects?q={SECRET}", [PROGRAM], SECRET.encode())
        assert back.status == 503
    assert squatter.received == b""
