"""Data directories and notebook folders with any name and of any user, in Docker."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from support.container_studio import (
    LOCAL,
    UPLOADED,
    annotate,
    everything,
    exported_pictures,
    import_local_files,
    json_of,
    new_project,
    notebook_folder,
    picture_of,
    tasks_of,
    upload,
)
from support.containers import (
    container_of,
    containers_of,
    on,
)
from support.engine import Engine
from support.http import Http
from support.image_archives import LABEL_STUDIO
from support.jupyter import JupyterLab, LabelStudioClient
from support.label_studio import access_token
from support.unix_port import port_of

from labelstudio_proxy.backends.base import Owner
from labelstudio_proxy.backends.docker.backend import DockerBackend
from labelstudio_proxy.backends.docker.container_spec import (
    container_environment,
)
from labelstudio_proxy.backends.docker.plan import DockerSettings, Planner
from labelstudio_proxy.data_directory import template
from labelstudio_proxy.data_directory.directory import DataDirectory
from labelstudio_proxy.label_studio.upstream import is_healthy, open_session

EMAIL = "ada@example.org"
USER = (12345, 12346)  # uid, gid


@pytest.fixture(scope="module")
def engine(docker_engine: Engine) -> Engine:
    return docker_engine


@pytest.mark.parametrize(
    "name", ["a:b c's", "Bücher/日本", "100% #1? $HOME", 'a,b "c", readonly', "link"]
)
async def test_any_user_can_use_any_folder(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    monkeypatch.setenv("XDG_CACHE_HOME", str(engine.cache))
    await use_as_another_user(tmp_path, name)


async def use_as_another_user(tmp_path: Path, name: str) -> None:
    """Label and import as another user; paths in the container are those of the notebook."""
    data_dir, notebooks = tmp_path / "data" / name, tmp_path / "notebooks" / name
    if name == "link":
        for path in (data_dir, notebooks):
            path.parent.mkdir()
            path.symlink_to(tmp_path / f"{path.parent.name} itself")
        (tmp_path / "data itself").mkdir()
        notebook_folder(tmp_path / "notebooks itself")
    else:
        notebook_folder(notebooks)
    async with container_for_user(data_dir, notebooks) as http:
        project = new_project(http, "Whatever")
        upload(http, project)
        import_local_files(http, project, notebooks)
        (storage,) = json_of(http.get(f"api/storages/localfiles?project={project}"))
        assert storage["path"] == str(notebooks / "pictures")
        tasks = tasks_of(http, project)
        assert tasks[1]["data"]["image"] == "/data/local-files/?d=pictures/local.png"
        assert [picture_of(http, task) for task in tasks] == [UPLOADED, LOCAL]
    paths = list(data_dir.resolve().rglob("*"))
    assert any(path.suffix == ".png" for path in paths)
    assert {(path.stat().st_uid, path.stat().st_gid) for path in paths} == {USER}


@contextlib.asynccontextmanager
async def container_for_user(data_dir: Path, notebooks: Path) -> AsyncIterator[Http]:
    """Run the backend as the gateway of that user, in this process of root."""
    directory = DataDirectory(data_dir)
    directory.prepare()
    assert template.place(directory, template.VERSION)
    directory.clear_temporary()
    os.chown(directory.path, *USER)
    lines: list[str] = []
    backend = DockerBackend(
        lambda step, **_: None,
        lines.append,
        Planner(
            settings=DockerSettings(LABEL_STUDIO, "never", "", 0.0, "", files_writable=False),
            directory=directory,
            files_root=notebooks,
            environment=container_environment({}, notebooks, {}),
            private={},
            user_name="ada",
            user="0:0",
        ),
    )
    try:
        await backend.prepare()
        endpoint = await backend.launch(Owner(EMAIL, "a password of some length"), background=False)
        ended = asyncio.create_task(backend.wait())
        async with open_session(endpoint) as session:
            while not await is_healthy(session, endpoint):
                assert not ended.done(), lines
                await asyncio.sleep(0.1)
        ended.cancel()
        assert endpoint.unix_socket is not None
        with port_of(endpoint.unix_socket) as port:
            http = Http(f"http://127.0.0.1:{port}/", lambda: f"Bearer {access_token(data_dir)}")
            with contextlib.closing(http):
                yield http
    finally:
        await backend.stop()


def test_a_data_directory_moves_from_a_process_to_a_container_and_back(
    engine: Engine,
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path: Path,
) -> None:
    """Jupyter starts in another folder each time, for the container even outside of the home folder."""
    home = tmp_path / "home"
    data_dir, notebooks = tmp_path / "a:b 'c'" / "data", notebook_folder(home / "d:e f")
    seen: list[dict[str, Any]] = []
    for number, backend in enumerate(("process", "docker", "process")):
        options = on(engine, data_dir, owner_email=EMAIL)
        options["config"]["backend"] = backend
        options["env"]["HOME"] = str(home)
        with contextlib.ExitStack() as stack:
            root = (notebooks, tmp_path / "outside", home / "inside")[number]
            jupyter = JupyterLab(root_dir=root, **options)
            stack.callback(jupyter.stop)
            client = label_studio_client(jupyter)
            assert client.wait_ready()["backend"] == backend
            if number == 0:
                project = new_project(client, "To be kept")
                upload(client, project)
                import_local_files(client, project, notebooks)
                # as Label Studio made it when its document root was the notebook folder
                earlier = [{"image": "/data/local-files/?d=pictures/local.png"}]
                json_of(client.post(f"api/projects/{project}/import", json=earlier))
                annotate(client, project)
            if backend == "docker":
                binds = {
                    m["Destination"]: m for m in container_of(engine, data_dir).attrs["Mounts"]
                }
                assert not binds[str(notebooks / "pictures")]["RW"]
                assert not {str(home), str(notebooks)} & set(binds)
                (storage,) = json_of(client.get(f"api/storages/localfiles?project={project}"))
                synced = json_of(client.post(f"api/storages/localfiles/{storage['id']}/sync"))
                assert synced["status"] == "completed", synced
                assert sorted(exported_pictures(client, project)) == sorted(seen[0]["pictures"])
            seen.append(everything(client))
    assert seen[0]["owner"] == EMAIL
    assert seen[0]["pictures"] == [UPLOADED, LOCAL, LOCAL]
    assert [len(each) for each in seen[0]["annotations"]] == [1, 1, 1]
    assert seen[1] == seen[0]
    assert seen[2] == seen[0]
    assert not containers_of(engine, data_dir)
