"""What the docker backend is made of, without an engine."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import io
import json
import os
import re
import socket
import tarfile
import threading
import types
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from docker import DockerClient
from docker.errors import APIError, NotFound

from labelstudio_proxy.aio import call_in_thread
from labelstudio_proxy.backends.docker import backend as docker
from labelstudio_proxy.backends.docker import container_spec, exit_reasons
from labelstudio_proxy.backends.docker import engine as docker_engine
from labelstudio_proxy.backends.docker import plan as docker_planning
from labelstudio_proxy.backends.docker.container import endpoint_of
from labelstudio_proxy.backends.docker.container_spec import (
    DATA_DIR,
    Plan,
    check_paths,
    container_environment,
)
from labelstudio_proxy.backends.docker.engine import PATIENT_SECONDS, QUICK_SECONDS, Engine
from labelstudio_proxy.backends.docker.engine_problems import Address, EngineFault
from labelstudio_proxy.backends.docker.engine_refusals import refused
from labelstudio_proxy.backends.docker.jupyter_container import (
    Bind,
    ContainerMount,
    Surroundings,
    mounted_within,
    own_container_ids,
    surroundings_of,
)
from labelstudio_proxy.data_directory.directory import DataDirectory
from labelstudio_proxy.label_studio.upstream import open_session, url_of
from labelstudio_proxy.problem import Problem

KEY = "the secret key of the data directory"


def plan(**changes: Any) -> Plan:
    whole = Plan(
        image="sha256:1",
        user_name="ada",
        user="1000:1000",
        groups=(),
        user_namespace="",
        binds=(Bind("/home/ada/data", DATA_DIR, False), Bind("/home/ada", "/home/ada", True)),
        hidden=(),
        environment={"DEBUG": "false"},
        private={"POSTGRE_PASSWORD": "hunter2"},
        memory=None,
        cpus=None,
        network=None,
        security=(),
        publish=True,
    )
    return dataclasses.replace(whole, **changes)


# ---- name and labels


def test_names_of_users_that_look_alike_are_kept_apart() -> None:
    users = ["a-b", "a--b", "a b", "ü", "ö", "a@b", "a.b", "A-B", "-", "..", "x" * 200]
    names = {plan(user_name=user).name for user in users}
    assert len(names) == len(users)
    for name in names:
        assert re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}", name), name


def test_each_data_directory_and_each_account_of_the_machine_has_a_container_of_its_own() -> None:
    other = (Bind("/home/ada/other", DATA_DIR, False),)
    assert len({plan().name, plan(binds=other).name, plan(user="1001:1000").name}) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"image": "sha256:2"},
        {"environment": {"DEBUG": "true"}},
        {"private": {"POSTGRE_PASSWORD": "hunter3"}},
        {"memory": "2g"},
        {"cpus": 1.5},
        {"network": "other"},
        {"groups": (2000,)},
        {"hidden": ("/home/ada/engine.sock",)},
        {"directory": 4711},
        {"binds": (Bind("/home/ada/data", DATA_DIR, False), Bind("/home/ada", "/home/ada", False))},
    ],
)
def test_another_setting_makes_another_digest_under_the_same_name(change: dict[str, Any]) -> None:
    assert plan(**change).digest(KEY) != plan().digest(KEY)
    assert plan(**change).name == plan().name


@pytest.mark.parametrize(("name", "value"), [("PROCESSES", 7), ("__version__", "0.0.0")])
def test_what_another_version_makes_otherwise_has_another_digest(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    before = plan().digest(KEY)
    monkeypatch.setattr(container_spec, name, value)
    assert plan().digest(KEY) != before


def test_the_digest_cannot_be_guessed_from_the_settings_alone() -> None:
    assert plan().digest(KEY) == plan().digest(KEY)
    assert plan().digest(KEY) != plan().digest("another")


def test_what_the_engine_shows_holds_no_secret() -> None:
    shown = json.dumps(plan().options(KEY))
    assert "hunter2" not in shown
    assert KEY not in shown


def test_the_archive_is_for_the_user_alone() -> None:
    made = plan().files({"LABEL_STUDIO_PASSWORD": "once"})
    with tarfile.open(fileobj=io.BytesIO(made)) as archive:
        entries = {entry.name: entry for entry in archive}
        file = archive.extractfile("environment.json")
        assert file is not None
        private = json.load(file)
    assert all((e.uid, e.gid) == (1000, 1000) for e in entries.values())
    assert {name: entry.mode for name, entry in entries.items()} == {
        "labelstudio_settings.py": 0o400,
        "environment.json": 0o400,
        "temporary": 0o700,
    }
    assert private == {"POSTGRE_PASSWORD": "hunter2", "LABEL_STUDIO_PASSWORD": "once"}


def test_the_containers_environment_is_not_the_notebooks() -> None:
    inherited = {"PATH": "/opt/conda/bin", "HTTP_PROXY": "http://me:secret@proxy", "TZ": "CET"}
    made = container_environment(inherited, Path("/nb"), {"LABEL_STUDIO_DEBUG": "true"})
    assert made["TZ"] == "CET"
    assert not {"PATH", "HTTP_PROXY", "LABEL_STUDIO_DEBUG", "DEBUG"} & set(made)
    assert made["LOCAL_FILES_DOCUMENT_ROOT"] == "/nb"
    assert made["LABEL_STUDIO_BASE_DATA_DIR"] == DATA_DIR


# ---- folders


@pytest.mark.parametrize(
    "path",
    [
        "/home/ada",
        "/home/a:b,c d",
        "/srv/Bücher/日本",
        "/tmp/x",
        "/usr/local/share/nb",
        "/mnt",
        "/d'q\"",
    ],
)
def test_ordinary_folders_are_taken(path: str) -> None:
    check_paths([("data_dir", Path("/etc/anywhere")), ("files_root", Path(path))])


@pytest.mark.parametrize(
    ("setting", "path", "told"),
    [
        ("files_root", "/", "the system or Label Studio itself"),
        ("files_root", "/usr", "the system"),
        ("files_root", "/etc/jupyter", "the system"),
        ("files_root", "/home/../etc/jupyter", "the system"),
        ("files_root", "/run/user/1000", "the system"),
        ("files_root", "/var/run", "the system"),
        ("files_root", "/label-studio/data/x", "Label Studio itself"),
        ("files_root", "/home/a\nb", "control character"),
        ("data_dir", "/home/a\nb", "control character"),
        ("data_dir", os.fsdecode(b"/home/\xff"), "UTF-8"),
    ],
)
def test_folders_that_no_container_can_have_are_refused(setting: str, path: str, told: str) -> None:
    with pytest.raises(Problem) as problem:
        check_paths([(setting, Path(path))])
    assert told in problem.value.why
    assert setting in problem.value.remedy


def test_podman_takes_no_commas_and_quotation_marks(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a,b")
    with pytest.raises(Problem, match="Podman cannot"):
        check_paths([("files_root", tmp_path / "link")], unquoted=True)
    check_paths([("files_root", Path("/home/a:b c"))], unquoted=True)
    with pytest.raises(Problem, match="Podman cannot"):
        check_paths([("files_root", Path("/home/a,b"))], unquoted=True)


# ---- Jupyter in a container

ID = "4f" * 32
DOCKER = f"""\
700 600 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/A
710 700 8:1 /var/lib/docker/containers/{ID}/resolv.conf /etc/resolv.conf rw - ext4 /dev/sda1 rw
711 700 8:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/sda1 rw
"""
PODMAN = f"""\
711 700 0:25 /containers/storage/overlay-containers/{ID}/userdata/hostname /etc/hostname rw - tmpfs t rw
"""
PODMAN_ON_VFS = PODMAN.replace("overlay-containers", "vfs-containers")
ENGINES_MACHINE = f"""\
30 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
90 30 0:40 / /var/lib/docker/containers/{ID}/mounts/shm rw - tmpfs shm rw
"""


@pytest.mark.parametrize(
    ("mountinfo", "cgroup", "found"),
    [
        (DOCKER, "0::/\n", [ID]),
        (PODMAN, "0::/\n", [ID]),
        (PODMAN_ON_VFS, "0::/\n", [ID]),
        ("", f"12:memory:/docker/{ID}\n11:cpu:/docker/{ID}\n", [ID]),
        ("", f"0::/system.slice/docker-{ID}.scope\n", [ID]),
        ("", f"0::/machine.slice/libpod-{ID}.scope/container\n", [ID]),
        (ENGINES_MACHINE, "0::/user.slice\n", []),
        ("", "", []),
    ],
)
def test_the_own_container_is_known_by_what_the_engine_binds_into_it(
    tmp_path: Path, mountinfo: str, cgroup: str, found: list[str]
) -> None:
    (tmp_path / "mountinfo").write_text(mountinfo)
    (tmp_path / "cgroup").write_text(cgroup)
    assert own_container_ids(tmp_path) == found


def jupyters(**network: Any) -> Surroundings:
    own = {
        "Id": ID,
        "Name": "/jupyter",
        "HostConfig": {"NetworkMode": network.get("mode", "bridge")},
        "NetworkSettings": {"Networks": {name: {} for name in network.get("networks", ["bridge"])}},
        "Mounts": [
            {"Type": "bind", "Source": "/srv/ada", "Destination": "/home/jovyan/work"},
            {"Type": "volume", "Source": "/var/lib/docker/volumes/v/_data", "Destination": "/data"},
            {"Type": "bind", "Source": "/srv/all", "Destination": "/home/jovyan/work/shared"},
            {"Type": "tmpfs", "Source": "", "Destination": "/scratch"},
            {
                "Type": "bind",
                "Source": "/srv/course",
                "Destination": "/home/jovyan/work/course",
                "RW": False,
            },
        ],
    }
    return surroundings_of(own, own)


def test_paths_become_the_engines() -> None:
    around = jupyters()
    assert around.binds(Path("/data/ls"), DATA_DIR, "data_dir", read_only=False) == [
        Bind("/var/lib/docker/volumes/v/_data/ls", DATA_DIR, False)
    ]
    work = Path("/home/jovyan/work")
    assert around.binds(work, str(work), "files_root", read_only=True) == [
        Bind("/srv/ada", "/home/jovyan/work", True),
        Bind("/srv/all", "/home/jovyan/work/shared", True),
        Bind("/srv/course", "/home/jovyan/work/course", True),
    ]
    assert around.binds(work / "shared/x", "/x", "files_root", read_only=True) == [
        Bind("/srv/all/x", "/x", True)
    ]


def test_what_jupyter_may_not_write_label_studio_may_not_either() -> None:
    work = Path("/home/jovyan/work")
    assert jupyters().binds(work, str(work), "files_root", read_only=False) == [
        Bind("/srv/ada", "/home/jovyan/work", False),
        Bind("/srv/all", "/home/jovyan/work/shared", False),
        Bind("/srv/course", "/home/jovyan/work/course", True),
    ]
    assert jupyters().binds(work / "course/x", "/x", "files_root", read_only=False) == [
        Bind("/srv/course/x", "/x", True)
    ]


def test_an_engines_socket_that_jupyter_has_is_not_passed_on(tmp_path: Path) -> None:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as engines:
        engines.bind(str(tmp_path / "s"))
        mounts = [
            {"Type": "bind", "Source": "/srv/ada", "Destination": str(tmp_path)},
            {"Type": "bind", "Source": "/run/docker.sock", "Destination": str(tmp_path / "s")},
        ]
        own = {"Id": ID, "HostConfig": {}, "NetworkSettings": {}, "Mounts": mounts}
        around = surroundings_of(own, own)
        assert around.binds(tmp_path, "/nb", "files_root", read_only=True) == [
            Bind("/srv/ada", "/nb", True)
        ]


MOUNTS = rb"""
30 1 8:1 / / rw - ext4 /dev/sda1 rw
31 30 0:50 / /home/ada/nb/data\040one rw - nfs4 server:/x rw
32 30 0:51 / /home/ada/nb/mail rw - fuse.sshfs ada@mail:/ rw
33 30 0:52 / /home/ada/nb rw - tmpfs tmpfs rw
34 30 0:53 / /home/ada/nbs rw - tmpfs tmpfs rw
"""


def test_what_is_mounted_in_the_notebooks_is_known(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_bytes(MOUNTS.strip())
    assert mounted_within(Path("/home/ada/nb"), tmp_path) == [Path("/home/ada/nb/data one")]


# ---- what an engine is like


class Info:
    """In an engine's place: says what it is like, and knows one container."""

    name = "Docker"

    def __init__(self, *security: str) -> None:
        self.said = {"SecurityOptions": [f"name={each}" for each in security]}

    async def ask(self, call: Any, **_: Any) -> Any:
        return call(self)

    def info(self) -> dict[str, Any]:
        return self.said


def backend_of(data_dir: Path) -> docker.DockerBackend:
    return docker.DockerBackend(
        lambda step, **_: None,
        lambda line: None,
        docker_planning.Planner(
            settings=docker_planning.DockerSettings(
                "x:1", "never", "", 0.0, "", files_writable=False
            ),
            directory=DataDirectory(data_dir),
            files_root=None,
            environment={},
            private={},
            user_name="ada",
            user="1000:1000",
        ),
    )


@pytest.mark.parametrize(
    ("publish", "network"),
    [
        (True, {"Ports": {}}),
        (True, {"Ports": {"8080/tcp": None}}),
        (False, {"Networks": {"hub": {"IPAddress": ""}}}),
    ],
)
async def test_of_a_container_that_has_ended_nobody_else_is_asked(
    publish: bool, network: dict[str, Any]
) -> None:
    """Least of all what listens on Label Studio's usual port of this machine."""
    ended: Any = types.SimpleNamespace(attrs={"NetworkSettings": network})
    made = plan(publish=publish, network=None if publish else "hub")
    engine: Any = None
    endpoint = endpoint_of(engine, ended, made)
    async with open_session(endpoint) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url_of(endpoint, "/health"))


def test_a_stop_without_a_gateway_is_told_apart_from_docker_stop(tmp_path: Path) -> None:
    backend, how = backend_of(tmp_path), f"exit status {exit_reasons.TERMINATED}"
    line = f"labelstudio-proxy: Label Studio stops, because {container_spec.ORPHAN_WORDS}."
    assert "no gateway contacted it" in backend.explain(how, ["", line]).what
    assert "was stopped" in backend.explain(how, [""]).what
    assert container_spec.ORPHAN_WORDS in container_spec.SETTINGS.read_text()


async def learned(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, around: Surroundings, *security: str
) -> Plan:
    async def found(engine: object) -> Surroundings:
        return around

    monkeypatch.setattr(docker_planning, "look_around", found)
    monkeypatch.setattr(os, "getgroups", lambda: [1000, 2000])
    engine: Any = Info(*security)
    site = await docker_planning.look_at(engine)
    return backend_of(tmp_path)._planner.plan(site, "sha256:1")


async def test_whom_the_container_runs_as(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    beside = Surroundings()
    mounts = (ContainerMount(str(tmp_path), str(tmp_path), writable=True),)
    inside = Surroundings(container="jupyter", mounts=mounts, networks=("hub",))
    on_host = dataclasses.replace(inside, user_namespace="host")

    async def of(around: Surroundings, *security: str) -> tuple[str, tuple[int, ...], str]:
        made = await learned(monkeypatch, tmp_path, around, *security)
        return made.user, made.groups, made.user_namespace

    assert await of(beside) == ("1000:1000", (2000,), "")
    # A rootless engine's root is the user; in its containers users are what they are there.
    assert await of(beside, "rootless") == ("0:0", (), "")
    assert await of(inside, "rootless") == ("1000:1000", (), "")
    # Mapped users would own nothing of the user's; in a container, the next one is mapped alike.
    assert await of(beside, "userns") == ("1000:1000", (2000,), "host")
    assert await of(inside, "userns") == ("1000:1000", (2000,), "")
    assert await of(on_host, "userns") == ("1000:1000", (2000,), "host")


async def test_where_labels_would_keep_it_from_the_files_they_are_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = await learned(
        monkeypatch, tmp_path, Surroundings(), "selinux", "seccomp,profile=default"
    )
    assert made.options(KEY)["security_opt"] == ["no-new-privileges:true", "label=disable"]


def test_what_is_unpacked_for_mapped_users_can_be_read_by_the_container() -> None:
    with tarfile.open(fileobj=io.BytesIO(plan(user_namespace="host").files({}))) as archive:
        modes = {entry.name: entry.mode for entry in archive}
    assert modes == {
        "labelstudio_settings.py": 0o444,
        "environment.json": 0o444,
        "temporary": 0o1777,
    }


@pytest.mark.parametrize(
    ("said", "why", "remedy"),
    [
        (
            "container_linux.go: stat /usr/libexec/podman/catatonit: no such file or directory",
            "first in a container",
            "catatonit",
        ),
        ('exec: "docker-init": executable file not found in $PATH', "first in a container", "tini"),
        ('exec: "label-studio": executable file not found in $PATH', "no `label-studio`", "image"),
        ("invalid mount config: bind source path does not exist: /x", "does not see", "data_dir"),
        ("error while creating mount source path: stat /home/a: permission denied", "no root", "l"),
        ("Mounts denied: The path /x is not shared from the host", "may not give", "Share it"),
        ("write /var/lib/docker/x: no space left on device", "full", "prune"),
        ("network nowhere not found", "no such network", "docker network ls"),
        ("Minimum memory limit allowed is 6MB", "limits", "memory_limit"),
        ('Conflict. The container name "/x" is already in use by container "y"', "Another", "stop"),
        ("something new", "something new", "Copy diagnostics"),
    ],
)
def test_what_engines_refuse_is_told_apart(said: str, why: str, remedy: str) -> None:
    problem = refused("could not be made", APIError("500", explanation=said))
    assert problem.what == "Label Studio's container could not be made."
    assert why in problem.why
    assert said in problem.why
    assert remedy in problem.remedy


@pytest.mark.parametrize("path", ["/home/jovyan", "/home/jovyan/.local", "/scratch/x"])
def test_what_is_inside_jupyters_container_alone_is_refused(path: str) -> None:
    with pytest.raises(Problem) as problem:
        jupyters().binds(Path(path), DATA_DIR, "data_dir", read_only=False)
    assert "/home/jovyan/work" in problem.value.why
    assert "/scratch," not in problem.value.why
    assert "data_dir" in problem.value.remedy


def test_beside_the_engine_paths_are_what_they_are(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    assert Surroundings().binds(link, str(link), "files_root", read_only=True) == [
        Bind(str(tmp_path.resolve()), str(link), True)
    ]


def test_a_network_that_somebody_made_comes_first() -> None:
    assert jupyters(networks=["bridge", "hub"]).networks == ("hub", "bridge")
    assert jupyters(networks=["none"]).networks == ()
    assert jupyters(mode="host", networks=["host"]).on_host


# ---- an engine


async def test_an_engine_has_time_to_work_unless_it_is_asked_whether_it_answers() -> None:
    url = "unix:///nowhere/engine.sock"
    quick, patient = (
        DockerClient(url, version="1.41", timeout=seconds)
        for seconds in (QUICK_SECONDS, PATIENT_SECONDS)
    )
    engine = Engine(Address(url, "it is made up"), quick, patient, {})
    try:
        assert await engine.ask(lambda client: client.api.timeout) == PATIENT_SECONDS
        limited = await engine.ask(lambda client: client.api.timeout, seconds=QUICK_SECONDS)
        assert limited == QUICK_SECONDS
    finally:
        engine.close()


async def test_a_container_that_goes_while_podman_looks_at_it_is_not_there() -> None:
    client = DockerClient("unix:///nowhere/engine.sock", version="1.41")
    engine = Engine(Address("unix:///nowhere", "it is made up"), client, client, {})

    def refuse(why: str) -> None:
        raise APIError("500 Server Error", explanation=why)

    try:
        with pytest.raises(NotFound):
            await engine.ask(lambda _: refuse("a does not exist in database: no such container"))
        with pytest.raises(APIError) as refused:
            await engine.ask(lambda _: refuse("no space left on device"))
        assert not isinstance(refused.value, NotFound)
    finally:
        engine.close()


async def test_a_call_that_never_ends_keeps_nobody_waiting_at_the_end() -> None:
    """As for a process that ends: its threads are not waited for."""
    ended = threading.Event()
    future = asyncio.ensure_future(call_in_thread(ended.wait, "engine"))
    await asyncio.sleep(0)
    (thread,) = (each for each in threading.enumerate() if each.name == "engine")
    assert thread.daemon
    ended.set()
    assert await future is True


async def test_an_engine_that_hangs_is_not_passed_over_for_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It may come back, with Label Studio's container in it."""
    places = [tmp_path / name for name in ("absent", "hung", "other")]
    monkeypatch.setattr(docker_engine, "QUICK_SECONDS", 0.2)
    monkeypatch.setattr(docker_engine, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(
        docker_engine,
        "_addresses",
        lambda _: [Address(f"unix://{place}", "it is made up") for place in places],
    )
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2)]
        for listener, place in zip(listeners, places[1:], strict=True):
            listener.bind(str(place))
            listener.listen()
        with pytest.raises(EngineFault) as fault:
            await docker_engine.connect_engine()
        assert str(places[1]) in fault.value.why
        listeners[1].settimeout(0)
        with pytest.raises(BlockingIOError):
            listeners[1].accept()


@pytest.mark.parametrize(
    "environment",
    [
        {"DOCKER_HOST": "tcp://127.0.0.1:2376", "DOCKER_TLS_VERIFY": "1"},
        {"DOCKER_CONTEXT": "work"},
    ],
)
async def test_certificates_that_are_not_there_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str]
) -> None:
    identifier = hashlib.sha256(b"work").hexdigest()
    meta = tmp_path / "contexts/meta" / identifier / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Endpoints": {"docker": {"Host": "tcp://127.0.0.1:1"}}}))
    (tmp_path / "contexts/tls" / identifier / "docker").mkdir(parents=True)
    for name, value in {"DOCKER_CONFIG": str(tmp_path), **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    with pytest.raises(EngineFault) as fault:
        await docker_engine.connect_engine()
    assert fault.value.remedy
