"""Label Studio's container on Alpine, whose C library is musl: the main job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support.container_studio import (
    LOCAL,
    UPLOADED,
    annotate,
    everything,
    import_local_files,
    new_project,
    notebook_folder,
    upload,
)
from support.containers import container_of, on
from support.engine import Engine
from support.images import load_musl
from support.jupyter import JupyterLab, LabelStudioClient


def test_users_can_label(
    docker_engine: Engine,
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path: Path,
) -> None:
    image = load_musl(docker_engine.client)
    notebooks, data_dir = notebook_folder(tmp_path / "notebooks"), tmp_path / "data"
    jupyter = jupyter_lab(root_dir=notebooks, **on(docker_engine, data_dir, image=image))
    client = label_studio_client(jupyter)
    client.wait_ready()
    container = container_of(docker_engine, data_dir)
    assert container.exec_run(["ls", "/lib/ld-musl-x86_64.so.1"]).exit_code == 0

    project = new_project(client, "Pictures")
    upload(client, project)
    import_local_files(client, project, notebooks)
    annotate(client, project)
    seen = everything(client)
    assert seen["pictures"] == [UPLOADED, LOCAL]
    assert [len(each) for each in seen["annotations"]] == [1, 1]
