"""Label Studio in the rootless Docker and the rootless Podman of a user without root's rights."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import plain_user
from support.container_studio import (
    LOCAL,
    UPLOADED,
    Studio,
    annotate,
    everything,
    import_local_files,
    new_project,
    notebook_folder,
    upload,
)
from support.containers import containers_of, processes_of, volumes
from support.engine import Engine
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import give

pytestmark = plain_user.needed

USER: dict[str, Any] = {**plain_user.USER, "extra_groups": []}


@pytest.fixture(scope="module")
def python() -> Iterator[Path]:
    """The Python of an environment with JupyterLab, for the user."""
    with plain_user.environment() as python:
        yield python


@pytest.fixture(scope="module")
def cache() -> Iterator[Path]:
    """The user's cache: the image is the same in both engines, and compiled once."""
    with plain_user.folder() as folder:
        os.chown(folder, plain_user.UID, plain_user.GID)
        yield folder


@pytest.fixture(scope="module")
def studio(
    rootless_engine: Engine,
    python: Path,
    cache: Path,
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
) -> Iterator[Studio]:
    """Label Studio in which the user has labelled an upload and a file of the notebook folder."""
    variables = {
        "DOCKER_HOST": rootless_engine.address,
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "XDG_CACHE_HOME": str(cache),
    }
    settings = {"backend": "docker", "data_dir": "~/labels"}
    jupyter = JupyterLab(python=python, user=USER, env=variables, config=settings)
    try:
        give(notebook_folder(jupyter.root_dir), plain_user.UID, plain_user.GID)
        client = label_studio_client(jupyter)
        client.wait_ready()
        project = new_project(client, "Pictures")
        upload(client, project)
        import_local_files(client, project, jupyter.root_dir)
        annotate(client, project)
        yield Studio(rootless_engine, jupyter, client, jupyter.home / "labels", jupyter.root_dir)
    finally:
        jupyter.stop()


def test_the_user_labels_and_owns_all_files(studio: Studio) -> None:
    seen = everything(studio.client)
    assert seen["pictures"] == [UPLOADED, LOCAL]
    assert [len(each) for each in seen["annotations"]] == [1, 1]
    files = [studio.data_dir, *studio.data_dir.rglob("*")]
    assert {path.lstat().st_uid for path in files} == {plain_user.UID}
    assert {path.lstat().st_mode & 0o077 for path in files} == {0}


def test_it_runs_as_the_user_without_capabilities_and_ports(studio: Studio) -> None:
    for process in processes_of(studio.container):
        assert process.stat().st_uid == plain_user.UID
        assert "CapBnd:\t0000000000000000\n" in (process / "status").read_text()
    assert not any(studio.container.attrs["NetworkSettings"]["Ports"].values())


def test_its_memory_is_shown_only_if_it_has_a_control_group(studio: Studio) -> None:
    grouped = studio.engine.client.info()["CgroupVersion"] != "1"
    assert (studio.client.get("_proxy/memory").json()["memory"] is not None) is grouped


def test_it_stops_and_starts_again_with_the_same_data(studio: Studio) -> None:
    before = everything(studio.client)
    studio.stop()
    assert containers_of(studio.engine, studio.data_dir) == []
    assert volumes(studio.engine) == set()
    studio.start()
    assert everything(studio.client) == before
