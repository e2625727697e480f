"""Layers fetched by ourselves, without an engine: from a registry that does what it may, or errs."""

from __future__ import annotations

import asyncio
import io
import json
import os
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.fake_registry import INDEX, MANIFEST, FakeRegistry

from labelstudio_proxy.backends.docker import download as docker_download
from labelstudio_proxy.backends.docker.download import Download
from labelstudio_proxy.backends.docker.download_folder import KEPT_SECONDS, Folder, prune
from labelstudio_proxy.backends.docker.registry import NotForUs

LAYERS = [300_000, 3_000_000, 100_000]
INFO = {"OSType": "linux", "Architecture": "x86_64", "RegistryConfig": {"Mirrors": []}}
LINUX = {"os": "linux", "architecture": "amd64"}


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    started = FakeRegistry(LAYERS)
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the folders of downloads are."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(docker_download, "PAUSE_SECONDS", 0.01)
    return tmp_path / "labelstudio-proxy" / "images"


@pytest.fixture
def new(registry: FakeRegistry) -> Callable[..., Download]:
    def make(credentials: Mapping[str, str] | None = None, **info: str) -> Download:
        return Download(registry.name, INFO | info, credentials or {}, lambda *_: None)

    return make


async def fetch(download: Download, held: int = 0) -> str:
    """What it takes until the archive can be made: the image's id."""

    async def known(_: Sequence[str]) -> int:
        return held

    async with download.folder.held(lambda: None):
        found = await download.look()
        assert await download.run(known) == held
    return found


def part_of(download: Download, layer: str) -> Path:
    return download.folder.path / f"{layer.partition(':')[2]}.part"


def files_in(download: Download) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(download.archive()))) as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive}  # type: ignore[union-attr]


async def test_the_archive_has_what_the_registry_has(
    registry: FakeRegistry, new: Callable[..., Download]
) -> None:
    download = new()
    assert await fetch(download) == registry.config
    files = files_in(download)
    (listed,) = json.loads(files.pop("manifest.json"))
    assert listed["RepoTags"] == [registry.name]
    wanted = [registry.config, *registry.layers]
    assert [files[name] for name in (listed["Config"], *listed["Layers"])] == [
        registry.blobs[digest] for digest in wanted
    ]
    assert len(files) == len(wanted)


async def test_what_the_engine_has_is_not_fetched(
    registry: FakeRegistry, new: Callable[..., Download]
) -> None:
    download = new()
    await fetch(download, held=2)
    assert registry.asked("storage", registry.layers[2])
    assert not registry.asked("storage", registry.layers[0])
    files = files_in(download)
    (listed,) = json.loads(files["manifest.json"])
    assert len(listed["Layers"]) == len(LAYERS)
    assert [name in files for name in listed["Layers"]] == [False, False, True]


# ---- tokens


@pytest.mark.parametrize("token", [{"token": "one"}, {"access_token": "one"}])
async def test_a_token_is_got_where_the_registry_wants_one_and_shown_to_nobody_else(
    registry: FakeRegistry, new: Callable[..., Download], token: dict[str, str]
) -> None:
    registry.wants_token, registry.token = True, token
    registry.put_index({"os": "linux", "architecture": "s390x"}, LINUX)
    assert await fetch(new()) == registry.config
    assert registry.token_queries == [
        {"service": ["tests"], "scope": ["repository:label/studio:pull"]}
    ]
    assert "Authorization" not in registry.asked("registry", "/token")[0]
    blobs = registry.asked("registry", "/blobs/")
    assert {headers.get("Authorization") for headers in blobs} == {"Bearer one"}
    stored = registry.asked("storage")
    assert len(stored) == len(LAYERS) + 1
    assert not any("Authorization" in headers for headers in stored)


async def test_a_login_is_shown_to_the_token_service_alone(
    registry: FakeRegistry, new: Callable[..., Download]
) -> None:
    registry.wants_token = True
    await fetch(new({"Username": "ada", "Password": "lock and key"}))
    (headers,) = registry.asked("registry", "/token")
    assert headers["Authorization"] == "Basic YWRhOmxvY2sgYW5kIGtleQ=="
    others = [*registry.asked("registry", "/v2/"), *registry.asked("storage")]
    assert not any("Basic" in headers.get("Authorization", "") for headers in others)


async def test_a_token_that_ends_in_the_middle_of_a_layer_is_followed_by_another(
    registry: FakeRegistry, new: Callable[..., Download]
) -> None:
    layer = registry.layers[1]
    registry.wants_token, registry.cuts = True, {layer: 2_000_000}
    assert await fetch(new()) == registry.config
    assert len(registry.token_queries) >= 2
    assert ["Range" in headers for headers in registry.asked("storage", layer)] == [False, True]


@pytest.mark.parametrize("token", [b"<html>", b"[]", {"nothing": "here"}, {"token": None}])
async def test_a_token_service_that_makes_no_sense_is_left_to_the_engine(
    registry: FakeRegistry, new: Callable[..., Download], token: object
) -> None:
    """Also where it has made sense so far."""
    registry.wants_token = True
    download = new()
    async with download.folder.held(lambda: None):
        await download.look()

        async def held(_: Sequence[str]) -> int:
            registry.token = token
            registry.expire()
            return 0

        with pytest.raises(NotForUs):
            await download.run(held)


# ---- manifests


@pytest.mark.parametrize(
    "platforms",
    [
        [{"os": "linux", "architecture": "s390x"}],
        [{"os": "linux", "architecture": "amd64", "variant": "v3"}],
        [None],
        [],
    ],
)
async def test_an_index_without_this_platform_is_left_to_the_engine(
    registry: FakeRegistry, new: Callable[..., Download], platforms: list[Any]
) -> None:
    registry.put_index(*platforms)
    with pytest.raises(NotForUs, match="none for linux on x86_64"):
        await new().look()


@pytest.mark.parametrize(
    ("machine", "platform"),
    [
        ("armv7l", {"architecture": "arm", "variant": "v7"}),
        ("armv7l", {"architecture": "arm", "variant": "v6"}),
        ("armv6l", {"architecture": "arm", "variant": "v6"}),
        ("i686", {"architecture": "386"}),
        ("aarch64", {"architecture": "arm64", "variant": "v8"}),
        ("ppc64le", {"architecture": "ppc64le"}),
    ],
)
async def test_platforms_are_known_by_the_engines_words(
    registry: FakeRegistry, new: Callable[..., Download], machine: str, platform: dict[str, str]
) -> None:
    registry.put_index(
        {"os": "linux", "architecture": "arm", "variant": "v9"}, {"os": "linux"} | platform
    )
    assert await new(Architecture=machine).look() == registry.config


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (MANIFEST, b"<html>"),
        (MANIFEST, b"[]"),
        (MANIFEST, b"{}"),
        (MANIFEST, {"config": None, "layers": []}),
        (MANIFEST, {"config": {"digest": 1, "size": 1}, "layers": []}),
        (INDEX, b"[]"),
        (INDEX, {"manifests": None}),
        (INDEX, {"manifests": [None]}),
        (INDEX, {"manifests": [{"platform": "linux"}]}),
        ("text/html", b"{}"),
    ],
)
async def test_a_manifest_that_makes_no_sense_is_left_to_the_engine(
    registry: FakeRegistry, new: Callable[..., Download], kind: str, content: object
) -> None:
    registry.put_manifest("1", kind, content)
    with pytest.raises(NotForUs):
        await new().look()


# ---- layers


async def test_a_registry_that_cannot_go_on_in_the_middle_is_asked_for_all(
    registry: FakeRegistry, new: Callable[..., Download]
) -> None:
    """It answers 416, as often as it is asked."""
    layer = registry.layers[1]
    registry.refuses_ranges = True
    download = new()
    download.folder.path.mkdir(parents=True)
    part_of(download, layer).write_bytes(registry.blobs[layer][:1000])
    assert await fetch(download) == registry.config
    assert ["Range" in headers for headers in registry.asked("storage", layer)] == [True, False]


async def test_a_registry_that_would_compress_is_asked_not_to(
    registry: FakeRegistry, new: Callable[..., Download]
) -> None:
    registry.compresses = True
    assert await fetch(new()) == registry.config


async def test_wrong_bytes_are_left_to_the_engine_after_a_second_try(
    registry: FakeRegistry, new: Callable[..., Download]
) -> None:
    registry.corrupts = registry.layers[0]
    download = new()
    with pytest.raises(NotForUs, match="other bytes than it should"):
        await fetch(download)
    assert len(registry.asked("storage", registry.layers[0])) == 2
    assert not part_of(download, registry.layers[0]).exists()


@pytest.mark.parametrize("status", [403, 404, 429])
async def test_a_refusal_is_left_to_the_engine(
    registry: FakeRegistry, new: Callable[..., Download], status: int
) -> None:
    registry.refuses = status
    with pytest.raises(NotForUs, match=str(status)):
        await fetch(new())
    assert len(registry.asked("registry", "/blobs/")) == 1


# ---- the folder


async def test_one_download_has_the_folder_at_a_time(new: Callable[..., Download]) -> None:
    first, second = new(), new()
    waits = asyncio.Event()
    ended = False

    async def take() -> bool:
        async with second.folder.held(waits.set):
            return ended

    async with first.folder.held(lambda: None):
        first.folder.make(0)
        waiting = asyncio.create_task(take())
        await waits.wait()
        second.folder.clear_unless_held()
        assert second.folder.path.exists()
        ended = True
    assert await waiting


async def test_the_folder_is_free_when_a_download_is_stopped(new: Callable[..., Download]) -> None:
    download = new()
    taken = asyncio.Event()

    async def have() -> None:
        async with download.folder.held(lambda: None):
            taken.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(have())
    await taken.wait()
    task.cancel()
    await asyncio.wait([task])
    async with download.folder.held(pytest.fail):
        pass


async def test_layers_of_another_image_are_not_kept(
    registry: FakeRegistry, new: Callable[..., Download]
) -> None:
    download = new()
    download.folder.path.mkdir(parents=True)
    other = part_of(download, "sha256:" + "0" * 64)
    other.write_bytes(b"of an older image")
    await fetch(download)
    assert not other.exists()


async def test_nothing_is_left_once_it_is_loaded(cache: Path, new: Callable[..., Download]) -> None:
    folder = new().folder
    async with folder.held(lambda: None):
        folder.make(0)
        folder.clear()
    assert not folder.path.exists()
    assert not folder.path.with_suffix(".lock").exists()


def test_a_folder_that_cannot_be_removed_is_let_be(
    cache: Path, new: Callable[..., Download], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new().folder
    folder.path.mkdir(parents=True)
    (folder.path / "part").touch()

    def refuse(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "rmdir", refuse)
    folder.clear()
    folder.clear_unless_held()
    assert folder.path.exists()


def test_what_was_not_touched_for_a_week_is_forgotten(cache: Path) -> None:
    old, new = Folder("registry.example/old"), Folder("registry.example/new")
    long_ago = time.time() - KEPT_SECONDS - 60
    for folder in (old, new):
        folder.path.mkdir(parents=True)
        part = folder.path / "layer.part"
        part.touch()
        os.utime(folder.path, (long_ago, long_ago))
        if folder is old:
            os.utime(part, (long_ago, long_ago))
            os.utime(folder.path, (long_ago, long_ago))
    prune()
    assert [path.name for path in cache.iterdir()] == [new.path.name]


async def test_what_a_download_has_is_not_forgotten(cache: Path) -> None:
    folder = Folder("registry.example/old")
    long_ago = time.time() - KEPT_SECONDS - 60
    async with folder.held(lambda: None):
        folder.path.mkdir()
        os.utime(folder.path, (long_ago, long_ago))
        prune()
        assert folder.path.exists()


def test_where_nothing_was_ever_downloaded_there_is_nothing_to_forget(tmp_path: Path) -> None:
    prune()
    (tmp_path / "labelstudio-proxy").write_text("in the folder's place")
    prune()


async def test_a_cache_that_is_no_folder_is_left_to_the_engine(
    tmp_path: Path, new: Callable[..., Download]
) -> None:
    (tmp_path / "labelstudio-proxy").write_text("in the folder's place")
    with pytest.raises(OSError, match="labelstudio-proxy"):
        await fetch(new())
