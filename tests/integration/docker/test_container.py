"""Label Studio as a container, on real engines: what it may, what it keeps, how it comes and goes.

Everything here is shown on Docker and on Podman, as Debian has them.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from docker.models.containers import Container
from support import media
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
from support.http import Http
from support.image_archives import LABEL_STUDIO
from support.jupyter import JupyterLab, LabelStudioClient
from support.label_studio import EXECUTABLE, access_token
from support.processes import clean_environment, pids_that_mention, wait_for

from labelstudio_proxy import __version__
from labelstudio_proxy.backends.base import Owner
from labelstudio_proxy.backends.docker.backend import DockerBackend
from labelstudio_proxy.backends.docker.container_spec import (
    ORPHAN_VARIABLE,
    ORPHAN_WORDS,
    container_environment,
)
from labelstudio_proxy.backends.docker.plan import DockerSettings, Planner
from labelstudio_proxy.data_directory import template
from labelstudio_proxy.data_directory.directory import PROXY_FOLDER, DataDirectory
from labelstudio_proxy.label_studio.upstream import healthy, open_session

EMAIL = "ada@example.org"
PASSWORD = "hunter2-" + "5f2c" * 4
PROXY_PASSWORD = "swordfish-" + "6e1d" * 4
# More files in one upload than this are refused: by it the environment is seen to arrive.
FILES_AT_ONCE = 2
ENVIRONMENT = {
    "POSTGRE_PASSWORD": PASSWORD,
    "DATA_UPLOAD_MAX_NUMBER_FILES": str(FILES_AT_ONCE),
}
MEMORY = 1500 * 1024 * 1024
CPUS = 1.5
NETWORK = "labels"
# For an idle Label Studio.
STOP_SECONDS = 3.0
# After which a container without a gateway ends.
ORPHAN_SECONDS = 15.0

UPLOADED = media.png(colour=(200, 0, 0))
LOCAL = media.png(colour=(0, 0, 200))


@dataclass
class Studio:
    """A Jupyter, its Label Studio, and the engine that this one's container is in."""

    engine: Engine
    jupyter: JupyterLab
    client: LabelStudioClient
    data_dir: Path
    notebooks: Path
    first: dict[str, Any] = field(default_factory=dict)  # the snapshot after the first start

    @property
    def container(self) -> Container:
        return container_of(self.engine, self.data_dir)

    def start(self) -> dict[str, Any]:
        """Start it, or start it again."""
        self.client.start()
        return self.client.wait_ready()


@pytest.fixture(scope="module", params=["docker_engine", "podman_engine"], ids=["docker", "podman"])
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.getfixturevalue(request.param)
    return found


def notebook_folder(path: Path) -> Path:
    """A notebook folder with a picture in it, to be read by everybody."""
    (path / "pictures").mkdir(parents=True)
    (path / "pictures" / "local.png").write_bytes(LOCAL)
    return path


@pytest.fixture(scope="module")
def made(
    engine: Engine,
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Studio]:
    """Started for the first time, on nothing at all, with every limit and something secret."""
    folder = tmp_path_factory.mktemp("docker")
    notebooks, data_dir = notebook_folder(folder / "notebooks"), folder / "not yet" / "there"
    mounted = notebooks / "another disk"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mounted], check=True)
    settings = {
        "owner_email": EMAIL,
        "memory_limit": "1500m",
        "cpu_limit": CPUS,
        "environment": ENVIRONMENT,
    }
    with contextlib.ExitStack() as stack:
        stack.callback(partial(subprocess.run, ["umount", mounted], check=True))
        jupyter = JupyterLab(root_dir=notebooks, **on(engine, data_dir, **settings))
        stack.callback(jupyter.stop)
        configure_proxy(jupyter.home)
        client = label_studio_client(jupyter)
        client.wait_ready()
        yield Studio(engine, jupyter, client, data_dir, notebooks, client.state())


def configure_proxy(home: Path) -> None:
    """As for `docker` on the command line, which gives it to each container."""
    (home / ".docker").mkdir()
    proxies = {"default": {"httpProxy": f"http://ada:{PROXY_PASSWORD}@proxy.example"}}
    (home / ".docker" / "config.json").write_text(json.dumps({"proxies": proxies}))


@pytest.fixture
def studio(made: Studio) -> Studio:
    """The same for all tests, and ready, whatever the last one has done to it."""
    if made.client.state()["state"] != "ready":
        made.start()
    return made


@pytest.fixture(scope="module")
def second(
    engine: Engine,
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Studio]:
    """Another data directory; it may write into the notebooks' folder, and has a network."""
    folder = tmp_path_factory.mktemp("second")
    notebooks, data_dir = notebook_folder(folder / "notebooks"), folder / "data"
    network = engine.client.networks.create(NETWORK)
    settings = {"files_writable": True, "docker_network": NETWORK}
    jupyter = JupyterLab(root_dir=notebooks, **on(engine, data_dir, **settings))
    try:
        client = label_studio_client(jupyter)
        client.wait_ready()
        yield Studio(engine, jupyter, client, data_dir, notebooks)
    finally:
        jupyter.stop()
        network.remove()


def good(answer: requests.Response) -> Any:
    assert answer.status_code in {200, 201}, f"{answer.url}: {answer.text[:2000]}"
    return answer.json()


def new_project(http: Http, title: str) -> int:
    number: int = good(
        http.post("api/projects", json={"title": title, "label_config": media.BOXES})
    )["id"]
    return number


def tasks_of(http: Http, project: int) -> list[dict[str, Any]]:
    path = f"api/tasks?project={project}&fields=all"
    tasks: list[dict[str, Any]] = good(http.get(path))["tasks"]
    return tasks


def upload(http: Http, project: int) -> None:
    files = {"uploaded.png": ("uploaded.png", UPLOADED)}
    good(http.post(f"api/projects/{project}/import", files=files))


def import_local_files(http: Http, project: int, notebooks: Path) -> None:
    """By a storage that names the folder as the notebook does."""
    storage = {
        "project": project,
        "path": str(notebooks / "pictures"),
        "regex_filter": r".*\.png",
        "use_blob_urls": True,
    }
    number = good(http.post("api/storages/localfiles", json=storage))["id"]
    good(http.post(f"api/storages/localfiles/{number}/sync"))


def annotate(http: Http, project: int) -> None:
    for task in tasks_of(http, project):
        good(http.post(f"api/tasks/{task['id']}/annotations/", json={"result": [media.BOX]}))


def picture_of(http: Http, task: dict[str, Any]) -> bytes:
    answer = http.get(task["data"]["image"])
    assert answer.status_code == 200, answer.text[:2000]
    return answer.content


# ---- the first start


def test_a_first_start_makes_the_owner_and_needs_no_migration(studio: Studio) -> None:
    snapshot = studio.first
    assert snapshot["backend"] == "docker"
    name = {"dockerd": "Docker", "podman": "Podman"}[studio.engine.name]
    assert snapshot["versions"][name] == studio.engine.client.version()["Version"]
    assert snapshot["versions"]["Label Studio"] == LABEL_STUDIO.rpartition(":")[2]
    assert {step["state"] for step in snapshot["steps"]} == {"done"}
    details = {step["id"]: step["detail"] for step in snapshot["steps"]}
    assert name in details["engine"]
    assert details["container"].startswith("labelstudio-proxy-")
    # the database came with the package
    with contextlib.closing(sqlite3.connect(studio.data_dir / "label_studio.sqlite3")) as database:
        (applied,) = database.execute("SELECT max(applied) FROM django_migrations").fetchone()
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(snapshot["started_at"]))
    assert applied < began
    assert good(studio.client.get("api/current-user/whoami"))["email"] == EMAIL
    assert new_project(studio.client, "First") > 0


def test_what_it_writes_is_the_users_alone(studio: Studio) -> None:
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
        # Folders beside it Label Studio makes before the umask is set; the outermost is private.
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_what_it_prints_is_in_the_log(studio: Studio) -> None:
    """Maybe a little after the first answer: Podman looks for new lines four times a second."""

    def printed() -> list[str]:
        return [line for _, line in studio.client.state()["log"]]

    wait_for(
        lambda: any("Starting development server" in line for line in printed()),
        what=lambda: f"what the server prints at its start, in {printed()}",
        timeout=10,
    )
    lines = printed()
    (file,) = studio.jupyter.home.rglob("label-studio-*.log")
    kept = file.read_text()
    for line in lines:
        assert line in kept


# ---- what it may


def test_the_engine_was_asked_for_no_more_than_it_needs(studio: Studio) -> None:
    attributes = studio.container.attrs
    config, host = attributes["Config"], attributes["HostConfig"]
    assert config["Entrypoint"] == ["label-studio"]
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
    }
    for name in digests:
        assert re.fullmatch("[0-9a-f]{32}", config["Labels"][name])


def test_it_has_two_folders_and_a_volume_of_its_own(studio: Studio, second: Studio) -> None:
    """And what is mounted in one that it may not write."""
    for each, writable in ((studio, False), (second, True)):
        mounts = {mount["Destination"]: mount for mount in each.container.attrs["Mounts"]}
        notebooks = str(each.notebooks)
        within = set() if writable else {f"{notebooks}/another disk"}
        assert set(mounts) == {"/label-studio/data", notebooks, "/labelstudio-proxy", *within}
        assert mounts["/label-studio/data"]["Source"] == str(each.data_dir)
        assert mounts["/label-studio/data"]["RW"] is True
        assert mounts[notebooks]["Source"] == notebooks
        assert mounts[notebooks]["RW"] is writable
        assert mounts["/labelstudio-proxy"]["Type"] == "volume"


def test_its_port_is_on_loopback_only(studio: Studio) -> None:
    ports = studio.container.attrs["NetworkSettings"]["Ports"]
    ((name, ((address, port),)),) = (
        (name, [(each["HostIp"], int(each["HostPort"])) for each in published])
        for name, published in ports.items()
    )
    assert (name, address) == ("8080/tcp", "127.0.0.1")
    assert requests.get(f"http://127.0.0.1:{port}/health", timeout=10).status_code == 200
    # the machine itself, by the address at which containers see it
    (network,) = studio.container.attrs["NetworkSettings"]["Networks"].values()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://{network['Gateway']}:{port}/health", timeout=10)


def test_its_processes_have_no_rights(studio: Studio) -> None:
    processes = processes_of(studio.container)
    assert len(processes) >= 2  # init, and Label Studio
    for process in processes:
        lines = (process / "status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb"):
            assert int(status[f"Cap{kind}"], 16) == 0, (process, kind)
        assert status["NoNewPrivs"] == "1"
        assert set(status["Uid"].split()) == {str(os.getuid())}


def test_nothing_can_be_written_but_its_data(studio: Studio, second: Studio) -> None:
    """Not even by this machine's root: it is the mounts that are read-only."""
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
    """Where uploads pass through: on a disk, since /tmp counts as memory."""
    environment = dict(each.split("=", 1) for each in container.attrs["Config"]["Env"])
    folder: str = environment["TMPDIR"]
    (volume,) = (m for m in container.attrs["Mounts"] if m["Type"] == "volume")
    assert Path(folder).is_relative_to(volume["Destination"])
    return folder


def test_it_is_in_the_network_that_the_setting_names(studio: Studio, second: Studio) -> None:
    assert NETWORK not in studio.container.attrs["NetworkSettings"]["Networks"]
    assert set(second.container.attrs["NetworkSettings"]["Networks"]) == {NETWORK}


def test_an_engines_socket_among_the_files_is_not_in_the_container(
    engine: Engine,
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path: Path,
) -> None:
    socket = Path(engine.address.removeprefix("unix://"))
    jupyter = jupyter_lab(root_dir=socket.parent, **on(engine, tmp_path / "data"))
    label_studio_client(jupyter).wait_ready()
    container = container_of(engine, tmp_path / "data")
    assert inside(container, socket.parent / f"{engine.name}.log").exists()
    assert socket.is_socket()
    assert not inside(container, socket).is_socket()


# ---- what nobody else may know


def test_no_secret_is_shown_by_the_engine(studio: Studio) -> None:
    """The settings' environment, the secret key, and the password that the owner was made with."""
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
            # and this machine to its users
            *((process / "cmdline").read_text() for process in processes_of(container)),
            *((process / "environ").read_text() for process in processes_of(container)),
        ]
    )
    assert "label-studio" in shown
    assert "DJANGO_DB=sqlite" in shown
    for secret in (*secrets, *ENVIRONMENT):
        assert secret not in shown


def test_the_password_of_the_owner_reaches_no_later_container(studio: Studio) -> None:
    studio.client.post("_proxy/stop")
    studio.client.wait_for_state("stopped")
    studio.start()
    file = inside(studio.container, "/labelstudio-proxy/environment.json")
    assert json.loads(file.read_text()) == ENVIRONMENT


def test_the_settings_environment_arrives(studio: Studio) -> None:
    project = new_project(studio.client, "Environment")
    for number, taken in ((FILES_AT_ONCE, True), (FILES_AT_ONCE + 1, False)):
        files = {f"{n}.png": (f"{n}.png", media.png(colour=(n, n, n))) for n in range(number)}
        answer = studio.client.post(f"api/projects/{project}/import", files=files)
        assert answer.ok is taken, answer.text[:2000]
        assert ("DATA_UPLOAD_MAX_NUMBER_FILES" in answer.text) is not taken


# ---- the notebook's files


def test_a_picture_of_the_notebook_folder_is_imported_and_comes_back(studio: Studio) -> None:
    project = new_project(studio.client, "Local files")
    import_local_files(studio.client, project, studio.notebooks)
    (task,) = tasks_of(studio.client, project)
    assert picture_of(studio.client, task) == LOCAL


def test_export_into_the_notebook_folder_is_refused(studio: Studio) -> None:
    project = new_project(studio.client, "Export")
    storage = {"project": project, "path": str(studio.notebooks / "pictures")}
    answer = studio.client.post("api/storages/export/localfiles", json=storage)
    assert answer.status_code == 403
    assert "files_writable" in answer.json()["detail"]


def test_with_files_writable_it_exports_into_the_notebook_folder(second: Studio) -> None:
    exports = second.notebooks / "exports"
    exports.mkdir()
    project = new_project(second.client, "Export")
    storage = {"project": project, "path": str(exports)}
    good(second.client.post("api/storages/export/localfiles", json=storage))
    upload(second.client, project)
    annotate(second.client, project)
    (file,) = exports.iterdir()
    assert json.loads(file.read_text())["result"][0]["value"] == media.BOX["value"]
    assert file.stat().st_uid == os.getuid()


# ---- Label Studio's own files


def test_an_asset_is_asked_of_the_container_once(studio: Studio) -> None:
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


# ---- another user, and folders with any name

USER = (12345, 12346)


@pytest.mark.parametrize("name", ["a:b c's", "Bücher/日本", "100% #1? $HOME", "link"])
async def test_any_user_may_have_any_folder(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    await use_as_another_user(tmp_path, name)


@pytest.mark.parametrize("name", ["a,b", 'say "c", readonly'])
async def test_docker_takes_folders_that_podman_does_not(
    docker_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Podman 4.3 turns mounts into comma-separated text, without quoting."""
    monkeypatch.setenv("DOCKER_HOST", docker_engine.address)
    await use_as_another_user(tmp_path, name)


async def use_as_another_user(tmp_path: Path, name: str) -> None:
    """A file of the notebook folder has its own absolute path in the container."""
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
        (storage,) = good(http.get(f"api/storages/localfiles?project={project}"))
        assert storage["path"] == str(notebooks / "pictures")
        tasks = tasks_of(http, project)
        assert tasks[1]["data"]["image"] == "/data/local-files/?d=pictures/local.png"
        assert [picture_of(http, task) for task in tasks] == [UPLOADED, LOCAL]
    # but for what the backend notes, whose process is not that user's here
    paths = [path for path in data_dir.resolve().rglob("*") if PROXY_FOLDER not in path.parts]
    assert any(path.suffix == ".png" for path in paths)
    assert {(path.stat().st_uid, path.stat().st_gid) for path in paths} == {USER}


def give_to_user(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, *USER)


@contextlib.asynccontextmanager
async def container_for_user(data_dir: Path, notebooks: Path) -> AsyncIterator[Http]:
    """The backend as that user's gateway would use it; only root may make files for others."""
    directory = DataDirectory(data_dir)
    directory.prepare()
    assert template.place(directory, template.VERSION)
    give_to_user(directory.path.resolve())
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
            user=":".join(map(str, USER)),
        ),
    )
    try:
        await backend.prepare()
        endpoint = await backend.launch(Owner(EMAIL, "a password of some length"), background=False)
        ended = asyncio.create_task(backend.wait())
        async with open_session(endpoint) as session:
            while not await healthy(session, endpoint):
                assert not ended.done(), lines
                await asyncio.sleep(0.1)
        ended.cancel()
        http = Http(
            f"http://127.0.0.1:{endpoint.port}/", lambda: f"Bearer {access_token(data_dir)}"
        )
        with contextlib.closing(http):
            yield http
    finally:
        await backend.stop()


# ---- several, and one after the other


def test_a_second_data_directory_runs_beside_the_first(studio: Studio, second: Studio) -> None:
    assert studio.container.name != second.container.name
    ports = [
        each.container.attrs["NetworkSettings"]["Ports"]["8080/tcp"][0]["HostPort"]
        for each in (studio, second)
    ]
    assert ports[0] != ports[1]
    new_project(studio.client, "Of the first")
    new_project(second.client, "Of the second")
    of_first, of_second = (
        {project["title"] for project in good(each.client.get("api/projects"))["results"]}
        for each in (studio, second)
    )
    assert "Of the first" in of_first - of_second
    assert "Of the second" in of_second - of_first


def look(http: Http) -> dict[str, Any]:
    """All that people have made."""
    projects = good(http.get("api/projects"))["results"]
    tasks = [task for project in projects for task in tasks_of(http, project["id"])]
    return {
        "owner": good(http.get("api/current-user/whoami"))["email"],
        "projects": [(project["title"], project["label_config"]) for project in projects],
        "tasks": [task["data"] for task in tasks],
        "annotations": [[each["result"] for each in task["annotations"]] for task in tasks],
        "pictures": [picture_of(http, task) for task in tasks],
    }


def test_a_data_directory_goes_from_a_process_to_a_container_and_back(
    engine: Engine,
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path: Path,
) -> None:
    data_dir, notebooks = tmp_path / "a:b 'c'" / "data", notebook_folder(tmp_path / "d:e f")
    seen = []
    for number, backend in enumerate(("process", "docker", "process")):
        options = on(engine, data_dir, owner_email=EMAIL)
        options["config"]["backend"] = backend
        with contextlib.ExitStack() as stack:
            jupyter = JupyterLab(root_dir=notebooks, **options)
            stack.callback(jupyter.stop)
            client = label_studio_client(jupyter)
            assert client.wait_ready()["backend"] == backend
            if number == 0:
                project = new_project(client, "To be kept")
                upload(client, project)
                import_local_files(client, project, notebooks)
                annotate(client, project)
            seen.append(look(client))
    assert seen[0]["owner"] == EMAIL
    assert seen[0]["pictures"] == [UPLOADED, LOCAL]
    assert [len(each) for each in seen[0]["annotations"]] == [1, 1]
    assert seen[1] == seen[0]
    assert seen[2] == seen[0]
    assert not containers_of(engine, data_dir)


# ---- taken over


def kill_gateway(jupyter: JupyterLab) -> None:
    pid = jupyter.gateway_pid
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: pid not in pids_that_mention(jupyter.home), what="the gateway to be gone")


def crash(jupyter: JupyterLab) -> None:
    """Kill Jupyter and the gateway, neither of which can do anything about it."""
    pids = [jupyter.process.pid, jupyter.gateway_pid]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            os.kill(pid, number)
    jupyter.stop()


def test_a_gateway_that_was_killed_finds_its_container_again(studio: Studio) -> None:
    new_project(studio.client, "Before the crash")
    before = studio.container
    kill_gateway(studio.jupyter)
    assert studio.container.attrs["State"]["Running"] is True

    assert studio.client.get("api/projects").status_code in {200, 503}
    snapshot = studio.client.wait_ready()
    details = {step["id"]: step["detail"] for step in snapshot["steps"]}
    assert details["container"] == f"{before.name} was running"
    assert snapshot["ready_after"] < studio.first["ready_after"]
    projects = good(studio.client.get("api/projects"))["results"]
    assert "Before the crash" in {project["title"] for project in projects}
    assert studio.container.id == before.id
    assert studio.container.attrs["State"]["StartedAt"] == before.attrs["State"]["StartedAt"]

    def starts_in_log() -> int:
        log = studio.client.state()["log"]
        return sum("Starting development server" in line for _, line in log)

    wait_for(lambda: starts_in_log() == 1, what="what it had printed before")


def test_a_container_of_a_directory_that_was_replaced_is_not_taken_over(studio: Studio) -> None:
    """As a restore replaces it: all is the same, the secret key too, but for the folder itself."""
    before = studio.container
    kill_gateway(studio.jupyter)
    aside = studio.data_dir.with_name("aside")
    studio.data_dir.rename(aside)
    shutil.copytree(aside, studio.data_dir, symlinks=True)
    studio.data_dir.chmod(0o700)
    assert studio.client.get("api/projects").status_code in {200, 503}
    studio.client.wait_ready()
    assert studio.container.id != before.id
    assert good(studio.client.get("api/projects"))["results"]
    shutil.rmtree(aside)


def test_with_another_secret_key_it_is_not_taken_over_but_replaced(studio: Studio) -> None:
    before = studio.container
    kill_gateway(studio.jupyter)
    key = DataDirectory(studio.data_dir).secret_key()
    env = studio.data_dir / ".env"
    env.write_text(env.read_text().replace(key, key[::-1]))
    assert studio.client.get("api/projects").status_code in {200, 503}
    studio.client.wait_ready()
    assert studio.container.id != before.id
    assert volume_of(before) not in volumes(studio.engine)
    assert good(studio.client.get("api/current-user/whoami"))["email"] == EMAIL


def test_one_that_does_not_let_the_owner_in_is_not_taken_over_but_replaced(
    studio: Studio,
) -> None:
    before = studio.container
    kill_gateway(studio.jupyter)

    def set_active(number: int) -> None:
        path = studio.data_dir / "label_studio.sqlite3"
        with contextlib.closing(sqlite3.connect(path, timeout=60)) as database, database:
            database.execute("UPDATE htx_user SET is_active = ?", (number,))

    set_active(0)
    try:
        assert studio.client.get("api/projects").status_code == 503
        studio.client.wait_ready()
        assert studio.container.id != before.id
    finally:
        set_active(1)
    assert good(studio.client.get("api/current-user/whoami"))["email"] == EMAIL


@pytest.fixture
def begin(
    engine: Engine,
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path: Path,
) -> Callable[..., Studio]:
    """Start one Jupyter after the other on a data directory of the test's own, with its settings."""
    data_dir, notebooks = tmp_path / "data", notebook_folder(tmp_path / "notebooks")

    def begin(where: Engine = engine, **settings: Any) -> Studio:
        jupyter = jupyter_lab(root_dir=notebooks, **on(where, data_dir, **settings))
        client = label_studio_client(jupyter)
        client.wait_ready()
        return Studio(where, jupyter, client, data_dir, notebooks)

    return begin


def is_running(studio: Studio) -> bool:
    running: bool = studio.container.attrs["State"]["Running"]
    return running


def assert_whole(data_dir: Path) -> None:
    with contextlib.closing(sqlite3.connect(data_dir / "label_studio.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_the_next_jupyter_takes_it_over_unless_a_setting_has_changed(
    begin: Callable[..., Studio],
) -> None:
    studio = begin(memory_limit="1500m")
    new_project(studio.client, "To be kept")
    first = studio.container
    crash(studio.jupyter)
    studio = begin(memory_limit="1500m")
    taken_over = studio.container
    crash(studio.jupyter)
    studio = begin(memory_limit="1200m")
    replaced = studio.container
    assert good(studio.client.get("api/projects"))["count"] == 1
    assert taken_over.id == first.id
    assert replaced.id != first.id
    assert replaced.name == first.name
    assert replaced.attrs["HostConfig"]["Memory"] == 1200 * 1024 * 1024
    assert volume_of(first) not in volumes(studio.engine)


def test_one_whose_jupyter_alone_was_killed_goes_on_for_the_next(
    begin: Callable[..., Studio],
) -> None:
    studio = begin()
    new_project(studio.client, "Before the kill")
    before, gateway = studio.container, Path(f"/proc/{studio.jupyter.gateway_pid}")
    os.kill(studio.jupyter.process.pid, signal.SIGKILL)
    wait_for(lambda: not gateway.exists(), what="the gateway's end", timeout=5)
    studio.jupyter.stop()
    assert is_running(studio)
    studio = begin()
    assert studio.container.id == before.id
    assert good(studio.client.get("api/projects"))["count"] == 1


def test_one_whose_gateway_does_not_come_back_ends_and_nothing_is_lost(
    begin: Callable[..., Studio],
) -> None:
    settings = {"environment": {ORPHAN_VARIABLE: str(ORPHAN_SECONDS)}}
    studio = begin(**settings)
    new_project(studio.client, "To be kept")
    first = studio.container
    time.sleep(2 * ORPHAN_SECONDS)  # with a gateway and nobody who works: it is to go on
    assert is_running(studio)
    crash(studio.jupyter)
    assert is_running(studio)
    wait_for(lambda: not is_running(studio), what="the container's end", timeout=3 * ORPHAN_SECONDS)
    assert ORPHAN_WORDS.encode() in first.logs()
    assert_whole(studio.data_dir)
    studio = begin(**settings)
    log = [line for _, line in studio.client.state()["log"]]
    assert f"labelstudio-proxy: The container {first.name} ended. Replacing it." in log
    assert good(studio.client.get("api/projects"))["count"] == 1
    assert studio.container.id != first.id
    assert volume_of(first) not in volumes(studio.engine)


@pytest.mark.skipif(not EXECUTABLE.exists(), reason="Label Studio is not installed")
def test_nothing_else_starts_beside_a_container_that_was_left_behind(
    begin: Callable[..., Studio], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """No local process, no container on another engine, and a restore not either."""
    studio = begin()
    engine = studio.engine
    another = "podman_engine" if engine.name == "dockerd" else "docker_engine"
    other: Engine = request.getfixturevalue(another)
    new_project(studio.client, "To be kept")
    left = studio.container
    crash(studio.jupyter)
    assert is_running(studio)
    studio = begin(other, backend="process", label_studio=str(EXECUTABLE))
    assert containers_of(engine, studio.data_dir) == []
    assert volume_of(left) not in volumes(engine)
    said = f"The container {left.name} of an earlier gateway was removed."
    assert studio.client.state()["notices"] == [said]
    assert good(studio.client.get("api/projects"))["count"] == 1
    assert_whole(studio.data_dir)
    studio.jupyter.stop()

    crash(begin().jupyter)
    studio = begin(other)
    assert containers_of(engine, studio.data_dir) == []
    assert is_running(studio)
    assert good(studio.client.get("api/projects"))["count"] == 1
    studio.jupyter.stop()

    studio = begin()
    left = studio.container
    saved = tmp_path / "saved.zip"
    environment = clean_environment(tmp_path / "home") | {"DOCKER_HOST": engine.address}

    def command(*words: object) -> str:
        program = [sys.executable, "-m", "labelstudio_proxy", *map(str, words)]
        done = subprocess.run(
            [*program, "--data-dir", str(studio.data_dir)],
            env=environment,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        )
        return done.stdout

    command("backup", "--output", saved)
    crash(studio.jupyter)
    assert f"The container {left.name}" in command("restore", saved)
    assert left.id not in {each.id for each in engine.client.containers.list(all=True)}


def test_a_container_of_somebody_elses_with_its_name_is_left_alone(studio: Studio) -> None:
    client, name = studio.client, studio.container.name
    client.post("_proxy/stop")
    client.wait_for_state("stopped")
    somebodys = studio.engine.client.containers.create(
        LABEL_STUDIO, entrypoint=["sleep"], command=["1000"], name=name
    )
    try:
        client.start()
        wait_for(lambda: client.state()["state"] == "failed", what="a failure")
        error = client.state()["error"]
        assert error["what"] == (f"Another program has made a container with the name {name}.")
        assert f"docker rm --force {name}" in error["remedy"]
        somebodys.reload()
        assert somebodys.status == "created"
    finally:
        somebodys.remove(force=True)
    studio.start()
    assert studio.container.name == name


# ---- the end


def test_an_idle_one_is_stopped_in_time_and_leaves_nothing(studio: Studio) -> None:
    took: list[float] = []
    # The machine may be busy; it is the program that may not dawdle.
    while not took or (took[-1] > STOP_SECONDS and len(took) < 3):
        if took:
            studio.start()
        volume = volume_of(studio.container)
        began = studio.client.post("_proxy/stop").json()["now"]
        took.append(studio.client.wait_for_state("stopped")["now"] - began)
        assert not containers_of(studio.engine, studio.data_dir)
        assert volume not in volumes(studio.engine)
    assert took[-1] <= STOP_SECONDS, took


def test_one_that_was_given_another_name_is_stopped_all_the_same(studio: Studio) -> None:
    container, volume = studio.container, volume_of(studio.container)
    container.rename("something-else")
    studio.client.post("_proxy/stop")
    studio.client.wait_for_state("stopped")
    assert not containers_of(studio.engine, studio.data_dir)
    assert volume not in volumes(studio.engine)


def test_jupyters_end_leaves_nothing(studio: Studio, second: Studio) -> None:
    """Last in this file: it ends the second Jupyter."""
    volume = volume_of(second.container)
    second.jupyter.stop()
    assert not containers_of(second.engine, second.data_dir)
    assert volume not in volumes(second.engine)
    assert studio.client.get("api/projects").status_code == 200


# ---- ahead of a first start


def test_prepare_says_that_the_image_is_here_and_asks_no_registry(
    engine: Engine, tmp_path: Path
) -> None:
    name = "127.0.0.1:1/label-studio:1.23.2"  # where no registry can be
    image = engine.client.images.get(LABEL_STUDIO)
    assert image.tag(*name.rsplit(":", 1))
    env = clean_environment(tmp_path) | {
        "DOCKER_HOST": engine.address,
        "LABELSTUDIO_PROXY_BACKEND": "docker",
        "LABELSTUDIO_PROXY_IMAGE": name,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "labelstudio_proxy", "prepare"],
            check=False,
            capture_output=True,
            text=True,
            env=env,
            cwd=tmp_path,
            timeout=60,
        )
    finally:
        engine.client.images.remove(name)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"The image {name} is here ({image.short_id})."]
    assert done.stderr == ""
