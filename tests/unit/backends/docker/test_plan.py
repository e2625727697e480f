"""The plan of a container, for different engines."""

from __future__ import annotations

import dataclasses
import os
import platform
from pathlib import Path
from typing import Any

import pytest
from support.container_plans import KEY

from labelstudio_proxy.backends.docker import plan as planning
from labelstudio_proxy.backends.docker.container_spec import Plan
from labelstudio_proxy.backends.docker.engine_problems import Address
from labelstudio_proxy.backends.docker.jupyter_container import ContainerMount, JupyterContainer
from labelstudio_proxy.backends.docker.plan import DockerSettings, Planner, find_site
from labelstudio_proxy.data_directory.directory import DataDirectory


class EngineTraits:
    """In place of an engine: responds to `docker info` only."""

    address = Address("unix:///run/engine.sock", "")
    name = "Docker"

    def __init__(self, *security: str, **others: Any) -> None:
        options = [f"name={each}" for each in security]
        self._info = {"SecurityOptions": options, "KernelVersion": platform.release(), **others}

    async def ask(self, call: Any, **_: Any) -> Any:
        return call(self)

    def info(self) -> dict[str, Any]:
        return self._info


def jupyter_runs_in(jupyter: JupyterContainer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def found(engine: object) -> JupyterContainer:
        return jupyter

    monkeypatch.setattr(planning, "find_jupyter_container", found)


async def planned(
    monkeypatch: pytest.MonkeyPatch,
    data_dir: Path,
    jupyter: JupyterContainer,
    *security: str,
    user: str = "1000:1000",
    kernel: str = platform.release(),
) -> Plan:
    jupyter_runs_in(jupyter, monkeypatch)
    monkeypatch.setattr(os, "getgroups", lambda: [1000, 2000])
    engine: Any = EngineTraits(*security, KernelVersion=kernel)
    planner = Planner(
        settings=DockerSettings("x:1", "never", "", 0.0, "", files_writable=False),
        directory=DataDirectory(data_dir),
        files_root=None,
        environment={},
        private={},
        user_name="ada",
        user=user,
    )
    return planner.plan(await find_site(engine), "sha256:1")


async def test_the_user_of_the_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    outside = JupyterContainer()
    mounts = (ContainerMount(str(tmp_path), str(tmp_path), writable=True),)
    inside = JupyterContainer(name="jupyter", mounts=mounts)
    on_host = dataclasses.replace(inside, user_namespace="host")

    async def of(jupyter: JupyterContainer, *security: str) -> tuple[str, tuple[int, ...], str]:
        made = await planned(monkeypatch, tmp_path, jupyter, *security)
        return made.user, made.groups, made.user_namespace

    assert await of(outside) == ("1000:1000", (2000,), "")
    # In a rootless engine root is the user; in its containers uids stay the same.
    assert await of(outside, "rootless") == ("0:0", (), "")
    assert await of(inside, "rootless") == ("1000:1000", (), "")
    # Mapped users would not own the files; in a container, other containers have the same map.
    assert await of(outside, "userns") == ("1000:1000", (2000,), "host")
    assert await of(inside, "userns") == ("1000:1000", (2000,), "")
    assert await of(on_host, "userns") == ("1000:1000", (2000,), "host")


async def test_selinux_labels_are_off_for_the_container(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = await planned(
        monkeypatch, tmp_path, JupyterContainer(), "selinux", "seccomp,profile=default"
    )
    assert made.options(KEY)["security_opt"] == ["no-new-privileges:true", "label=disable"]


@pytest.mark.parametrize(
    ("name", "info", "measures_memory", "changes_shares"),
    [
        ("Docker", {"MemoryLimit": True, "CPUShares": True, "CgroupVersion": "1"}, True, True),
        ("Podman", {"MemoryLimit": True, "CPUShares": True, "CgroupVersion": "2"}, True, False),
        # Without root, on cgroup v2 and v1.
        ("Podman", {"MemoryLimit": True, "Rootless": True, "CgroupVersion": "2"}, True, False),
        ("Podman", {"MemoryLimit": True, "Rootless": True, "CgroupVersion": "1"}, False, False),
        ("Docker", {"MemoryLimit": False, "CPUShares": False, "CgroupVersion": "1"}, False, False),
    ],
)
async def test_an_engine_without_control_groups_measures_and_limits_nothing(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    info: dict[str, Any],
    measures_memory: bool,
    changes_shares: bool,
) -> None:
    jupyter_runs_in(JupyterContainer(), monkeypatch)
    monkeypatch.setattr(EngineTraits, "name", name)
    engine: Any = EngineTraits(**info)
    site = await find_site(engine)
    assert (site.measures_memory, site.changes_shares) == (measures_memory, changes_shares)


@pytest.mark.parametrize(
    ("address", "kernel", "publish"),
    [
        ("unix:///run/engine.sock", platform.release(), False),
        ("unix:///run/engine.sock", "6.10.14-linuxkit", True),
        ("tcp://127.0.0.1:2375", platform.release(), True),
    ],
)
async def test_a_port_is_published_only_if_no_socket_leads_to_the_container(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str, kernel: str, publish: bool
) -> None:
    monkeypatch.setattr(EngineTraits, "address", Address(address, ""))
    made = await planned(monkeypatch, tmp_path, JupyterContainer(), kernel=kernel)
    options = made.options(KEY)
    assert made.publish is publish
    assert ("ports" in options) is publish
    assert options["command"][1].startswith("0.0.0.0:") is publish


@pytest.fixture
def folder_of_another(tmp_path: Path) -> Path:
    """A folder of the user that Label Studio's image has."""
    if os.getuid():
        pytest.skip("only root can give a folder to another user")
    os.chown(tmp_path, 1001, 0)
    return tmp_path


async def test_root_runs_the_container_as_the_owner_of_the_data_directory(
    monkeypatch: pytest.MonkeyPatch, folder_of_another: Path
) -> None:
    """Without capabilities, root reads no private files of others."""
    made = await planned(monkeypatch, folder_of_another, JupyterContainer(), user="0:0")
    assert made.user == "1001:0"
