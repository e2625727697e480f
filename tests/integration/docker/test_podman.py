"""Label Studio's container in Podman: the main job, and what differs from Docker."""

from __future__ import annotations

import io
import json
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.container_faults import (
    keeps_running_lines,
    make_project,
    reports,
    running_again,
    titles,
    works,
)
from support.container_studio import (
    LOCAL,
    UPLOADED,
    Studio,
    annotate,
    everything,
    import_local_files,
    kill_gateway,
    new_project,
    notebook_folder,
    upload,
)
from support.containers import (
    container_of,
    containers_of,
    inside,
    on,
    processes_of,
    volume_of,
    volumes,
)
from support.desk import Desk
from support.engine import Engine, PodmanService
from support.images import is_there, pushed
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import wait_for
from support.registry import Registry

from labelstudio_proxy.backends.docker import pull
from labelstudio_proxy.backends.docker.engine import connect_engine
from labelstudio_proxy.backends.docker.image import get_image
from labelstudio_proxy.problem import Problem

EMAIL = "ada@example.org"
PASSWORD = "hunter2-" + "5f2c" * 4


@pytest.fixture(scope="module")
def made(
    podman_engine: Engine,
    module_jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path_factory: pytest.TempPathFactory,
) -> Studio:
    folder = tmp_path_factory.mktemp("podman")
    notebooks, data_dir = notebook_folder(folder / "notebooks"), folder / "data"
    settings: dict[str, Any] = {"owner_email": EMAIL, "environment": {"POSTGRE_PASSWORD": PASSWORD}}
    jupyter = module_jupyter_lab(root_dir=notebooks, **on(podman_engine, data_dir, **settings))
    client = label_studio_client(jupyter)
    client.wait_ready()
    return Studio(podman_engine, jupyter, client, data_dir, notebooks, client.state())


@pytest.fixture
def studio(made: Studio) -> Iterator[Studio]:
    """Ready at the beginning of each test; Podman's service runs afterwards."""
    if made.client.state()["state"] != "ready":
        made.start()
    with running_again(made.engine):
        yield made


@pytest.fixture
def desk(studio: Studio) -> Desk:
    return Desk(studio.jupyter, studio.client, data_dir=studio.data_dir)


def test_users_can_label(studio: Studio) -> None:
    assert studio.first["versions"]["Podman"] == studio.engine.client.version()["Version"]
    project = new_project(studio.client, "Pictures")
    upload(studio.client, project)
    import_local_files(studio.client, project, studio.notebooks)
    annotate(studio.client, project)
    seen = everything(studio.client)
    assert seen["owner"] == EMAIL
    assert seen["pictures"] == [UPLOADED, LOCAL]
    assert [len(each) for each in seen["annotations"]] == [1, 1]
    for path in studio.data_dir.rglob("*"):
        assert not path.is_file() or stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_its_output_is_in_the_log(studio: Studio) -> None:
    """A little after the first response: Podman looks for new lines four times a second."""
    wait_for(
        lambda: any(
            line == "labelstudio-proxy: Serving" for _, line in studio.client.state()["log"]
        ),
        what="the server's last line",
        timeout=10,
    )


def test_it_has_no_rights_and_shows_no_secret(studio: Studio) -> None:
    container, api = studio.container, studio.engine.client.api
    for process in processes_of(container):
        lines = (process / "status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
        assert status["NoNewPrivs"] == "1"
    for folder in ("/", "/label-studio", studio.notebooks):
        with pytest.raises(OSError, match="Read-only file system"):
            (inside(container, folder) / "written").touch()
    assert not any(container.attrs["NetworkSettings"]["Ports"].values())
    shown = json.dumps(
        [
            api.inspect_container(container.id),
            api.inspect_volume(volume_of(container)),
            container.logs().decode(),
            *((process / "environ").read_text() for process in processes_of(container)),
        ]
    )
    assert "DJANGO_DB=sqlite" in shown
    assert PASSWORD not in shown


def test_a_new_gateway_adopts_the_container_of_a_killed_one(studio: Studio) -> None:
    before = studio.container
    kill_gateway(studio.jupyter)
    assert studio.client.get("api/projects").status_code in {200, 503}
    studio.client.wait_ready()
    assert studio.container.id == before.id
    assert studio.container.attrs["State"]["StartedAt"] == before.attrs["State"]["StartedAt"]


def test_a_stop_leaves_nothing(studio: Studio) -> None:
    volume = volume_of(studio.container)
    studio.stop()
    assert containers_of(studio.engine, studio.data_dir) == []
    assert volume not in volumes(studio.engine)


# ---- states and messages of Podman's own


def test_a_removed_container_is_reported(desk: Desk, podman_engine: Engine) -> None:
    container = container_of(podman_engine, desk.data_dir)
    container.remove(force=True, v=True)
    reports(desk, container.name, "was removed", "docker rm")
    works(desk)


def test_a_stopped_container_is_reported(desk: Desk, podman_engine: Engine) -> None:
    container = container_of(podman_engine, desk.data_dir)
    container.stop(timeout=10)  # without it, Podman kills the container at once
    reports(desk, container.name, "was stopped", "docker stop")
    works(desk)


def test_a_paused_container_is_resumed_by_try_again(desk: Desk, podman_engine: Engine) -> None:
    before = container_of(podman_engine, desk.data_dir)
    before.pause()
    reports(desk, before.name, "is paused")
    works(desk)
    assert container_of(podman_engine, desk.data_dir).id == before.id


def test_an_image_without_label_studio_is_explained(
    podman_engine: Engine, own_desk: Callable[..., Desk]
) -> None:
    # Podman 4.3 accepts no other tag here.
    name = "localhost/labelstudio-proxy-tests/empty:latest"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as layer:
        layer.addfile(tarfile.TarInfo("nothing"))
    client = podman_engine.client
    client.api.import_image_from_data(archive.getvalue(), name.removesuffix(":latest"))
    try:
        desk = own_desk(podman_engine, image=name)
        desk.fails("The image has no `label-studio` program.")
        assert not containers_of(podman_engine, desk.data_dir)
    finally:
        podman_engine.client.images.remove(name)


def test_too_little_memory_is_explained(
    podman_engine: Engine, own_desk: Callable[..., Desk]
) -> None:
    """Podman 4.3 reports only that the container was killed, at least with cgroups v1."""
    desk = own_desk(podman_engine, memory_limit="100m")
    error = desk.fails("memory")
    assert "`memory_limit`" in error["why"]


def test_a_folder_with_a_comma_is_refused(
    podman_engine: Engine, own_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = own_desk(podman_engine, files_root=str(notebook_folder(tmp_path / "a,b")))
    desk.fails("Podman cannot give the folder", "comma")


# ---- the service


def test_label_studio_runs_without_podmans_service(desk: Desk, podman_engine: Engine) -> None:
    before, lines = container_of(podman_engine, desk.data_dir), keeps_running_lines(desk)
    podman_engine.kill()
    wait_for(lambda: keeps_running_lines(desk) > lines, what="a line in Jupyter's log")
    make_project(desk, "Without the service")
    podman_engine.start()
    assert "Without the service" in titles(desk)
    # Its later output is in the log as well.
    Path(f"/proc/{before.attrs['State']['Pid']}/fd/1").write_text("printed afterwards\n")
    wait_for(
        lambda: [line for _, line in desk.studio.state()["log"] if line == "printed afterwards"],
        what="the later output",
    )
    assert container_of(podman_engine, desk.data_dir).id == before.id


def test_a_stop_fails_while_the_service_hangs(desk: Desk, podman_engine: Engine) -> None:
    podman_engine.freeze()
    desk.studio.post("_proxy/stop")
    reports(desk, "could not be stopped and may still run", "does not respond")
    podman_engine.thaw()
    works(desk)


# ---- pulls


@pytest.fixture
def remote_image(podman_engine: Engine, registry: Registry) -> Iterator[str]:
    """An image that is in the registry, and not in Podman."""
    assert isinstance(podman_engine, PodmanService)
    podman_engine.trust(registry.address)
    podman_engine.trust(registry.direct_address)
    podman_engine.client.version()  # the first response after a restart is slow
    with pushed(registry, podman_engine) as name:
        yield name


async def test_a_pull_shows_its_progress_and_is_repeated_after_a_broken_connection(
    podman_engine: Engine,
    registry: Registry,
    remote_image: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", podman_engine.address)
    registry.line.rate = 1_000_000
    shown: list[str] = []

    def show(text: str, done: int, total: int) -> None:
        shown.append(text)
        if done and not any(text.startswith("connection lost") for text in shown):
            registry.line.cut()

    connection = await connect_engine()
    try:
        await get_image(connection, remote_image, "missing", show)
    finally:
        connection.close()
    assert any("of 4 layers" in text and "B/s" in text for text in shown)
    assert f"connection lost, next try in {pull.PAUSE_SECONDS[0]:g} s" in shown
    assert is_there(podman_engine, remote_image)


async def test_a_missing_tag_is_explained(
    podman_engine: Engine, remote_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", podman_engine.address)
    connection = await connect_engine()
    try:
        with pytest.raises(Problem) as problem:
            await get_image(
                connection, f"{remote_image.rpartition(':')[0]}:absent", "missing", lambda *_: None
            )
    finally:
        connection.close()
    assert "no image of that name and tag" in problem.value.why
