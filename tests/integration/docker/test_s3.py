"""S3 with the notebook's credentials, from a container."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import media
from support.container_studio import Studio, tasks_of
from support.containers import container_of, on
from support.engine import DockerEngine
from support.jupyter import JupyterLab, LabelStudioClient
from support.s3 import S3Server, add_storage, label, picture_in

PICTURE = media.png()


@pytest.fixture(scope="module")
def s3(docker_engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tmp_path_factory.mktemp("s3"), host=docker_engine.host)
    server.put("pictures/one.png", PICTURE)
    yield server
    server.stop()


@pytest.fixture
def start(
    docker_engine: DockerEngine,
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    s3: S3Server,
    tmp_path: Path,
) -> Callable[..., Studio]:
    """Start a notebook with a profile, whose keys are not in `~/.aws`."""

    def new(**settings: Any) -> Studio:
        options = on(docker_engine, tmp_path / "data", **settings)
        keys = tmp_path / "keys"
        options["env"] |= {"AWS_PROFILE": "labels", "AWS_SHARED_CREDENTIALS_FILE": str(keys)}
        jupyter = jupyter_lab(**options)
        s3.write_profile(jupyter.home / ".aws", credentials=keys)
        client = label_studio_client(jupyter)
        client.wait_ready()
        return Studio(docker_engine, jupyter, client, tmp_path / "data", jupyter.root_dir)

    return new


def test_a_container_reads_the_files_with_the_credentials(
    start: Callable[..., Studio], s3: S3Server
) -> None:
    studio = start(aws_credentials=True)
    made = label(studio.client, "pictures", ["Hot dog", "Not hot dog"])["project"]
    (task,) = tasks_of(studio.client, made["id"])
    part = studio.client.get(task["data"]["image"], headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, PICTURE[10:20])
    link = studio.client.get(picture_in(studio.client, presign=True)).headers["Location"]
    assert link.startswith(s3.url)
    assert "eu-central-1" in link
    container = container_of(studio.engine, studio.data_dir)
    mounts = {mount["Destination"]: mount["RW"] for mount in container.attrs["Mounts"]}
    assert mounts["/tmp/.aws"] is False
    shown = json.dumps(container.attrs)
    assert not [key for key in s3.keys.values() if key in shown]


def test_without_the_setting_a_container_gets_no_file(start: Callable[..., Studio]) -> None:
    studio = start()
    assert "Unable to locate credentials" in add_storage(studio.client).text
    container = container_of(studio.engine, studio.data_dir)
    assert not [mount for mount in container.attrs["Mounts"] if "aws" in mount["Destination"]]
