"""The record of a container after a crash of its gateway, without an engine."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socketserver
from pathlib import Path

import pytest

from labelstudio_proxy.backends.docker import container, leftover
from labelstudio_proxy.backends.docker import engine as docker_engine
from labelstudio_proxy.backends.docker.leftover import (
    RECORD,
    clear_record,
    remove_recorded,
    write_record,
)
from labelstudio_proxy.data_directory.directory import DataDirectory
from labelstudio_proxy.problem import Problem


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDirectory:
    """A directory whose engine cannot be reached."""

    async def fails(url: str, name: str, labels: dict[str, str]) -> bool:
        raise Problem(f"No engine for {name}.", "", "")

    monkeypatch.setattr(leftover, "_remove", fails)
    found = DataDirectory(tmp_path / "data")
    found.path.mkdir()
    return found


async def test_without_an_engine_the_container_is_reported(directory: DataDirectory) -> None:
    write_record(directory, "unix:///e", "labelstudio-proxy-ada-1", {"a": "b"})
    said = await remove_recorded(directory)
    assert "No engine for labelstudio-proxy-ada-1." in said
    assert "`docker rm --force labelstudio-proxy-ada-1`" in said
    assert await remove_recorded(directory)  # the record stays
    clear_record(directory)
    assert await remove_recorded(directory) == ""


async def test_the_container_of_one_engine_can_be_kept(directory: DataDirectory) -> None:
    """The container backend adopts or replaces the one in its own engine."""
    write_record(directory, "unix:///e", "labelstudio-proxy-ada-1", {"a": "b"})
    assert await remove_recorded(directory, keep_engine="unix:///e") == ""
    assert await remove_recorded(directory, keep_engine="unix:///another")


async def test_a_copy_of_a_directory_has_no_container(directory: DataDirectory) -> None:
    write_record(directory, "unix:///e", "labelstudio-proxy-ada-1", {"a": "b"})
    copy = DataDirectory(directory.path.with_name("copy"))
    shutil.copytree(directory.path, copy.path)
    assert await remove_recorded(copy) == ""


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", "{", json.dumps({"engine": 0, "name": 1, "labels": 2})]
)
async def test_an_unreadable_record_is_no_record(directory: DataDirectory, text: str) -> None:
    directory.proxy_folder.mkdir()
    (directory.proxy_folder / RECORD).write_text(text)
    assert await remove_recorded(directory) == ""


async def test_a_recorded_address_is_used_only_if_the_users_settings_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who can write to a shared folder must not direct another user's gateway."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "no config"))
    directory = DataDirectory(tmp_path)
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        server.timeout = 0.5
        called = []
        monkeypatch.setattr(server, "verify_request", lambda *asked: called.append(asked))
        write_record(directory, f"tcp://127.0.0.1:{server.server_address[1]}", "evil", {})
        said, _ = await asyncio.gather(
            remove_recorded(directory), asyncio.to_thread(server.handle_request)
        )
    assert called == []
    assert "not in the settings any more" in said


class _Engine:
    """An engine with a container of another program."""

    def __init__(self, labels: dict[str, str]) -> None:
        self.labels = labels

    async def ask(self, call: object) -> _Engine:
        return self

    def close(self) -> None:
        pass


@pytest.mark.parametrize("labels", [{}, {"com.example": "1"}, {"labelstudio-proxy.user": "ada"}])
async def test_a_container_without_our_labels_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: dict[str, str]
) -> None:
    async def connect(url: str) -> _Engine:
        return _Engine(labels)

    async def remove(engine: object, container: object) -> None:
        pytest.fail("it was removed")

    monkeypatch.setattr(docker_engine, "connect_engine_at", connect)
    monkeypatch.setattr(container, "remove", remove)
    directory = DataDirectory(tmp_path)
    write_record(directory, "unix:///e", "other", labels)
    assert await remove_recorded(directory) == ""


async def test_a_failed_write_keeps_the_old_record(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_record(directory, "unix:///e", "labelstudio-proxy-ada-1", {"a": "b"})

    def full(*_: object, **__: object) -> int:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    write_record(directory, "unix:///e", "labelstudio-proxy-ada-2", {"a": "b"})
    assert "labelstudio-proxy-ada-1" in await remove_recorded(directory)


async def test_a_record_that_cannot_be_written_stops_nothing(directory: DataDirectory) -> None:
    directory.proxy_folder.write_text("no folder")
    write_record(directory, "unix:///e", "labelstudio-proxy-ada-1", {})
    clear_record(directory)
    assert await remove_recorded(directory) == ""
