"""What the file system of a data directory means for the data."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from labelstudio_proxy.data_directory import file_system
from labelstudio_proxy.data_directory.file_system import is_local, mount_of, warning, warning_about

# as in proc(5); spaces in paths are written as \040
MOUNTS = """\
1 0 0:40 / / rw,relatime - overlay overlay rw,lowerdir=/l,upperdir=/u
2 1 8:1 / /home rw - ext4 /dev/sda1 rw
3 2 0:41 / /home/a\\040b rw shared:7 - nfs4 server:/x rw
4 1 0:42 / /tmp rw - tmpfs tmpfs rw
5 4 8:2 /d /tmp rw - xfs /dev/sdb rw
6 1 0:43 / /media/s3 rw - fuse.s3fs s3fs rw
7 1 0:44 / /run rw - tmpfs tmpfs rw
"""


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
def test_what_is_said(path: str, said: str) -> None:
    found = warning(MOUNTS, Path(path))
    assert bool(found) is bool(said)
    assert said in found
    if said:
        assert path in found


@pytest.mark.parametrize("mounts", ["", "nonsense", "1 2 3\n\n - \n"])
def test_what_cannot_be_read_is_no_warning(mounts: str) -> None:
    assert warning(mounts, Path("/data")) == ""


def test_a_real_file_system_in_memory(tmp_path: Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare")
    code = (
        "import sys; from pathlib import Path; from labelstudio_proxy.data_directory.file_system import *; "
        "print(warning_about(Path(sys.argv[1])))"
    )
    script = 'mount -t tmpfs tmpfs "$0"; exec "$@" "$0"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script, str(tmp_path), sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode and "ermi" in done.stderr:
        pytest.skip(f"only root can mount: {done.stderr}")
    assert done.returncode == 0, done.stderr
    assert "is in memory (tmpfs)" in done.stdout
    assert mount_of("", tmp_path) == (Path("/"), "")
    assert "in memory" not in warning_about(Path("/proc"))


@pytest.mark.parametrize(
    ("path", "local"),
    [("/root/data", True), ("/home/ada", True), ("/home/a b/data", False), ("/media/s3", False)],
)
def test_which_are_on_a_disk_of_this_machine(
    path: str, local: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mounts").write_text(MOUNTS)
    monkeypatch.setattr(file_system, "MOUNTS", tmp_path / "mounts")
    assert is_local(Path(path)) is local
    monkeypatch.setattr(file_system, "MOUNTS", tmp_path / "none")  # macOS
    assert not is_local(Path(path))
