"""Warnings about the file system of a data directory."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from labelstudio_proxy.data_directory.file_system import warning, warning_about

MOUNTS = [
    (Path("/"), "overlay"),
    (Path("/home"), "ext4"),
    (Path("/home/a b"), "nfs4"),
    (Path("/tmp"), "tmpfs"),
    (Path("/tmp"), "xfs"),
    (Path("/media/s3"), "fuse.s3fs"),
    (Path("/run"), "tmpfs"),
]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/root/.local/share/labelstudio-proxy", "is lost with it"),
        ("/home/ada/data", ""),
        ("/home/a b/data", "network file system (nfs4)"),
        ("/home/a b", "network file system (nfs4)"),
        ("/home/a bc", ""),
        ("/tmp/data", ""),  # mounted over
        ("/media/s3/data", "network file system (fuse.s3fs)"),
        ("/run/data", "is in memory (tmpfs)"),
    ],
)
def test_warning_for_each_kind_of_file_system(path: str, said: str) -> None:
    found = warning(MOUNTS, Path(path))
    assert bool(found) is bool(said)
    assert said in found
    if said:
        assert path in found


def test_no_warning_if_the_mounts_are_not_known() -> None:
    assert warning([], Path("/data")) == ""


def test_warning_for_a_real_file_system_in_memory(tmp_path: Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare")
    folder = tmp_path / "with a space"
    code = (
        "import sys; from pathlib import Path;"
        "from labelstudio_proxy.data_directory.file_system import warning_about;"
        "print(warning_about(Path(sys.argv[1])))"
    )
    script = 'mkdir "$0"; mount -t tmpfs tmpfs "$0"; exec "$@" "$0"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script, str(folder), sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode and "ermi" in done.stderr:
        pytest.skip(f"only root can mount: {done.stderr}")
    assert done.returncode == 0, done.stderr
    assert "is in memory (tmpfs)" in done.stdout
    assert "in memory" not in warning_about(Path("/proc"))
