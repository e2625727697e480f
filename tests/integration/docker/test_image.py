"""Pulls an image into a real engine from a real registry, without Jupyter."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from support.engine import DockerEngine, Engine
from support.images import LAYERS, is_there, pushed, with_another_layer
from support.registry import LOGIN, Registry

from labelstudio_proxy.backends.docker import pull
from labelstudio_proxy.backends.docker.engine import Engine as Connection
from labelstudio_proxy.backends.docker.engine import connect_engine
from labelstudio_proxy.backends.docker.image import get_image
from labelstudio_proxy.problem import Problem

SLOW = 500_000  # bytes per second


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of this process, without a Docker configuration file."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / ".docker"))
    (tmp_path / ".docker").mkdir()
    return tmp_path


@pytest.fixture
async def connection(
    docker_engine: Engine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Connection]:
    monkeypatch.setenv("DOCKER_HOST", docker_engine.address)
    found = await connect_engine()
    yield found
    found.close()


@pytest.fixture
def remote_image(docker_engine: Engine, registry: Registry) -> Iterator[str]:
    """An image that is in the registry, and not in the engine."""
    with pushed(registry, docker_engine) as name:
        yield name


@pytest.fixture(scope="module")
def closed_registry(registry: Registry) -> Iterator[Registry]:
    """A registry that requires a login; the other one only for its check of what is installed."""
    started = Registry(closed=True)
    yield started
    started.stop()


@pytest.fixture
def closed_image(docker_engine: Engine, closed_registry: Registry) -> Iterator[str]:
    with pushed(closed_registry, docker_engine) as name:
        yield name


@contextlib.contextmanager
def disk(path: Path, options: str) -> Iterator[Path]:
    """A small file system at `path`."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
    subprocess.run(command, check=True, timeout=60)
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True, timeout=60)


async def get(
    connection: Connection,
    name: str,
    policy: str = "missing",
    during: Callable[[], object] = lambda: None,
    shown: list[str] | None = None,
) -> None:
    """Get the image. Call `during` when bytes arrive, and add the texts for people to `shown`."""

    def show(text: str, done: int, total: int) -> None:
        if shown is not None:
            shown.append(text)
        if done:
            during()

    image = await get_image(connection, name, policy, show)
    assert image.id == (await connection.ask(lambda client: client.images.get(name))).id


# ---- when the registry is asked


async def test_an_image_that_is_there_is_used_without_asking_the_registry(
    connection: Connection, docker_engine: Engine, registry: Registry, remote_image: str
) -> None:
    docker_engine.client.images.pull(*remote_image.rsplit(":", 1))
    registry.line.reset()
    for policy in ("missing", "never"):
        await get(connection, remote_image, policy)
    assert registry.line.requests == []


async def test_never_does_not_ask_the_registry_for_a_missing_image(
    connection: Connection, registry: Registry, remote_image: str
) -> None:
    with pytest.raises(Problem, match="is not on this machine") as problem:
        await get(connection, remote_image, "never")
    assert "`never`" in problem.value.why
    assert registry.line.requests == []


async def test_always_follows_a_tag_that_has_moved(
    connection: Connection, docker_engine: Engine, registry: Registry, remote_image: str
) -> None:
    docker_engine.client.images.pull(*remote_image.rsplit(":", 1))
    newer = with_another_layer(docker_engine.client, remote_image, "2", 500_000)
    wanted = docker_engine.client.images.get(newer).id
    registry.push(docker_engine.client, newer, "label-studio:1")
    docker_engine.client.images.remove(newer)
    registry.line.reset()
    await get(connection, remote_image, "missing")
    assert docker_engine.client.images.get(remote_image).id != wanted
    await get(connection, remote_image, "always")
    assert docker_engine.client.images.get(remote_image).id == wanted
    assert len(registry.line.layers()) == 1
    registry.line.reset()
    await get(connection, remote_image, "always")
    assert any("/manifests/" in request for request in registry.line.requests)
    assert registry.line.layers() == {}


async def test_a_digest_is_as_good_as_a_tag(
    connection: Connection, docker_engine: Engine, registry: Registry, remote_image: str
) -> None:
    docker_engine.client.images.pull(*remote_image.rsplit(":", 1))
    (digest,) = docker_engine.client.images.get(remote_image).attrs["RepoDigests"]
    docker_engine.client.images.remove(remote_image, force=True)
    await get(connection, digest)
    registry.line.reset()
    await get(connection, digest)
    assert registry.line.requests == []


# ---- a broken connection


async def test_a_pull_is_repeated_after_a_broken_connection(
    connection: Connection, docker_engine: Engine, registry: Registry, remote_image: str
) -> None:
    """Docker repeats a layer once (see tests/support/engine.py); then the pull fails."""
    registry.line.rate = SLOW
    shown: list[str] = []

    def cut() -> None:
        if not any(text.startswith("connection lost") for text in shown):
            registry.line.cut()

    await get(connection, remote_image, during=cut, shown=shown)
    assert f"connection lost, next try in {pull.PAUSE_SECONDS[0]:g} s" in shown
    assert is_there(docker_engine, remote_image)


async def test_a_connection_that_stays_broken_is_explained_and_the_next_start_succeeds(
    connection: Connection,
    registry: Registry,
    remote_image: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pull, "PAUSE_SECONDS", (0.05, 0.1))
    registry.line.rate = SLOW
    with pytest.raises(Problem, match="could not be downloaded") as problem:
        await get(connection, remote_image, during=registry.line.refuse)
    assert "the connection broke" in problem.value.why
    registry.line.reset()
    await get(connection, remote_image)


async def test_a_registry_out_of_reach_is_reported_without_repeats(
    connection: Connection, registry: Registry, remote_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "PAUSE_SECONDS", (3600.0,))
    registry.line.refuse()
    with pytest.raises(Problem) as problem:
        await get(connection, remote_image)
    assert "cannot be reached" in problem.value.why
    assert " load`" in problem.value.remedy


# ---- refusals


async def test_a_missing_tag_is_explained(connection: Connection, remote_image: str) -> None:
    with pytest.raises(Problem) as problem:
        await get(connection, f"{remote_image.rpartition(':')[0]}:absent")
    assert "no image of that name and tag" in problem.value.why
    assert "`image`" in problem.value.remedy


async def test_an_image_for_other_processors_is_explained(
    connection: Connection, registry: Registry, remote_image: str
) -> None:
    name = registry.push_index(remote_image, "s390x", {"os": "linux", "architecture": "s390x"})
    with pytest.raises(Problem) as problem:
        await get(connection, name)
    assert "for other processors only" in problem.value.why


async def test_a_registry_that_requires_a_login(
    connection: Connection, closed_image: str, home: Path
) -> None:
    with pytest.raises(Problem) as problem:
        await get(connection, closed_image)
    assert "refuses this user" in problem.value.why
    assert " login`" in problem.value.remedy
    auth = base64.b64encode(f"{LOGIN['username']}:{LOGIN['password']}".encode()).decode()
    logins = {"auths": {closed_image.partition("/")[0]: {"auth": auth}}}
    (home / ".docker" / "config.json").write_text(json.dumps(logins))
    await get(connection, closed_image)


@pytest.mark.filterwarnings("ignore:docker-credential-desktop not installed")
async def test_a_missing_credential_helper_matters_only_where_a_login_is_required(
    connection: Connection, remote_image: str, closed_image: str, home: Path
) -> None:
    (home / ".docker" / "config.json").write_text(json.dumps({"credsStore": "desktop"}))
    await get(connection, remote_image)
    with pytest.raises(Problem) as problem:
        await get(connection, closed_image)
    assert "refuses this user" in problem.value.why
    assert "docker-credential-desktop" in problem.value.why
    assert str(home / ".docker" / "config.json") in problem.value.why


async def test_an_engine_without_space_is_explained(
    home: Path, docker_engine: Engine, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = DockerEngine()
    try:
        with disk(home / "engine", f"size={sum(LAYERS) // 2}"):
            small.store = home / "engine" / "store"
            small.start()
            monkeypatch.setenv("DOCKER_HOST", small.address)
            connection = await connect_engine()
            try:
                with pushed(registry, docker_engine) as name, pytest.raises(Problem) as problem:
                    await get(connection, name)
            finally:
                connection.close()
                small.stop()
    finally:
        small.close()
    assert "disk of the container engine's images is full" in problem.value.why
    assert "docker image prune" in problem.value.remedy
