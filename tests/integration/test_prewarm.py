"""Label Studio starts with Jupyter, before a user clicks."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from support.containers import containers_of, on
from support.desk import Desk
from support.engine import Engine
from support.jupyter import JupyterLab, LabelStudioClient
from support.label_studio import EXECUTABLE
from support.processes import pids_that_mention, wait_for

READY = re.compile(r"Label Studio \(.*\) is ready after")
LOW = 10


@pytest.fixture
def start(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    data_dir: Path,
) -> Callable[..., Desk]:
    def start(**options: object) -> Desk:
        jupyter = jupyter_lab(**options)
        return Desk(jupyter, label_studio_client(jupyter), data_dir=data_dir)

    return start


def has_said(desk: Desk, words: re.Pattern[str]) -> bool:
    """Return True if Jupyter's log has these words. A request would start the gateway."""
    return words.search(desk.jupyter.log.read_text()) is not None


def label_studios(desk: Desk) -> list[Path]:
    """Return the processes of Label Studio, as folders of /proc."""
    processes = [Path(f"/proc/{pid}") for pid in pids_that_mention(desk.jupyter.home)]
    return [each for each in processes if b"labelstudio_server.py" in read(each / "cmdline")]


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it exited
        return b""


def parent(process: Path) -> str:
    """Return the pid of its parent; see proc(5)."""
    return read(process / "stat").rpartition(b") ")[2].split()[1].decode()


def priorities(process: Path) -> set[int]:
    """Return the nice values of its threads; see proc(5)."""
    found = [read(stat).rpartition(b") ")[2].split() for stat in process.glob("task/*/stat")]
    return {int(fields[16]) for fields in found if fields}


def test_it_is_ready_before_the_first_click_and_was_loaded_with_low_priority(
    start: Callable[..., Desk], data_dir: Path
) -> None:
    desk = start(config={"data_dir": str(data_dir), "prewarm": True})
    seen: set[int] = set()

    def is_ready() -> bool:
        for process in label_studios(desk):
            seen.update(priorities(process))
        return has_said(desk, READY)

    wait_for(is_ready, what=lambda: desk.jupyter.process.log_tail())
    assert LOW in seen
    # The worker has the usual priority.
    pids = {process.name for process in label_studios(desk)}
    (worker,) = (each for each in label_studios(desk) if parent(each) in pids)
    assert priorities(worker) == {os.nice(0)}  # that of the tests, and so of Jupyter
    assert "Label Studio could not be started" not in desk.click().text
    assert "<title>Label Studio" in desk.click().text
    assert desk.studio.state()["restarts"] == 0


def test_without_the_setting_nothing_is_started(start: Callable[..., Desk], data_dir: Path) -> None:
    """Another Jupyter, which starts later and has the setting, shows how long to wait."""
    idle = start(config={"data_dir": str(data_dir.parent / "other")})
    warm = start(config={"data_dir": str(data_dir), "prewarm": True})
    wait_for(lambda: has_said(warm, READY), what=lambda: warm.jupyter.process.log_tail())
    assert pids_that_mention(idle.jupyter.home) == []


def test_failed_start_is_repeated_at_the_click(start: Callable[..., Desk], data_dir: Path) -> None:
    executable = data_dir.parent / "label-studio"
    desk = start(
        config={"data_dir": str(data_dir), "label_studio": str(executable), "prewarm": True}
    )
    failure = re.compile(r"There is no Label Studio at")
    wait_for(lambda: has_said(desk, failure), what=lambda: desk.jupyter.process.log_tail())
    wait_for(lambda: desk.studio.state()["state"] == "stopped", what="the end of the start")
    assert failure.search(desk.studio.state()["error"]["what"])
    # The reason is gone before the click.
    executable.symlink_to(EXECUTABLE)
    desk.click()
    assert desk.settle()["state"] == "ready"


def test_with_wrong_settings_jupyter_starts_and_the_page_explains(
    start: Callable[..., Desk], data_dir: Path
) -> None:
    desk = start(config={"data_dir": str(data_dir), "owner_email": "nobody", "prewarm": True})
    wrong = re.compile(r"Label Studio \(.*\): .*owner_email")
    wait_for(lambda: has_said(desk, wrong), what=lambda: desk.jupyter.process.log_tail())
    desk.click()
    desk.tells(desk.settle(), "owner_email")


def test_container_gets_its_share_of_the_processors_after_its_first_response(
    start: Callable[..., Desk], docker_engine: Engine, data_dir: Path
) -> None:
    desk = start(**on(docker_engine, data_dir, prewarm=True))
    shares: list[int] = []

    def is_ready() -> bool:
        for container in containers_of(docker_engine, data_dir):
            shares.append(container.attrs["HostConfig"]["CpuShares"])
        return has_said(desk, READY)

    wait_for(is_ready, what=lambda: desk.jupyter.process.log_tail())
    assert 0 < shares[0] < 1024
    (container,) = containers_of(docker_engine, data_dir)
    wait_for(
        lambda: container.reload() or container.attrs["HostConfig"]["CpuShares"] == 1024,
        what="its usual share",
    )
