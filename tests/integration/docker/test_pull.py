"""Downloads of an image as a user sees them, from a real registry over good and bad lines."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine
from support.images import LABEL_STUDIO, LAYERS, is_there, pushed
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import clean_environment, wait_for
from support.registry import Registry

SLOW = 1_000_000  # bytes per second
PROMPT_SECONDS = 8.0
PREPARE = [sys.executable, "-m", "labelstudio_proxy", "prepare"]


@pytest.fixture
def remote_image(docker_engine: Engine, registry: Registry) -> Iterator[str]:
    """An image that is in the registry, and not in the engine. There is nothing to run in it."""
    with pushed(registry, docker_engine) as name:
        yield name


@pytest.fixture(scope="module")
def shared(
    docker_engine: Engine,
    registry: Registry,
    module_jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
) -> LabelStudioClient:
    config = {"backend": "docker", "image": f"{registry.address}/label-studio:1"}
    env = {"DOCKER_HOST": docker_engine.address}
    return label_studio_client(module_jupyter_lab(config=config, env=env))


@pytest.fixture
def studio(shared: LabelStudioClient, remote_image: str) -> LabelStudioClient:
    """A Label Studio whose image is `remote_image`, and that is not running."""
    return shared


def pulling(client: LabelStudioClient) -> dict[str, Any]:
    """Wait for the middle of a download and return the snapshot."""
    seen: dict[str, Any] = {}

    def under_way() -> bool:
        seen.update(client.state())
        assert seen["state"] != "failed", seen["error"]
        return seen["state"] == "pulling" and seen["progress"] is not None

    wait_for(under_way, what=lambda: f"a download: {seen}", pause=0.05)
    return seen


def pull_detail(snapshot: dict[str, Any]) -> str:
    (detail,) = (step["detail"] for step in snapshot["steps"] if step["id"] == "pull")
    return str(detail)


def test_a_missing_image_is_downloaded_with_progress(
    studio: LabelStudioClient, docker_engine: Engine, registry: Registry, remote_image: str
) -> None:
    registry.line.rate = SLOW
    studio.start()
    snapshot = pulling(studio)
    assert re.search(r"of 4 layers · .*B of .*B · .*B/s", pull_detail(snapshot))
    progress = snapshot["progress"]
    assert 0 <= progress["done"] <= progress["total"] <= sum(LAYERS) * 1.01
    page = studio.get("", headers={"Accept": "text/html"}).text
    assert "The image is downloaded only once." in page
    assert "of 4 layers" in page
    assert re.search(r">\d+ %<", page)
    registry.line.rate = None
    assert "no `label-studio` program" in studio.wait_for_state("failed")["error"]["why"]
    assert is_there(docker_engine, remote_image)
    assert all(size < max(LAYERS) * 1.1 for size in registry.line.layers().values())


def test_a_download_works_after_being_offline_without_a_restart_of_jupyter(
    studio: LabelStudioClient, docker_engine: Engine, registry: Registry, remote_image: str
) -> None:
    registry.line.refuse()
    studio.start()
    error = studio.wait_for_state("failed")["error"]
    assert "cannot be reached" in error["why"]
    assert " load`" in error["remedy"]
    registry.line.admit()
    studio.start()
    wait_for(lambda: is_there(docker_engine, remote_image), what="the image")
    studio.wait_for_state("failed")


def test_a_download_can_be_stopped(
    studio: LabelStudioClient, registry: Registry, remote_image: str
) -> None:
    registry.line.rate = SLOW / 10
    studio.start()
    pulling(studio)
    studio.post("_proxy/stop")
    studio.wait_for_state("stopped", timeout=20)
    wait_for(lambda: registry.line.connections == 0, what="the end of the traffic", timeout=20)
    assert sum(registry.line.layers().values()) < sum(LAYERS)


def test_stop_and_the_end_of_jupyter_do_not_wait_for_an_engine_that_hangs_in_a_pull(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    docker_engine: Engine,
    registry: Registry,
    remote_image: str,
) -> None:
    config = {"backend": "docker", "image": remote_image}
    jupyter = jupyter_lab(config=config, env={"DOCKER_HOST": docker_engine.address})
    client = label_studio_client(jupyter)

    def hang() -> None:
        registry.line.rate = SLOW / 10
        client.start()
        pulling(client)
        docker_engine.freeze()

    try:
        hang()
        client.post("_proxy/stop")
        client.wait_for_state("stopped", timeout=PROMPT_SECONDS)
        docker_engine.thaw()
        hang()
        began = time.monotonic()
        jupyter.stop()
        assert time.monotonic() - began < PROMPT_SECONDS
    finally:
        docker_engine.thaw()
    wait_for(lambda: registry.line.connections == 0, what="the end of the traffic", timeout=20)
    assert not is_there(docker_engine, remote_image)


def settings_for(engine: Engine, image: str, home: Path) -> dict[str, str]:
    return clean_environment(home) | {
        "DOCKER_HOST": engine.address,
        "LABELSTUDIO_PROXY_BACKEND": "docker",
        "LABELSTUDIO_PROXY_IMAGE": image,
    }


def test_prepare_compiles_the_image_in_advance(docker_engine: Engine, tmp_path: Path) -> None:
    done = subprocess.run(
        PREPARE,
        env=settings_for(docker_engine, LABEL_STUDIO, tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    image = docker_engine.client.images.get(LABEL_STUDIO)
    said = f"The image {LABEL_STUDIO} is here ({image.short_id}), with its byte code.\n"
    assert done.stdout == said
    assert done.stderr == ""  # no progress bar without a terminal
    compiled = {path.name.partition(".")[0] for path in tmp_path.rglob("*.pyc")}
    compiled |= {path.parent.name for path in tmp_path.rglob("__init__.*.pyc")}
    assert {"label_studio", "labelstudio_settings", "wsgi", "argparse", "pandas"} <= compiled


def test_prepare_downloads_an_image_and_says_that_it_has_no_label_studio(
    docker_engine: Engine, remote_image: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        PREPARE,
        env=settings_for(docker_engine, remote_image, tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert docker_engine.client.images.get(remote_image)
    assert "The image has no `label-studio` program." in done.stderr


def test_prepare_shows_a_progress_bar_on_a_terminal(
    docker_engine: Engine, registry: Registry, remote_image: str, tmp_path: Path
) -> None:
    registry.line.rate = SLOW
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, 0, 0))
    process = subprocess.Popen(
        PREPARE,
        env=settings_for(docker_engine, remote_image, tmp_path),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(ours)
    assert process.wait(60) == 1  # there is nothing to run in it
    text = shown.decode()
    assert "4 layers" in text
    assert re.search(r"\[#*-+\] +\d+%", text)
    assert "B/s" in text
    assert "compiling Label Studio" in text
