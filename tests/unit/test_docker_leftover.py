"""The note of a container that may have been left behind, without an engine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from labelstudio_proxy.backends import docker_leftover
from labelstudio_proxy.backends.docker_leftover import NOTE, end_container, forget, note
from labelstudio_proxy.datadir import DataDirectory
from labelstudio_proxy.problem import Problem


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDirectory:
    """A directory whose engine cannot be reached."""

    async def fails(url: str, name: str, labels: dict[str, str]) -> bool:
        raise Problem(f"No engine for {name}.", "", "")

    monkeypatch.setattr(docker_leftover, "_end", fails)
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


async def test_one_that_cannot_be_written_stops_nothing(directory: DataDirectory) -> None:
    directory.ours.write_text("no folder")
    note(directory, "unix:///e", "labelstudio-proxy-ada-1", {})
    forget(directory)
    assert await end_container(directory) == ""
