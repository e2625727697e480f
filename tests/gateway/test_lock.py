"""Two gateways and one data directory."""

from __future__ import annotations

import contextlib
import errno
import getpass
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import support
from support.gateway import PROGRAM, Gateway, add_account
from support.processes import clean_environment, wait_for

from labelstudio_proxy.data_directory.directory import PROXY_FOLDER
from labelstudio_proxy.data_directory.lock_record import RECORD
from labelstudio_proxy.shell_command import shell_command

HOST = ("Host", "hub.example")
BROWSER = [HOST, ("Origin", "https://hub.example"), ("Sec-Fetch-Site", "same-origin")]
PAGE = [
    HOST,
    ("Accept", "text/html"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-User", "?1"),
]


@pytest.fixture
def gateway(data_dir: Path) -> Iterator[Callable[..., Gateway]]:
    add_account(data_dir, "ada@localhost")
    with contextlib.ExitStack() as stack:

        def start(path: Path = data_dir, **options: Any) -> Gateway:
            made = Gateway(path, **options)
            stack.callback(made.stop)
            return made

        yield start


@pytest.fixture
def pair(gateway: Callable[..., Gateway]) -> tuple[Gateway, Gateway]:
    """Two servers of one hub; Label Studio runs on the first."""
    first = gateway(prefix="/user/ada/labelstudio/")
    second = gateway(prefix="/user/ada/gpu/labelstudio/")
    first.ask("POST", "/_proxy/start", BROWSER)
    until(first, "ready")
    return first, second


def state(gateway: Gateway) -> dict[str, Any]:
    found: dict[str, Any] = gateway.ask("GET", "/_proxy/state").json()
    return found


def until(gateway: Gateway, *wanted: str, timeout: float = 30) -> dict[str, Any]:
    wait_for(lambda: gateway.state() in wanted, what=lambda: str(state(gateway)), timeout=timeout)
    return state(gateway)


def fails(gateway: Gateway) -> dict[str, str]:
    gateway.ask("POST", "/_proxy/start", [PROGRAM])
    error: dict[str, str] = until(gateway, "failed")["error"]
    return error


def take_over(gateway: Gateway, timeout: float = 60) -> dict[str, Any]:
    assert gateway.ask("POST", "/_proxy/take-over", BROWSER).status == 202
    return until(gateway, "ready", "failed", timeout=timeout)


def record(data_dir: Path) -> Path:
    return data_dir / PROXY_FOLDER / RECORD


def test_second_gateway_names_the_first_and_starts_after_the_first_stopped(
    pair: tuple[Gateway, Gateway], data_dir: Path
) -> None:
    first, second = pair
    address = "https://hub.example/user/ada/labelstudio/"
    error = fails(second)
    server = f"the Jupyter server at /user/ada/ on the host {os.uname().nodename}"
    assert error["what"] == f"The data directory {data_dir} is in use by {server}."
    assert error["why"].startswith("Open there since ")
    assert address in error["remedy"]
    holder = state(second)["holder"]
    assert 0 < time.time() - holder.pop("since") < 60
    assert holder == {
        "user": getpass.getuser(),
        "host": os.uname().nodename,
        "server": "the Jupyter server at /user/ada/",
        "address": address,
        "action": "Take over",
    }
    page = second.ask("GET", "/", PAGE).body.decode()
    assert 'data-state="failed" data-held data-reachable' in page
    assert f'href="{address}"' in page
    assert "/user/ada/gpu/labelstudio/_proxy/take-over" in page

    assert first.state() == "ready"
    assert first.arrived("GET", "/api/projects", [PROGRAM]).method == "GET"
    first.stop_label_studio()
    assert not record(data_dir).exists()
    second.start()
    assert fails(first)["what"].endswith(f"at /user/ada/gpu/ on the host {os.uname().nodename}.")


def test_take_over_and_take_it_back(pair: tuple[Gateway, Gateway], data_dir: Path) -> None:
    first, second = pair
    fails(second)
    assert take_over(second)["state"] == "ready"
    lost = until(first, "failed")
    assert lost["error"]["what"] == (
        f"The data directory {data_dir} was taken over by the Jupyter server at /user/ada/gpu/ on "
        f"the host {os.uname().nodename}."
    )
    assert lost["holder"]["action"] == "Take it back"
    assert lost["next_start"] is None

    # Neither a tab that is still open, nor a program, nor a look at it takes it back.
    first.ask("GET", "/api/projects", [*BROWSER, ("Sec-Fetch-Mode", "cors")])
    first.ask("GET", "/api/projects", [PROGRAM])
    assert "Take it back" in first.ask("GET", "/projects/", PAGE).body.decode()
    assert (first.state(), second.state()) == ("failed", "ready")

    assert take_over(first)["state"] == "ready"
    assert until(second, "failed")["holder"]["action"] == "Take it back"


def test_another_site_cannot_take_over(pair: tuple[Gateway, Gateway]) -> None:
    first, second = pair
    foreign = [HOST, ("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")]
    assert second.ask("POST", "/_proxy/take-over", foreign).status == 403
    assert second.ask("POST", "/_proxy/take-over", [HOST, ("Cookie", "a=b")]).status == 403
    assert second.ask("GET", "/_proxy/take-over", [PROGRAM]).status == 404
    assert (first.state(), second.state()) == ("ready", "stopped")


def test_command_line_takes_over(pair: tuple[Gateway, Gateway]) -> None:
    first, second = pair

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "labelstudio_proxy", *words],
            check=False,
            env=clean_environment(second.home),
            capture_output=True,
            text=True,
            timeout=120,
        )

    refused = run("start")
    assert refused.returncode == 1
    assert "is in use by the Jupyter server at /user/ada/ on" in refused.stderr
    assert f"`{shell_command('labelstudio-proxy start --take-over')}`" in refused.stderr
    taken = run("start", "--take-over")
    assert taken.stdout.startswith("Label Studio is ready"), taken.stderr
    assert until(first, "failed")["holder"]["server"] == "the Jupyter server at /user/ada/gpu/"


def test_one_of_two_simultaneous_starts_succeeds(gateway: Callable[..., Gateway]) -> None:
    both = gateway(), gateway()
    for each in both:
        each.ask("POST", "/_proxy/start", [PROGRAM])
    states = [until(each, "ready", "failed")["state"] for each in both]
    assert sorted(states) == ["failed", "ready"]


def test_link_to_a_data_directory_is_the_same_directory(
    gateway: Callable[..., Gateway], data_dir: Path
) -> None:
    link = data_dir.with_name("link")
    link.symlink_to(data_dir)
    first, second = gateway(), gateway(link)
    first.start()
    assert "is in use" in fails(second)["what"]


def test_killed_gateway_does_not_block_another(gateway: Callable[..., Gateway]) -> None:
    first, second = gateway(), gateway()
    first.start()
    os.kill(first.process.pid, signal.SIGKILL)
    second.start()
    assert second.state() == "ready"


def test_second_gateway_waits_while_the_first_stops(
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


def test_restart_keeps_the_lock(gateway: Callable[..., Gateway]) -> None:
    first = gateway()
    first.start()
    first.ask("POST", "/_proxy/restart", [PROGRAM])
    wait_for(lambda: state(first)["restarts"] == 1, what="a restart")
    wait_for(lambda: first.state() == "ready", what=lambda: str(state(first)))


@pytest.mark.parametrize("kind", ["flock", "fcntl"])
def test_file_system_without_locks_is_reported_at_once(
    gateway: Callable[..., Gateway], data_dir: Path, kind: str
) -> None:
    """SQLite needs the locks of fcntl(2), and waits for minutes where there are none."""
    folder = Path(support.__path__[0], "no_locks")
    refused = {"PYTHONPATH": str(folder), "REFUSED_LOCKS": f"{kind} {errno.ENOLCK}"}
    error = fails(gateway(env=refused))
    assert error["what"] == (
        f"The file system of the data directory {data_dir} does not support file locks."
    )
    assert os.strerror(errno.ENOLCK) in error["why"]
    assert "Set `data_dir` to a folder on a local disk" in error["remedy"]
