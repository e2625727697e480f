"""Pictures of the notebook show in whichever folder Jupyter starts; if they are gone, the page says so."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect
from support import media
from support.browser import Tab
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

# As Label Studio made it when its document root was the folder around `pictures`
EARLIER = [{"image": "/data/local-files/?d=pictures/local.png"}]


def test_pictures_show_after_jupyter_has_started_in_another_folder(
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    new_page: Callable[..., Tab],
    data_dir: Path,
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    first, second = notebook_folder(home / "a"), notebook_folder(home / "b")
    (second / "pictures" / "local.png").write_bytes(media.png(80))
    for root in (first, second):  # so old that a browser would keep its copy for months
        os.utime(root / "pictures" / "local.png", (1e9, 1e9))
    options: dict[str, Any] = {"config": {"data_dir": str(data_dir)}, "env": {"HOME": str(home)}}
    with contextlib.ExitStack() as stack:
        jupyter = JupyterLab(root_dir=first, **options)
        stack.callback(jupyter.stop)
        client = label_studio_client(jupyter)
        client.wait_ready()
        project = new_project(client, "Pictures")
        import_local_files(client, project, first)
        json_of(client.post(f"api/projects/{project}/import", json=EARLIER))
        assert [picture_of(client, task) for task in tasks_of(client, project)] == [LOCAL, LOCAL]
    with contextlib.ExitStack() as stack:
        jupyter = JupyterLab(root_dir=second, **options)
        stack.callback(jupyter.stop)
        client = label_studio_client(jupyter)
        client.wait_ready()
        # A folder of today's root, with another picture of the same name
        others = new_project(client, "Others")
        import_local_files(client, others, second)
        json_of(client.post(f"api/projects/{others}/import", json=EARLIER))
        (storage,) = json_of(client.get(f"api/storages/localfiles?project={project}"))
        synced = json_of(client.post(f"api/storages/localfiles/{storage['id']}/sync"))
        assert synced["status"] == "completed", synced
        tasks = tasks_of(client, project)
        assert len(tasks) == 2
        assert exported_pictures(client, project) == [LOCAL, LOCAL]
        page = new_page(jupyter).page
        for task in (*tasks, *tasks_of(client, others), tasks[1]):
            shown = f"projects/{task['project']}/data?task={task['id']}"
            page.goto(f"{jupyter.origin}{jupyter.prefix}{shown}")
            picture = page.get_by_alt_text("image", exact=True)
            width = 64 if task["project"] == project else 80
            expect(picture).to_have_js_property("naturalWidth", width, timeout=30_000)
            for thumbnail in page.get_by_alt_text("Data").all():
                expect(thumbnail).to_have_js_property("naturalWidth", width)

        first.rename(home / "moved")
        page.reload()
        said = page.get_by_text(f"The folder {first / 'pictures'} does not exist.")
        expect(said).to_be_visible(timeout=30_000)
        page.get_by_role("button", name="Close").click()
        expect(said).not_to_be_visible()
