"""The folder of `docker run -v $(pwd)/mydata:/label-studio/data heartexlabs/label-studio`."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container
from support.container_studio import json_of, new_project, titles
from support.containers import container_of, on
from support.desk import Desk
from support.engine import Engine
from support.images import LABEL_STUDIO
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import wait_for

from labelstudio_proxy.data_directory.directory import PROXY_FOLDER

USER = 1001  # of the image
EMAIL = "ada@example.org"
ACCOUNT = {"LABEL_STUDIO_USERNAME": EMAIL, "LABEL_STUDIO_PASSWORD": "a password of some length"}

Begin = Callable[..., Desk]


@pytest.fixture
def mydata(new_data_dir: Callable[[], Path]) -> Path:
    """A folder of the image's user, with a migrated database."""
    folder = new_data_dir()
    for path in (folder, *folder.rglob("*")):
        os.chown(path, USER, 0)
    return folder


@pytest.fixture
def recipe(docker_engine: Engine, mydata: Path) -> Iterator[Container]:
    """The recipe's container, running."""
    container = docker_engine.client.containers.run(
        LABEL_STUDIO,
        detach=True,
        name="recipe",
        environment=ACCOUNT,
        volumes={str(mydata): {"bind": "/label-studio/data", "mode": "rw"}},
    )
    try:
        yield container
    finally:
        container.remove(force=True)


@pytest.fixture
def begin(
    docker_engine: Engine,
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    mydata: Path,
) -> Begin:
    """Start Jupyter with the folder as its data directory."""

    def begin(**settings: Any) -> Desk:
        jupyter = jupyter_lab(**on(docker_engine, mydata, **settings))
        return Desk(jupyter, label_studio_client(jupyter), data_dir=mydata)

    return begin


def rights(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return owner, group and mode of everything in the folder that a start could change."""
    found = {}
    for path in (folder, *folder.iterdir()):
        status = path.stat()
        found[path.name] = (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))
    return found


def test_its_data_come_along_and_the_recipe_still_works_on_it(
    docker_engine: Engine, mydata: Path, recipe: Container, begin: Begin
) -> None:
    served = "Starting development server"
    wait_for(lambda: served in recipe.logs().decode(), what="the recipe", timeout=120)
    before = rights(mydata)
    desk = begin()
    error = desk.fails("Another Label Studio uses the data directory", "the container recipe")
    assert f"`docker --host {docker_engine.address} stop recipe`" in error["remedy"]
    assert rights(mydata) == before

    recipe.stop(timeout=5)
    assert desk.try_again()["state"] == "ready"
    assert json_of(desk.studio.get("api/current-user/whoami"))["email"] == EMAIL
    new_project(desk.studio, "Made in Jupyter")
    assert container_of(docker_engine, mydata).attrs["Config"]["User"] == f"{USER}:0"
    paths = [path for path in mydata.rglob("*") if PROXY_FOLDER not in path.parts]
    assert {path.lstat().st_uid for path in paths} == {USER}
    desk.studio.post("_proxy/stop")
    desk.studio.wait_for_state("stopped")

    recipe.start()
    wait_for(lambda: recipe.logs().decode().count(served) == 2, what="the recipe", timeout=120)
    recipe.stop(timeout=5)
    assert desk.try_again()["state"] == "ready"
    assert "Made in Jupyter" in titles(desk.studio)


def test_a_local_process_does_not_start_beside_it(recipe: Container, begin: Begin) -> None:
    desk = begin(backend="process")
    desk.fails("Another Label Studio uses the data directory", f"the container {recipe.name}")
