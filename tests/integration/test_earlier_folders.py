"""Folders that projects already use are synced, in whichever folder Jupyter starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support import media
from support.container_studio import (
    LOCAL,
    exported_pictures,
    import_local_files,
    json_of,
    new_project,
    notebook_folder,
    picture_of,
    tasks_of,
)
from support.jupyter import JupyterLab, LabelStudioClient

NEW = media.png(80)


def test_a_folder_outside_of_todays_root_is_synced(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    data_dir: Path,
    tmp_path: Path,
) -> None:
    def begin(root: Path) -> LabelStudioClient:
        """Start a Jupyter whose home folder is elsewhere."""
        client = label_studio_client(jupyter_lab(root_dir=root, config={"data_dir": str(data_dir)}))
        client.wait_ready()
        return client

    first = notebook_folder(tmp_path / "a")
    client = begin(first)
    project = new_project(client, "Pictures")
    import_local_files(client, project, first)
    (storage,) = json_of(client.get(f"api/storages/localfiles?project={project}"))
    client.post("_proxy/stop")
    client.wait_for_state("stopped")

    (first / "pictures" / "new.png").write_bytes(NEW)
    client = begin(tmp_path / "b")
    synced = json_of(client.post(f"api/storages/localfiles/{storage['id']}/sync"))
    assert synced["status"] == "completed", synced
    assert [picture_of(client, task) for task in tasks_of(client, project)] == [LOCAL, NEW]
    assert sorted(exported_pictures(client, project)) == sorted([LOCAL, NEW])
