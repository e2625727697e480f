"""Jupyter's own container: recognized, and its paths translated."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Any

import psutil
import pytest

from labelstudio_proxy.backends.docker.container_spec import DATA_DIR
from labelstudio_proxy.backends.docker.jupyter_container import (
    Bind,
    JupyterContainer,
    jupyter_container_of,
    mounted_within,
    own_container_ids,
)
from labelstudio_proxy.problem import Problem

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
def test_jupyters_container_is_recognized_by_the_files_that_the_engine_binds(
    tmp_path: Path, mountinfo: str, cgroup: str, found: list[str]
) -> None:
    (tmp_path / "mountinfo").write_text(mountinfo)
    (tmp_path / "cgroup").write_text(cgroup)
    assert own_container_ids(tmp_path) == found


def jupyter() -> JupyterContainer:
    own: dict[str, Any] = {
        "Id": ID,
        "Name": "/jupyter",
        "HostConfig": {},
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
    return jupyter_container_of(own)


def test_paths_are_translated_to_the_engines() -> None:
    container = jupyter()
    assert container.binds(Path("/data/ls"), DATA_DIR, "data_dir", read_only=False) == [
        Bind("/var/lib/docker/volumes/v/_data/ls", DATA_DIR, False)
    ]
    work = Path("/home/jovyan/work")
    assert container.binds(work, str(work), "files_root", read_only=True) == [
        Bind("/srv/ada", "/home/jovyan/work", True),
        Bind("/srv/all", "/home/jovyan/work/shared", True),
        Bind("/srv/course", "/home/jovyan/work/course", True),
    ]
    assert container.binds(work / "shared/x", "/x", "files_root", read_only=True) == [
        Bind("/srv/all/x", "/x", True)
    ]


def test_label_studio_may_not_write_where_jupyter_may_not() -> None:
    work = Path("/home/jovyan/work")
    assert jupyter().binds(work, str(work), "files_root", read_only=False) == [
        Bind("/srv/ada", "/home/jovyan/work", False),
        Bind("/srv/all", "/home/jovyan/work/shared", False),
        Bind("/srv/course", "/home/jovyan/work/course", True),
    ]
    assert jupyter().binds(work / "course/x", "/x", "files_root", read_only=False) == [
        Bind("/srv/course/x", "/x", True)
    ]


def test_jupyters_engine_socket_is_not_passed_on(tmp_path: Path) -> None:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as engines:
        engines.bind(str(tmp_path / "s"))
        mounts = [
            {"Type": "bind", "Source": "/srv/ada", "Destination": str(tmp_path)},
            {"Type": "bind", "Source": "/run/docker.sock", "Destination": str(tmp_path / "s")},
        ]
        own: dict[str, Any] = {"Id": ID, "HostConfig": {}, "Mounts": mounts}
        container = jupyter_container_of(own)
        assert container.binds(tmp_path, "/nb", "files_root", read_only=True) == [
            Bind("/srv/ada", "/nb", True)
        ]


MOUNTS = r"""
/dev/sda1 / ext4 rw 0 0
server:/x /home/ada/nb/data\040one nfs4 rw 0 0
ada@mail:/ /home/ada/nb/mail fuse.sshfs rw 0 0
tmpfs /home/ada/nb tmpfs rw 0 0
tmpfs /home/ada/nbs tmpfs rw 0 0
"""


def test_mounts_in_the_notebook_folder_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mounts").write_text(MOUNTS.lstrip())
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    assert mounted_within(Path("/home/ada/nb")) == [Path("/home/ada/nb/data one")]


@pytest.mark.parametrize("path", ["/home/jovyan", "/home/jovyan/.local", "/scratch/x"])
def test_a_folder_only_inside_jupyters_container_is_refused(path: str) -> None:
    with pytest.raises(Problem) as problem:
        jupyter().binds(Path(path), DATA_DIR, "data_dir", read_only=False)
    assert "/home/jovyan/work" in problem.value.why
    assert "/scratch," not in problem.value.why
    assert "data_dir" in problem.value.remedy


def test_without_a_container_paths_stay_the_same(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    assert JupyterContainer().binds(link, str(link), "files_root", read_only=True) == [
        Bind(str(tmp_path.resolve()), str(link), True)
    ]
