"""The disk of the data directory, and that of the home folder: checked rarely, and never waited for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.gateway import PROGRAM, RUN_ECHO, Gateway, add_account, respond_with, stand_in

from labelstudio_proxy.data_directory.directory import DataDirectory
from labelstudio_proxy.gateway.server import log_path


@pytest.fixture
def data_dir(new_data_dir: Callable[[], Path]) -> Path:
    data_dir = new_data_dir()
    add_account(data_dir, "ada@localhost")
    return data_dir


@pytest.fixture
def home_that_hangs(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """An environment in which a write to Label Studio's log never returns: no program reads the pipe."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    log = log_path(DataDirectory(data_dir))
    log.parent.mkdir(parents=True)
    os.mkfifo(log)
    return {"JUPYTER_DATA_DIR": str(tmp_path / "jupyter")}


@pytest.fixture
def gateway(data_dir: Path, tmp_path: Path, home_that_hangs: dict[str, str]) -> Iterator[Gateway]:
    prints = str(stand_in(tmp_path / "prints", "echo a line for the log", RUN_ECHO))
    gateway = Gateway(data_dir, settings={"label_studio": prints}, env=home_that_hangs)
    yield gateway
    gateway.stop()


def test_a_home_that_hangs_does_not_hang_the_gateway(gateway: Gateway) -> None:
    gateway.start()
    assert gateway.arrived("GET", "/api/projects", [PROGRAM]).method == "GET"
    gateway.stop_label_studio()


def test_failed_requests_cost_one_write_a_minute(gateway: Gateway, data_dir: Path) -> None:
    gateway.start()

    def fail() -> int:
        """Return when the data directory changed last."""
        response = gateway.ask("GET", "/api/x", [PROGRAM, respond_with(status=500, body="oops")])
        assert (response.status, response.body) == (500, b"oops")
        return data_dir.stat().st_mtime_ns

    before = data_dir.stat().st_mtime_ns
    first = fail()
    assert first > before
    assert [fail() for _ in range(5)] == [first] * 5
