"""How an image gets into a real engine: who fetches which layers, with which login, onto which disk."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from support.engine import DockerEngine, Engine, PodmanService
from support.fake_registry import FakeRegistry
from support.images import LAYERS, pushed, with_another_layer
from support.registry import LOGIN, Registry

from labelstudio_proxy.backends.docker.download_folder import SPARE_BYTES, Folder
from labelstudio_proxy.backends.docker.engine import Engine as Connection
from labelstudio_proxy.backends.docker.engine import connect_engine
from labelstudio_proxy.backends.docker.image import get_image
from labelstudio_proxy.problem import Problem

# The engine for which layers are fetched by ourselves.
by_ourselves = pytest.mark.parametrize("engine", ["docker_engine"], indirect=True)


@pytest.fixture(params=["docker_engine", "podman_engine"])
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's, with nothing in it; for this process."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / ".docker"))
    (tmp_path / ".docker").mkdir()
    return tmp_path


@pytest.fixture
async def connection(
    engine: Engine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Connection]:
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    found = await connect_engine()
    yield found
    found.close()


@pytest.fixture
def remote_image(docker_engine: Engine, engine: Engine, registry: Registry) -> Iterator[str]:
    """An image that is in the registry and in no engine."""
    if isinstance(engine, PodmanService):
        engine.trust(registry.address)
    with pushed(registry, docker_engine, engine) as name:
        yield name


@pytest.fixture(scope="module")
def closed_registry() -> Iterator[Registry]:
    """One that asks for a login."""
    started = Registry(closed=True)
    yield started
    started.stop()


@pytest.fixture
def closed_image(docker_engine: Engine, engine: Engine, closed_registry: Registry) -> Iterator[str]:
    if isinstance(engine, PodmanService):
        engine.trust(closed_registry.address)
    with pushed(closed_registry, docker_engine, engine) as name:
        yield name


@pytest.fixture
def fake_registry(docker_engine: Engine) -> Iterator[FakeRegistry]:
    started = FakeRegistry([1_000_000, 200_000])
    yield started
    started.stop()
    for image in docker_engine.client.images.list(started.name.rpartition(":")[0]):
        docker_engine.client.images.remove(image.id, force=True)


@contextlib.contextmanager
def disk(path: Path, options: str) -> Iterator[Path]:
    """A file system of its own."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
    subprocess.run(command, check=True, timeout=60)
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True, timeout=60)


async def get(connection: Connection, name: str, policy: str = "missing") -> list[str]:
    """Have the image; gives what was shown of its progress."""
    shown: list[str] = []
    image = await get_image(connection, name, policy, lambda text, *_: shown.append(text))
    assert image.id == (await connection.ask(lambda client: client.images.get(name))).id
    return shown


# ---- which layers


@by_ourselves
async def test_layers_that_the_engine_has_of_another_version_are_not_fetched(
    connection: Connection, engine: Engine, registry: Registry, remote_image: str
) -> None:
    engine.client.images.pull(*remote_image.rsplit(":", 1))
    newer = with_another_layer(engine.client, remote_image, "2", 500_000)
    registry.push(engine.client, newer, "label-studio:2")
    wanted = engine.client.images.get(newer).id
    engine.client.images.remove(newer)
    registry.line.reset()
    await get(connection, newer)
    assert engine.client.images.get(newer).id == wanted
    (size,) = registry.line.layers().values()
    assert size < 600_000


@by_ourselves
async def test_a_tag_that_has_moved_is_followed_where_the_policy_is_always(
    connection: Connection, engine: Engine, registry: Registry, remote_image: str
) -> None:
    engine.client.images.pull(*remote_image.rsplit(":", 1))
    newer = with_another_layer(engine.client, remote_image, "2", 500_000)
    wanted = engine.client.images.get(newer).id
    registry.push(engine.client, newer, "label-studio:1")
    engine.client.images.remove(newer)
    registry.line.reset()
    await get(connection, remote_image, "missing")
    assert engine.client.images.get(remote_image).id != wanted
    assert registry.line.requests == []
    await get(connection, remote_image, "always")
    assert engine.client.images.get(remote_image).id == wanted
    assert len(registry.line.layers()) == 1
    registry.line.reset()
    await get(connection, remote_image, "always")
    assert registry.line.layers() == {}


async def test_an_image_for_other_processors_is_told(
    connection: Connection, registry: Registry, remote_image: str
) -> None:
    name = registry.push_index(remote_image, "s390x", {"os": "linux", "architecture": "s390x"})
    with pytest.raises(Problem) as problem:
        await get(connection, name)
    assert "for other processors only" in problem.value.why


# ---- from which registry


@by_ourselves
async def test_a_registry_with_tokens_and_its_layers_elsewhere(
    connection: Connection, fake_registry: FakeRegistry
) -> None:
    """As Docker Hub is."""
    fake_registry.wants_token = True
    fake_registry.put_index(
        {"os": "linux", "architecture": "arm64"}, {"os": "linux", "architecture": "amd64"}
    )
    shown = await get(connection, fake_registry.name)
    assert any("2 of 2 layers" in text for text in shown)
    for layer in fake_registry.layers:
        (headers,) = fake_registry.asked("storage", layer)
        assert "aiohttp" in headers["User-Agent"]
        assert "Authorization" not in headers


@by_ourselves
async def test_what_was_fetched_is_forgotten_when_the_engine_has_taken_over(
    connection: Connection, fake_registry: FakeRegistry
) -> None:
    fake_registry.refuses_strangers = True
    folder = Folder(fake_registry.name.rpartition(":")[0])
    folder.path.mkdir(parents=True)
    (folder.path / f"{fake_registry.layers[0].partition(':')[2]}.part").write_bytes(b"begun")
    await get(connection, fake_registry.name)
    assert any("docker/" in headers["User-Agent"] for headers in fake_registry.asked("storage"))
    assert not folder.path.exists()


async def test_a_registry_that_asks_for_a_login(
    connection: Connection, closed_image: str, home: Path
) -> None:
    with pytest.raises(Problem) as problem:
        await get(connection, closed_image)
    assert "does not let this user have it" in problem.value.why
    assert " login`" in problem.value.remedy
    auth = base64.b64encode(f"{LOGIN['username']}:{LOGIN['password']}".encode()).decode()
    logins = {"auths": {closed_image.partition("/")[0]: {"auth": auth}}}
    (home / ".docker" / "config.json").write_text(json.dumps(logins))
    await get(connection, closed_image)


async def test_a_credential_helper_that_is_gone_stops_nothing_that_is_public(
    connection: Connection, remote_image: str, home: Path
) -> None:
    (home / ".docker" / "config.json").write_text(json.dumps({"credsStore": "desktop"}))
    await get(connection, remote_image)


async def test_a_credential_helper_that_is_gone_is_named_where_a_login_is_needed(
    connection: Connection, closed_image: str, home: Path
) -> None:
    (home / ".docker" / "config.json").write_text(json.dumps({"credsStore": "desktop"}))
    with pytest.raises(Problem) as problem:
        await get(connection, closed_image)
    assert "does not let this user have it" in problem.value.why
    assert "`docker-credential-desktop`" in problem.value.why
    assert str(home / ".docker" / "config.json") in problem.value.why


# ---- onto which disk


@by_ourselves
@pytest.mark.parametrize("options", ["ro", "size=1m", f"size={SPARE_BYTES + sum(LAYERS) // 2}"])
async def test_a_cache_that_takes_nothing_stops_nothing(
    connection: Connection, remote_image: str, home: Path, options: str
) -> None:
    with disk(home / ".cache", options):
        await get(connection, remote_image)
        assert not any((home / ".cache").rglob("*.*"))


@by_ourselves
async def test_a_file_in_the_place_of_the_cache_stops_nothing(
    connection: Connection, remote_image: str, home: Path
) -> None:
    (home / ".cache").touch()
    await get(connection, remote_image)


@by_ourselves
async def test_a_disk_that_fills_up_in_the_middle_stops_nothing_and_is_freed(
    connection: Connection, remote_image: str, home: Path
) -> None:
    with disk(home / ".cache", f"size={SPARE_BYTES + sum(LAYERS) + 5_000_000}"):
        filled = False

        def fill(text: str, done: int, _: int) -> None:
            nonlocal filled
            if done and not filled:
                filled = True
                with contextlib.suppress(OSError), (home / ".cache" / "other").open("wb") as other:
                    while True:
                        other.write(bytes(1_000_000))
                        other.flush()

        await get_image(connection, remote_image, "missing", fill)
        assert filled
        assert [path.name for path in (home / ".cache").rglob("*") if path.is_file()] == ["other"]


async def test_an_engine_without_space_is_told(
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
    assert "keeps its images is full" in problem.value.why
    assert "docker image prune" in problem.value.remedy
