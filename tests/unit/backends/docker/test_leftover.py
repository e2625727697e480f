"""The note of a container that may have been left behind, without an engine."""

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
from labelstudio_proxy.backends.docker.leftover import NOTE, end_container, forget, note
from labelstudio_proxy.data_directory.directory import DataDirectory
from labelstudio_proxy.problem import Problem


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDirectory:
    """A directory whose engine cannot be reached."""

    async def fails(url: str, name: str, labels: dict[str, str]) -> bool:
        raise Problem(f"No engine for {name}.", "", "")

    monkeypatch.setattr(leftover, "_end", fails)
    found = DataDirectory(tmp_path / "data")
    found.path.mkdir()
    return found


async def test_without_an_engine_it_is_said_what_may_be_there(directory: DataDirectory) -> None:
    note(directory, "unix:///e", "labelstudio-proxy-ada-1", {"a": "b"})
    said = await end_container(directory)
    assert "No engine for labelstudio-proxy-ada-1." in said
    assert "`docker rm --force labelstudio-proxy-ada-1`" in said
    assert await end_container(directory)  # it is not forgotten
    forget(directory)
    assert await end_container(directory) == ""


async def test_that_of_one_engine_may_stay(directory: DataDirectory) -> None:
    """Of the one that a container backend uses itself, which adopts or replaces it."""
    note(directory, "unix:///e", "labelstudio-proxy-ada-1", {"a": "b"})
    assert await end_container(directory, but_of="unix:///e") == ""
    assert await end_container(directory, but_of="unix:///another")


async def test_a_copy_of_a_directory_has_no_container(directory: DataDirectory) -> None:
    note(directory, "unix:///e", "labelstudio-proxy-ada-1", {"a": "b"})
    copy = DataDirectory(directory.path.with_name("copy"))
    shutil.copytree(directory.path, copy.path)
    assert await end_container(copy) == ""


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", "{", json.dumps({"engine": 0, "name": 1, "labels": 2})]
)
async def test_a_note_that_cannot_be_read_is_none(directory: DataDirectory, text: str) -> None:
    directory.ours.mkdir()
    (directory.ours / NOTE).write_text(text)
    assert await end_container(directory) == ""


async def test_no_address_that_a_note_names_is_asked_but_one_that_the_user_has_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may write into the folder is not to have somebody else's gateway call anywhere."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "no config"))
    directory = DataDirectory(tmp_path)
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        server.timeout = 0.5
        called = []
        monkeypatch.setattr(server, "verify_request", lambda *asked: called.append(asked))
        note(directory, f"tcp://127.0.0.1:{server.server_address[1]}", "evil", {})
        said, _ = await asyncio.gather(
            end_container(directory), asyncio.to_thread(server.handle_request)
        )
    assert called == []
    assert "not among those that are set" in said


class _Engine:
    """One with a container of somebody's, which is not to be ended."""

    def __init__(self, labels: dict[str, str]) -> None:
        self.labels = labels

    async def ask(self, call: object) -> _Engine:
        return self

    def close(self) -> None:
        pass


@pytest.mark.parametrize("labels", [{}, {"com.example": "1"}, {"labelstudio-proxy.user": "ada"}])
async def test_no_container_is_ended_that_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: dict[str, str]
) -> None:
    async def connect(url: str) -> _Engine:
        return _Engine(labels)

    async def remove(engine: object, container: object) -> None:
        pytest.fail("it was removed")

    monkeypatch.setattr(docker_engine, "connect_engine_at", connect)
    monkeypatch.setattr(container, "remove", remove)
    directory = DataDirectory(tmp_path)
    note(directory, "unix:///e", "somebody's", labels)
    assert await end_container(directory) == ""


async def test_a_note_is_whole_or_as_before(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(directory, "unix:///e", "labelstudio-proxy-ada-1", {"a": "b"})

    def full(*_: object, **__: object) -> int:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    note(directory, "unix:///e", "labelstudio-proxy-ada-2", {"a": "b"})
    assert "labelstudio-proxy-ada-1" in await end_container(directory)


async def test_one_that_cannot_be_written_stops_nothing(directory: DataDirectory) -> None:
    directory.ours.write_text("no folder")
    note(directory, "unix:///e", "labelstudio-proxy-ada-1", {})
    forget(directory)
    assert await end_container(directory) == ""
