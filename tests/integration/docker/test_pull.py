"""Getting the image: from a real registry on loopback, over lines good and bad."""

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

import docker
import pytest
import requests
from support.engine import Engine, PodmanService
from support.images import LAYERS, pushed
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import clean_environment, wait_for
from support.registry import Registry

SLOW = 3_000_000  # bytes per second
PROMPT_SECONDS = 8.0

# The engine for which layers are fetched by ourselves.
by_ourselves = pytest.mark.parametrize("engine", ["docker_engine"], indirect=True)


@pytest.fixture(params=["docker_engine", "podman_engine"])
def engine(request: pytest.FixtureRequest, registry: Registry) -> Engine:
    found: Engine = request.getfixturevalue(request.param)
    if isinstance(found, PodmanService):
        found.trust(registry.address)
    return found


@pytest.fixture
def remote_image(docker_engine: Engine, engine: Engine, registry: Registry) -> Iterator[str]:
    """An image that is in the registry and in no engine."""
    with pushed(registry, docker_engine, engine) as name:
        yield name


@pytest.fixture
def studio(
    engine: Engine,
    remote_image: str,
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path: Path,
) -> Callable[..., LabelStudioClient]:
    def new(**settings: str) -> LabelStudioClient:
        config = {"backend": "docker", "image": remote_image, "data_dir": str(tmp_path / "data")}
        jupyter = jupyter_lab(config=config | settings, env={"DOCKER_HOST": engine.address})
        return label_studio_client(jupyter)

    return new


def is_there(engine: Engine, name: str) -> bool:
    try:
        return bool(engine.client.images.get(name))
    except docker.errors.ImageNotFound:
        return False


def sizes_of(image: str) -> dict[str, int]:
    """How large each layer is."""
    address, _, rest = image.partition("/")
    repository, _, tag = rest.partition(":")
    manifest = requests.get(
        f"http://{address}/v2/{repository}/manifests/{tag}",
        headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json"},
        timeout=30,
    )
    return {layer["digest"]: layer["size"] for layer in manifest.json()["layers"]}


def pulling(client: LabelStudioClient) -> dict[str, Any]:
    """A snapshot from the middle of a download."""
    seen: dict[str, Any] = {}

    def under_way() -> bool:
        seen.update(client.state())
        assert seen["state"] != "failed", seen["error"]
        return seen["state"] == "pulling" and seen["progress"] is not None

    wait_for(under_way, what=lambda: f"a download: {seen}")
    return seen


def step(snapshot: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in snapshot["steps"] if each["id"] == name)


def test_a_missing_image_is_downloaded_with_progress(
    studio: Callable[..., LabelStudioClient], engine: Engine, registry: Registry, remote_image: str
) -> None:
    registry.line.rate = SLOW
    client = studio()
    client.start()
    snapshot = pulling(client)
    detail = step(snapshot, "pull")["detail"]
    assert "of 4 layers" in detail
    assert "MB" in detail
    assert "/s" in detail
    progress = snapshot["progress"]
    assert 0 <= progress["done"] <= progress["total"] <= sum(LAYERS) * 1.01
    page = client.get("", headers={"Accept": "text/html"}).text
    assert "The image is downloaded only once." in page
    assert "of 4 layers" in page
    assert re.search(r">\d+ %<", page)
    registry.line.rate = None
    # There is nothing to run in this image.
    error = client.wait_for_state("failed")["error"]
    assert "no `label-studio` program" in error["why"]
    assert is_there(engine, remote_image)
    assert all(size < 9_200_000 for size in registry.line.layers().values())


def test_an_image_that_is_there_is_used_without_asking_the_registry(
    studio: Callable[..., LabelStudioClient], engine: Engine, registry: Registry, remote_image: str
) -> None:
    engine.client.images.pull(*remote_image.rsplit(":", 1))
    registry.line.reset()
    client = studio()
    client.start()
    assert "no `label-studio` program" in client.wait_for_state("failed")["error"]["why"]
    assert registry.line.requests == []


def test_always_asks_the_registry_and_never_does_not(
    studio: Callable[..., LabelStudioClient], engine: Engine, registry: Registry, remote_image: str
) -> None:
    client = studio(pull_policy="never")
    client.start()
    error = client.wait_for_state("failed")["error"]
    assert "is not on this machine" in error["what"]
    assert "`never`" in error["why"]
    assert registry.line.requests == []

    engine.client.images.pull(*remote_image.rsplit(":", 1))
    registry.line.reset()
    client = studio(pull_policy="always")
    client.start()
    assert "no `label-studio` program" in client.wait_for_state("failed")["error"]["why"]
    assert any("/manifests/" in request for request in registry.line.requests)
    assert registry.line.layers() == {}


def test_a_digest_is_as_good_as_a_tag(
    studio: Callable[..., LabelStudioClient], engine: Engine, registry: Registry, remote_image: str
) -> None:
    engine.client.images.pull(*remote_image.rsplit(":", 1))
    (digest,) = engine.client.images.get(remote_image).attrs["RepoDigests"]
    engine.client.images.remove(remote_image, force=True)
    client = studio(image=digest)
    client.start()
    assert "no `label-studio` program" in client.wait_for_state("failed")["error"]["why"]
    registry.line.reset()
    client.start()
    client.wait_for_state("failed")
    assert registry.line.requests == []


def test_a_download_that_was_cut_goes_on_with_the_next_try(
    studio: Callable[..., LabelStudioClient], engine: Engine, registry: Registry, remote_image: str
) -> None:
    sizes = sizes_of(remote_image)
    registry.line.rate = SLOW
    client = studio()
    client.start()

    def finished() -> set[str]:
        assert client.state()["error"] is None
        return {name for name, size in registry.line.layers().items() if size >= sizes[name]}

    wait_for(lambda: len(finished()) >= 2, what=lambda: f"two layers: {registry.line.blobs()}")
    done = finished()
    registry.line.refuse()
    error = client.wait_for_state("failed")["error"]
    assert "could not be downloaded" in error["what"]
    assert "again" in error["remedy"]
    registry.line.reset()
    client.start()
    assert "no `label-studio` program" in client.wait_for_state("failed")["error"]["why"]
    assert is_there(engine, remote_image)
    fetched = registry.line.layers()
    assert fetched
    if isinstance(engine, PodmanService):
        # It writes a layer down when it is done with those before it.
        assert len(fetched) < len(LAYERS)
    else:
        assert not done & set(fetched)
        # The layers that were cut go on in the middle, too.
        assert sum(fetched.values()) < sum(sizes[name] for name in fetched)


def test_a_line_that_breaks_again_and_again_is_enough(
    studio: Callable[..., LabelStudioClient], registry: Registry, remote_image: str, engine: Engine
) -> None:
    if isinstance(engine, PodmanService):
        return  # Podman 4.3 gives up, and keeps what it has
    registry.line.cut_after = 4_000_000
    client = studio()
    client.start()
    client.wait_for_state("failed")
    assert is_there(engine, remote_image)


def test_what_the_registry_does_not_have_is_told(
    studio: Callable[..., LabelStudioClient], remote_image: str
) -> None:
    client = studio(image=f"{remote_image.rpartition(':')[0]}:absent")
    client.start()
    error = client.wait_for_state("failed")["error"]
    assert "no image of that name and tag" in error["why"]
    assert "`image`" in error["remedy"]


def test_being_offline_is_told_and_mended_without_a_restart_of_jupyter(
    studio: Callable[..., LabelStudioClient], engine: Engine, registry: Registry, remote_image: str
) -> None:
    registry.line.refuse()
    client = studio()
    client.start()
    error = client.wait_for_state("failed")["error"]
    assert "cannot be reached" in error["why"]
    assert " load`" in error["remedy"]
    registry.line.admit()
    client.start()
    client.wait_for_state("failed")
    assert is_there(engine, remote_image)


def test_a_download_can_be_stopped(
    studio: Callable[..., LabelStudioClient], registry: Registry, remote_image: str
) -> None:
    registry.line.rate = SLOW / 10
    client = studio()
    client.start()
    pulling(client)
    client.post("_proxy/stop")
    client.wait_for_state("stopped", timeout=20)
    wait_for(lambda: registry.line.connections == 0, what="the end of the traffic", timeout=20)
    carried = sum(registry.line.layers().values())
    assert carried < sum(sizes_of(remote_image).values())


@by_ourselves
def test_stop_and_the_end_of_jupyter_do_not_wait_for_an_engine_that_unpacks(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    engine: Engine,
    registry: Registry,
    remote_image: str,
) -> None:
    config = {"backend": "docker", "image": remote_image}
    jupyter = jupyter_lab(config=config, env={"DOCKER_HOST": engine.address})
    client = label_studio_client(jupyter)

    def unpack() -> None:
        """All layers are here, and the engine does not take them."""
        registry.line.rate = SLOW / 10
        client.start()
        pulling(client)
        engine.freeze()
        registry.line.rate = None
        wait_for(
            lambda: "unpacking" in step(client.state(), "pull")["detail"],
            what=lambda: f"the engine's turn: {client.state()}",
        )

    try:
        unpack()
        client.post("_proxy/stop")
        client.wait_for_state("stopped", timeout=PROMPT_SECONDS)
        engine.thaw()
        unpack()
        began = time.monotonic()
        jupyter.stop()
        assert time.monotonic() - began < PROMPT_SECONDS
    finally:
        engine.thaw()
    assert not is_there(engine, remote_image)


@by_ourselves
def test_a_second_download_waits_for_the_first_and_has_nothing_to_do_then(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    engine: Engine,
    registry: Registry,
    remote_image: str,
    tmp_path: Path,
) -> None:
    environment = settings_for(engine, remote_image, tmp_path)
    jupyter = jupyter_lab(
        config={"backend": "docker", "image": remote_image},
        env={name: environment[name] for name in ("DOCKER_HOST", "XDG_CACHE_HOME")},
    )
    client = label_studio_client(jupyter)
    registry.line.rate = SLOW / 10
    with subprocess.Popen(
        PREPARE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as first:
        try:
            wait_for(registry.line.layers, what="a layer")
            client.start()
            wait_for(
                lambda: "another download" in step(client.state(), "pull")["detail"],
                what=lambda: f"a second download: {client.state()}",
            )
            assert client.state()["state"] == "pulling"
            registry.line.rate = None
            said, _ = first.communicate(timeout=60)
        finally:
            first.kill()
    assert first.returncode == 0, said
    assert "no `label-studio` program" in client.wait_for_state("failed")["error"]["why"]
    sizes = sizes_of(remote_image)
    fetched = registry.line.layers()
    assert all(size < sizes[name] * 1.1 for name, size in fetched.items())
    assert not any((tmp_path / ".cache").rglob("*.part"))


PREPARE = [sys.executable, "-m", "labelstudio_proxy", "prepare"]


def settings_for(engine: Engine, image: str, home: Path) -> dict[str, str]:
    return clean_environment(home) | {
        "DOCKER_HOST": engine.address,
        "LABELSTUDIO_PROXY_BACKEND": "docker",
        "LABELSTUDIO_PROXY_IMAGE": image,
    }


def test_prepare_downloads_ahead(
    engine: Engine, registry: Registry, remote_image: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        PREPARE,
        env=settings_for(engine, remote_image, tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"The image {remote_image} is here" in done.stdout
    assert done.stderr == ""  # no progress bar where there is no terminal
    assert is_there(engine, remote_image)


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
    assert process.wait(60) == 0
    text = shown.decode()
    assert "4 layers" in text
    assert "%|" in text
    assert "B/s" in text
    assert f"The image {remote_image} is here" in text
