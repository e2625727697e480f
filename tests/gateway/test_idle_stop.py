"""The idle stop, with a small program in Label Studio's place."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.gateway import (
    PROGRAM,
    RUN_ECHO,
    Gateway,
    add_account,
    head,
    read_response,
    respond_with,
    stand_in,
)
from support.processes import again_and_again, children, wait_for

TIMEOUT = 3.0  # s
PAGE = [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "cors")]
NAVIGATION = [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "navigate")]


@pytest.fixture
def gateway(data_dir: Path) -> Iterator[Gateway]:
    add_account(data_dir, "ada@localhost")
    gateway = Gateway(data_dir, settings={"idle_timeout": TIMEOUT})
    gateway.start()
    yield gateway
    gateway.stop()


def activity(gateway: Gateway, method: str = "GET") -> dict[str, Any]:
    told: dict[str, Any] = gateway.ask(method, "/_proxy/activity", PAGE).json()
    return told


def test_open_pages_do_not_prevent_the_stop(gateway: Gateway) -> None:
    def poll() -> None:
        gateway.ask("GET", "/api/dm/project?interaction=timer", PAGE)
        gateway.ask("GET", "/_proxy/state", [PROGRAM])
        activity(gateway)

    with again_and_again(poll):
        gateway.until("stopped")
    snapshot = gateway.ask("GET", "/_proxy/state").json()
    assert snapshot["stopped_because"] == "Nobody has used it for 3 seconds."
    assert children(gateway.process.pid) == []
    assert "stop. Nobody has used it for 3 seconds." in gateway.process.log.read_text()

    # the next click restarts it
    page = gateway.ask("GET", "/projects/7/data?task=3", NAVIGATION)
    assert b"Starting Label Studio" in page.body
    gateway.until("ready")
    assert gateway.ask("GET", "/_proxy/state").json()["stopped_because"] == ""


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("POST", "/_proxy/activity", PAGE),
        ("GET", "/api/projects", [PROGRAM]),
    ],
)
def test_activity_prevents_the_stop(
    gateway: Gateway, method: str, target: str, headers: list[tuple[str, str]]
) -> None:
    with again_and_again(lambda: gateway.ask(method, target, headers)):
        time.sleep(2 * TIMEOUT)  # twice what it would take without them
        assert gateway.state() == "ready"
        assert activity(gateway)["stop_in"] > TIMEOUT / 2
    gateway.until("stopped")


def test_a_long_upload_is_activity_all_the_time(gateway: Gateway) -> None:
    with gateway.connection() as sock:
        sock.sendall(head("POST", "/api/import", [PROGRAM, ("Content-Length", "2")]) + b"a")
        time.sleep(2 * TIMEOUT)  # as long as the upload takes
        assert gateway.state() == "ready"
        assert activity(gateway)["stop_in"] == TIMEOUT
        sock.sendall(b"b")
        assert read_response(sock, "POST").status == 200
    assert 0 < activity(gateway)["stop_in"] < TIMEOUT
    gateway.until("stopped")


def test_an_export_that_a_page_waits_for_is_not_cut_off(gateway: Gateway) -> None:
    wanted = respond_with(body="a", rest=1)
    with gateway.connection() as sock:
        sock.sendall(head("GET", "/api/projects/1/export", [*PAGE, wanted]))
        time.sleep(2 * TIMEOUT)  # as long as the export takes
        assert gateway.state() == "ready"
        gateway.ask("GET", "/-/release", PAGE)
        assert read_response(sock, "GET").status == 200
    gateway.until("stopped")


def test_a_request_during_the_stop_restarts_label_studio(data_dir: Path) -> None:
    add_account(data_dir, "ada@localhost")
    slow = stand_in(
        data_dir.parent / "slow",
        "trap 'sleep 3; kill $!; exit 0' TERM",
        f"{RUN_ECHO.removeprefix('exec ')} &",
        "wait",
    )
    gateway = Gateway(data_dir, settings={"idle_timeout": 1.0, "label_studio": str(slow)})
    try:
        gateway.start()
        gateway.until("stopping")
        gateway.ask("GET", "/projects", NAVIGATION)
        gateway.until("ready")
        assert gateway.ask("GET", "/_proxy/state").json()["restart_reasons"] == {"asked": 1}
    finally:
        gateway.stop()


def test_a_page_learns_when_the_stop_comes(gateway: Gateway) -> None:
    first = activity(gateway)
    assert first["state"] == "ready"
    assert first["timeout"] == TIMEOUT
    wait_for(
        lambda: activity(gateway)["stop_in"] < first["stop_in"] / 2, what="a time that runs down"
    )
    assert activity(gateway, "POST")["stop_in"] == TIMEOUT
    gateway.until("stopped")
    stopped = activity(gateway)
    assert stopped.pop("ready_after") > 0
    assert stopped == {
        "state": "stopped",
        "backend": "process",
        "stopped_because": "Nobody has used it for 3 seconds.",
        "error": None,
        "holder": None,
        "next_start": None,
        "timeout": TIMEOUT,
        "stop_in": None,
    }
    # work in an old page does not start it
    assert activity(gateway, "POST")["state"] == "stopped"


@pytest.mark.parametrize("timeout", [0.0, 600.0])
def test_a_page_learns_whether_there_is_a_time_out(data_dir: Path, timeout: float) -> None:
    add_account(data_dir, "ada@localhost")
    gateway = Gateway(data_dir, settings={"idle_timeout": timeout})
    gateway.start()
    try:
        found = activity(gateway)
        assert found["timeout"] == timeout
        assert found["stop_in"] == (pytest.approx(timeout, abs=60) if timeout else None)
    finally:
        gateway.stop()


@pytest.mark.parametrize("more", [0, 100_000], ids=["small", "large"])
def test_pages_have_the_gateways_scripts(gateway: Gateway, more: int) -> None:
    gateway.ask("GET", "/-/release", [PROGRAM])
    html = [("Content-Type", "text/html")]
    wanted = respond_with(headers=html, body="<html><head></head>", rest=more)
    page = gateway.ask("GET", "/projects", [*NAVIGATION, wanted]).body.decode()
    assert re.findall(r"_proxy/static/(\w+)\.js", page) == ["prefix", "page"]
