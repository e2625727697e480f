"""The container of Label Studio in Docker: its rights, its secrets, its files, its stop."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import re
import socket
import sqlite3
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import requests
from docker.models.containers import Container
from support import media
from support.container_studio import (
    LOCAL,
    UPLOADED,
    Studio,
    annotate,
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
    inside,
    on,
    processes_of,
    volume_of,
    volumes,
)
from support.engine import Engine
from support.image_archives import LABEL_STUDIO
from support.jupyter import JupyterLab, LabelStudioClient
from support.kept import LABELS, Kept
from support.processes import wait_for
from support.unix_port import port_of, short_name

from labelstudio_proxy import __version__
from labelstudio_proxy.data_directory.directory import DataDirectory

EMAIL = "ada@example.org"
PASSWORD = "hunter2-" + "5f2c" * 4
PROXY_PASSWORD = "swordfish-" + "6e1d" * 4
# Label Studio refuses an upload of more files: this shows that the environment arrives.
FILES_AT_ONCE = 2
ENVIRONMENT = {
    "POSTGRE_PASSWORD": PASSWORD,
    "DATA_UPLOAD_MAX_NUMBER_FILES": str(FILES_AT_ONCE),
}
MEMORY = 1500 * 1024 * 1024
CPUS = 1.5
NETWORK = "labels"
STOP_SECONDS = 3.0  # of an idle Label Studio


@pytest.fixture(scope="module")
def engine(docker_engine: Engine) -> Engine:
    return docker_engine


@pytest.fixture(scope="module")
def made(
    engine: Engine,
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Studio]:
    """Started for the first time, without a data directory, with limits and secrets."""
    folder = tmp_path_factory.mktemp("docker")
    notebooks, data_dir = notebook_folder(folder / "notebooks"), folder / "not yet" / "there"
    mounted = notebooks / "another disk"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mounted], check=True)
    settings: dict[str, Any] = {
        "owner_email": EMAIL,
        "memory_limit": "1500m",
        "cpu_limit": CPUS,
        "environment": ENVIRONMENT,
    }
    with contextlib.ExitStack() as stack:
        stack.callback(partial(subprocess.run, ["umount", mounted], check=True))
        options = on(engine, data_dir, **settings)
        del options["env"]["XDG_CACHE_HOME"]
        jupyter = JupyterLab(root_dir=notebooks, **options)
        stack.callback(jupyter.stop)
        configure_proxy(jupyter.home)
        client = label_studio_client(jupyter)
        client.wait_ready()
        yield Studio(engine, jupyter, client, data_dir, notebooks, client.state())


def configure_proxy(home: Path) -> None:
    """Write a proxy with a password into Docker's configuration file."""
    (home / ".docker").mkdir()
    proxies = {"default": {"httpProxy": f"http://ada:{PROXY_PASSWORD}@proxy.example"}}
    (home / ".docker" / "config.json").write_text(json.dumps({"proxies": proxies}))


@pytest.fixture
def studio(made: Studio) -> Studio:
    """The studio of all tests, ready at the beginning of each."""
    if made.client.state()["state"] != "ready":
        made.start()
    return made


@pytest.fixture(scope="module")
def second(
    engine: Engine,
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Studio]:
    """Another data directory, with a writable files root, in another network, on an engine at a port."""
    folder = tmp_path_factory.mktemp("second")
    notebooks, data_dir = notebook_folder(folder / "notebooks"), folder / "data"
    network = engine.client.networks.create(NETWORK)
    settings = {"files_writable": True, "docker_network": NETWORK}
    with contextlib.ExitStack() as stack:
        stack.callback(network.remove)
        port = stack.enter_context(port_of(engine.socket))
        options = on(engine, data_dir, f"tcp://127.0.0.1:{port}", **settings)
        del options["env"]["XDG_CACHE_HOME"]
        jupyter = JupyterLab(root_dir=notebooks, **options)
        stack.callback(jupyter.stop)
        client = label_studio_client(jupyter)
        client.wait_ready()
        yield Studio(engine, jupyter, client, data_dir, notebooks)


# ---- the first start


def test_the_first_start_makes_the_owner_and_needs_no_migration(studio: Studio) -> None:
    snapshot = studio.first
    assert snapshot["backend"] == "docker"
    assert snapshot["versions"]["Docker"] == studio.engine.client.version()["Version"]
    assert snapshot["versions"]["Label Studio"] == LABEL_STUDIO.rpartition(":")[2]
    assert {step["state"] for step in snapshot["steps"]} == {"done"}
    details = {step["id"]: step["detail"] for step in snapshot["steps"]}
    assert "Docker" in details["engine"]
    assert details["container"].startswith("labelstudio-proxy-")
    # The database comes from the package.
    with contextlib.closing(sqlite3.connect(studio.data_dir / "label_studio.sqlite3")) as database:
        (applied,) = database.execute("SELECT max(applied) FROM django_migrations").fetchone()
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(snapshot["started_at"]))
    assert applied < began
    assert json_of(studio.client.get("api/current-user/whoami"))["email"] == EMAIL
    assert new_project(studio.client, "First") > 0


def test_only_the_user_can_read_its_files(studio: Studio) -> None:
    project = new_project(studio.client, "More")
    upload(studio.client, project)
    uploads = studio.data_dir / "media" / "upload"
    for folder in (studio.data_dir, uploads, uploads / str(project)):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    assert list((uploads / str(project)).iterdir())
    paths = list(studio.data_dir.rglob("*"))
    assert {".env", "label_studio.sqlite3"} <= {path.name for path in paths}
    for path in paths:
        assert path.stat().st_uid == os.getuid(), path
        # Label Studio makes some folders before the umask is set; the outermost one is private.
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_its_byte_code_is_kept(studio: Studio) -> None:
    """In the user's cache; the image itself has none."""
    (folder,) = (studio.jupyter.home / ".cache" / "labelstudio-proxy" / "byte-code").iterdir()
    kept = {path.name.partition(".")[0] for path in folder.rglob("*.pyc")}
    # of Label Studio, of the standard library, and of ours
    assert {"label_studio", "argparse", "labelstudio_settings", "gthread"} <= kept
    compiled = {path: path.stat().st_mtime_ns for path in folder.rglob("*.pyc")}
    studio.stop()
    studio.start()
    again = {path: path.stat().st_mtime_ns for path in folder.rglob("*.pyc")}
    assert {path: again[path] for path in compiled} == compiled


def test_its_output_is_in_the_log(studio: Studio) -> None:
    def printed() -> list[str]:
        return [line for _, line in studio.client.state()["log"]]

    wait_for(
        lambda: "labelstudio-proxy: Serving" in printed(),
        what=lambda: f"the server's last line in {printed()}",
        timeout=10,
    )
    lines = printed()
    (file,) = studio.jupyter.home.rglob("label-studio-*.log")
    kept = file.read_text()
    for line in lines:
        assert line in kept


# ---- its rights


def test_it_is_made_with_the_fewest_rights(studio: Studio) -> None:
    attributes = studio.container.attrs
    config, host = attributes["Config"], attributes["HostConfig"]
    assert config["Entrypoint"][:2] == ["sh", "-c"]
    assert host["PortBindings"] in (None, {})
    assert config["User"] == f"{os.getuid()}:{os.getgid()}"
    assert host["Init"] is True
    assert host["Privileged"] is False
    assert not host["CapAdd"]
    assert host["CapDrop"]
    (option,) = host["SecurityOpt"]
    assert option.startswith("no-new-privileges")
    assert host["ReadonlyRootfs"] is True
    assert "/tmp" in host["Tmpfs"]
    assert host["PidsLimit"] == 512
    assert host["Memory"] == MEMORY
    assert host["NanoCpus"] == CPUS * 1e9
    assert not host["Devices"]
    assert host["PidMode"] != "host"
    assert host["NetworkMode"] != "host"
    assert host["RestartPolicy"]["Name"] in {"", "no"}
    digests = {"labelstudio-proxy.settings", "labelstudio-proxy.start"}
    assert {name: value for name, value in config["Labels"].items() if name not in digests} == {
        "labelstudio-proxy.user": getpass.getuser(),
        "labelstudio-proxy.uid": config["User"],
        "labelstudio-proxy.data-dir": str(studio.data_dir),
        "labelstudio-proxy.version": __version__,
        "org.opencontainers.image.version": version("label-studio"),  # the image's
    }
    for name in digests:
        assert re.fullmatch("[0-9a-f]{32}", config["Labels"][name])


def test_it_has_two_folders_and_its_own_volume(studio: Studio, second: Studio) -> None:
    """And read-only, each mount in a read-only folder."""
    for each, writable in ((studio, False), (second, True)):
        mounts = {mount["Destination"]: mount for mount in each.container.attrs["Mounts"]}
        notebooks = str(each.notebooks)
        within = set() if writable else {f"{notebooks}/another disk"}
        byte_code = "/labelstudio-proxy/byte-code"
        ours = {"/label-studio/data", notebooks, "/labelstudio-proxy", byte_code}
        assert set(mounts) == {*ours, *within}
        assert Path(mounts[byte_code]["Source"]).is_relative_to(each.jupyter.home)
        assert mounts["/label-studio/data"]["Source"] == str(each.data_dir)
        assert mounts["/label-studio/data"]["RW"] is True
        assert mounts[notebooks]["Source"] == notebooks
        assert mounts[notebooks]["RW"] is writable
        assert mounts["/labelstudio-proxy"]["Type"] == "volume"


def test_other_users_reach_nothing_of_it(studio: Studio) -> None:
    """It publishes no port, and only its user can connect to its socket."""
    ports = studio.container.attrs["NetworkSettings"]["Ports"]
    assert not any(ports.values())
    path = DataDirectory(studio.data_dir).socket
    with socket.socket(socket.AF_UNIX) as connection, short_name(path) as name:
        connection.connect(name)
    for folder in (path.parent, path.parent.parent, studio.data_dir):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_the_port_for_an_engine_elsewhere_is_only_on_loopback(second: Studio) -> None:
    ports = second.container.attrs["NetworkSettings"]["Ports"]
    ((name, ((address, port),)),) = (
        (name, [(each["HostIp"], int(each["HostPort"])) for each in published])
        for name, published in ports.items()
    )
    assert (name, address) == ("8080/tcp", "127.0.0.1")
    assert requests.get(f"http://127.0.0.1:{port}/health", timeout=10).status_code == 200
    # The address of this machine for containers.
    (network,) = second.container.attrs["NetworkSettings"]["Networks"].values()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://{network['Gateway']}:{port}/health", timeout=10)


def test_its_processes_have_no_capabilities(studio: Studio) -> None:
    processes = processes_of(studio.container)
    assert len(processes) >= 2  # init, and Label Studio
    for process in processes:
        lines = (process / "status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb"):
            assert int(status[f"Cap{kind}"], 16) == 0, (process, kind)
        assert status["NoNewPrivs"] == "1"
        assert set(status["Uid"].split()) == {str(os.getuid())}


def test_only_its_data_can_be_written(studio: Studio, second: Studio) -> None:
    """Even this machine's root cannot write: the mounts are read-only."""
    mounted = studio.notebooks / "another disk"
    for folder in ("/", "/usr/bin", "/label-studio", "/etc", studio.notebooks, mounted):
        with pytest.raises(OSError, match="Read-only file system"):
            (inside(studio.container, folder) / "written").touch()
    for each, folder in (
        (studio, "/tmp"),
        (studio, "/label-studio/data"),
        (studio, temporary_folder(studio.container)),
        (second, second.notebooks),
    ):
        written = inside(each.container, folder) / "written"
        written.touch()
        written.unlink()


def temporary_folder(container: Container) -> str:
    """Where uploads pass through: on disk, because /tmp is memory."""
    environment = dict(each.split("=", 1) for each in container.attrs["Config"]["Env"])
    folder: str = environment["TMPDIR"]
    (volume,) = (m for m in container.attrs["Mounts"] if m["Type"] == "volume")
    assert Path(folder).is_relative_to(volume["Destination"])
    return folder


def test_it_joins_the_network_of_the_setting(studio: Studio, second: Studio) -> None:
    assert NETWORK not in studio.container.attrs["NetworkSettings"]["Networks"]
    assert set(second.container.attrs["NetworkSettings"]["Networks"]) == {NETWORK}


def test_an_engine_socket_in_the_files_root_is_hidden(
    engine: Engine,
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path: Path,
) -> None:
    engines = engine.socket
    jupyter = jupyter_lab(root_dir=engines.parent, **on(engine, tmp_path / "data"))
    label_studio_client(jupyter).wait_ready()
    container = container_of(engine, tmp_path / "data")
    assert inside(container, engines.parent / f"{engine.name}.log").exists()
    assert engines.is_socket()
    assert not inside(container, engines).is_socket()


# ---- its secrets


def test_the_engine_shows_no_secret(studio: Studio) -> None:
    """Neither the setting `environment`, nor the secret key, nor the owner's first password."""
    container, api = studio.container, studio.engine.client.api
    file = inside(container, "/labelstudio-proxy/environment.json")
    private = json.loads(file.read_text())
    assert private["POSTGRE_PASSWORD"] == PASSWORD
    assert stat.S_IMODE(file.stat().st_mode) == 0o400
    assert file.stat().st_uid == os.getuid()
    key = DataDirectory(studio.data_dir).secret_key()
    secrets = [PROXY_PASSWORD, PASSWORD, private.get("LABEL_STUDIO_PASSWORD", PASSWORD), key]
    assert all(len(secret) > 20 for secret in secrets)
    shown = json.dumps(
        [
            api.inspect_container(container.id),
            api.containers(all=True),
            api.inspect_volume(volume_of(container)),
            container.logs().decode(),
            # and what this machine shows its users
            *((process / "cmdline").read_text() for process in processes_of(container)),
            *((process / "environ").read_text() for process in processes_of(container)),
        ]
    )
    assert "label-studio" in shown
    assert "DJANGO_DB=sqlite" in shown
    for secret in (*secrets, *ENVIRONMENT):
        assert secret not in shown


def test_later_containers_do_not_get_the_owners_password(studio: Studio) -> None:
    studio.stop()
    studio.start()
    file = inside(studio.container, "/labelstudio-proxy/environment.json")
    assert json.loads(file.read_text()) == ENVIRONMENT


def test_the_setting_environment_reaches_label_studio(studio: Studio) -> None:
    project = new_project(studio.client, "Environment")
    for number, taken in ((FILES_AT_ONCE, True), (FILES_AT_ONCE + 1, False)):
        files = {f"{n}.png": (f"{n}.png", media.png(colour=(n, n, n))) for n in range(number)}
        response = studio.client.post(f"api/projects/{project}/import", files=files)
        assert response.ok is taken, response.text[:2000]
        assert (f"at most {FILES_AT_ONCE} files" in response.text) is not taken


def test_the_memory_of_the_container_is_known(studio: Studio) -> None:
    assert 50e6 < studio.client.get("_proxy/memory").json()["memory"] < MEMORY


# ---- the notebook folder


def test_a_picture_of_the_notebook_folder_is_imported_and_shown(studio: Studio) -> None:
    project = new_project(studio.client, "Local files")
    import_local_files(studio.client, project, studio.notebooks)
    (task,) = tasks_of(studio.client, project)
    assert picture_of(studio.client, task) == LOCAL


def test_labels_are_kept_in_the_notebook_folder(studio: Studio) -> None:
    kept = Kept(studio.client, studio.notebooks / "hotdogs", keep="labels.jsonl")
    kept.submit("b.png", LABELS[0])
    kept.becomes(("b.png", LABELS[0]))
    kept.submit("a.png", LABELS[1])
    kept.becomes(("a.png", LABELS[1]), ("b.png", LABELS[0]))
    assert kept.rows() == kept.as_in_a_dataframe()


def test_export_into_the_notebook_folder_is_refused(studio: Studio) -> None:
    project = new_project(studio.client, "Export")
    storage = {"project": project, "path": str(studio.notebooks / "pictures")}
    response = studio.client.post("api/storages/export/localfiles", json=storage)
    assert response.status_code == 403
    assert "files_writable" in response.json()["detail"]


def test_the_gateway_exports_into_the_notebook_folder_with_pictures(studio: Studio) -> None:
    project = new_project(studio.client, "Export by the gateway")
    import_local_files(studio.client, project, studio.notebooks)
    upload(studio.client, project)
    annotate(studio.client, project)

    answer = studio.client.post(
        f"_proxy/projects/{project}/export", json={"format": "YOLO", "folder": "exported"}
    )

    last = json.loads(answer.text.splitlines()[-1])
    assert last.get("folder") == str(studio.notebooks / "exported"), answer.text
    pictures = (studio.notebooks / "exported" / "images").iterdir()
    assert {file.read_bytes() for file in pictures} == {LOCAL, UPLOADED}


def test_with_files_writable_it_exports_into_the_notebook_folder(second: Studio) -> None:
    exports = second.notebooks / "exports"
    exports.mkdir()
    project = new_project(second.client, "Export")
    storage = {"project": project, "path": str(exports)}
    json_of(second.client.post("api/storages/export/localfiles", json=storage))
    upload(second.client, project)
    annotate(second.client, project)
    (file,) = exports.iterdir()
    assert json.loads(file.read_text())["result"][0]["value"] == media.BOX["value"]
    assert file.stat().st_uid == os.getuid()


# ---- assets


def test_an_asset_is_fetched_from_the_container_once(studio: Studio) -> None:
    page = studio.client.get("projects", headers={"Accept": "text/html"}).text
    found = re.search(r'src="/labelstudio/(react-app/main\.js\?v=\w+)"', page)
    assert found is not None
    first = studio.client.get(found[1])
    assert first.status_code == 200
    container = studio.container
    container.pause()
    try:
        again = studio.client.get(found[1])
    finally:
        container.unpause()
    assert (again.status_code, again.content) == (200, first.content)


# ---- several containers


def test_a_second_data_directory_runs_beside_the_first(studio: Studio, second: Studio) -> None:
    assert studio.container.name != second.container.name
    new_project(studio.client, "Of the first")
    new_project(second.client, "Of the second")
    of_first, of_second = (
        {project["title"] for project in json_of(each.client.get("api/projects"))["results"]}
        for each in (studio, second)
    )
    assert "Of the first" in of_first - of_second
    assert "Of the second" in of_second - of_first


def test_another_programs_container_with_its_name_is_kept(studio: Studio) -> None:
    client, name = studio.client, studio.container.name
    client.post("_proxy/stop")
    client.wait_for_state("stopped")
    other = studio.engine.client.containers.create(
        LABEL_STUDIO, entrypoint=["sleep"], command=["1000"], name=name
    )
    try:
        client.start()
        wait_for(lambda: client.state()["state"] == "failed", what="a failure")
        error = client.state()["error"]
        assert error["what"] == f"Another program has made a container with the name {name}."
        assert f"docker rm --force {name}" in error["remedy"]
        other.reload()
        assert other.status == "created"
    finally:
        other.remove(force=True)
    studio.start()
    assert studio.container.name == name


# ---- the end


def test_an_idle_one_stops_in_time_and_leaves_nothing(studio: Studio) -> None:
    took: list[float] = []
    # Up to three times: the machine may be busy.
    while not took or (took[-1] > STOP_SECONDS and len(took) < 3):
        if took:
            studio.start()
        volume = volume_of(studio.container)
        began = studio.client.post("_proxy/stop").json()["now"]
        took.append(studio.client.wait_for_state("stopped")["now"] - began)
        assert not containers_of(studio.engine, studio.data_dir)
        assert volume not in volumes(studio.engine)
    assert took[-1] <= STOP_SECONDS, took


def test_a_renamed_container_is_stopped(studio: Studio) -> None:
    container, volume = studio.container, volume_of(studio.container)
    container.rename("something-else")
    studio.stop()
    assert not containers_of(studio.engine, studio.data_dir)
    assert volume not in volumes(studio.engine)


def test_the_end_of_jupyter_leaves_nothing(studio: Studio, second: Studio) -> None:
    """Last in this file: it ends the second Jupyter."""
    volume = volume_of(second.container)
    second.jupyter.stop()
    assert not containers_of(second.engine, second.data_dir)
    assert volume not in volumes(second.engine)
    assert studio.client.get("api/projects").status_code == 200
