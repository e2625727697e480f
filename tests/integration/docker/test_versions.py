"""The version of Label Studio in an image without a label that names it, such as a private one."""

from __future__ import annotations

import json
from collections.abc import Callable

from support.containers import containers_of
from support.desk import Desk
from support.engine import Engine
from support.label_studio_image import UNLABELLED, VERSION

from labelstudio_proxy.data_directory.directory import DataDirectory
from labelstudio_proxy.data_directory.migrations import VersionRecord


def test_the_image_is_asked_once_and_a_newer_database_is_refused(
    docker_engine: Engine, own_desk: Callable[..., Desk]
) -> None:
    desk = own_desk(docker_engine, image=UNLABELLED)
    assert desk.try_again()["versions"]["Label Studio"] == VERSION
    (kept,) = docker_engine.cache.glob("labelstudio-proxy/byte-code/*/version")
    assert kept.read_text() == VERSION
    directory = DataDirectory(desk.data_dir)
    assert VersionRecord.read(directory).label_studio == VERSION
    desk.studio.post("_proxy/stop")
    desk.studio.wait_for_state("stopped")

    VersionRecord("99.1.0").write(directory)
    error = desk.fails(f"Label Studio {VERSION} is older than the database.")
    assert "99.1.0" in error["why"]
    assert "`image`" in error["remedy"]
    assert "sha256" not in json.dumps(error)
    assert not containers_of(docker_engine, desk.data_dir)
