"""Two gateways and one data directory."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.gateway import PROGRAM, Gateway, add_account
from support.processes import wait_for


@pytest.fixture
def gateway(data_dir: Path) -> Iterator[Callable[..., Gateway]]:
    add_account(data_dir, "ada@localhost")
    with contextlib.ExitStack() as stack:

        def start(path: Path = data_dir) -> Gateway:
            made = Gateway(path)
            stack.callback(made.stop)
            return made

        yield start


def state(gateway: Gateway) -> dict[str, Any]:
    found: dict[str, Any] = gateway.ask("GET", "/_proxy/state").json()
    return found


def fails(gateway: Gateway) -> dict[str, str]:
    gateway.ask("POST", "/_proxy/start", [PROGRAM])
    wait_for(lambda: gateway.state() == "failed", what=lambda: str(state(gateway)), timeout=30)
    error: dict[str, str] = state(gateway)["error"]
    return error


def test_the_second_is_told_and_has_it_when_the_first_has_stopped(
    gateway: Callable[..., Gateway], data_dir: Path
) -> None:
    first, second = gateway(), gateway()
    first.start()
    error = fails(second)
    assert error["what"] == f"The data directory {data_dir} is in use."
    assert "`labelstudio-proxy stop`" in error["remedy"]
    assert first.state() == "ready"
    assert first.arrived("GET", "/api/projects", [PROGRAM]).method == "GET"
    first.stop_label_studio()
    second.start()
    assert fails(first)["what"] == error["what"]


def test_a_link_to_it_is_the_same_directory(
    gateway: Callable[..., Gateway], data_dir: Path
) -> None:
    link = data_dir.with_name("link")
    link.symlink_to(data_dir)
    first, second = gateway(), gateway(link)
    first.start()
    assert "is in use" in fails(second)["what"]


def test_one_that_was_killed_blocks_nobody(gateway: Callable[..., Gateway]) -> None:
    first, second = gateway(), gateway()
    first.start()
    os.kill(first.process.pid, signal.SIGKILL)
    second.start()
    assert second.state() == "ready"


def test_a_second_that_comes_while_the_first_is_stopping_waits_for_it(
    gateway: Callable[..., Gateway],
) -> None:
    first, second = gateway(), gateway()
    first.start()
    second.ask("POST", "/_proxy/start", [PROGRAM])
    wait_for(
        lambda: any("waiting" in step["detail"] for step in state(second)["steps"]),
        what=lambda: str(state(second)),
    )
    first.ask("POST", "/_proxy/stop", [PROGRAM])
    wait_for(lambda: second.state() == "ready", what=lambda: str(state(second)))


def test_a_restart_keeps_it(gateway: Callable[..., Gateway]) -> None:
    first = gateway()
    first.start()
    first.ask("POST", "/_proxy/restart", [PROGRAM])
    wait_for(lambda: state(first)["restarts"] == 1, what="a restart")
    wait_for(lambda: first.state() == "ready", what=lambda: str(state(first)))
