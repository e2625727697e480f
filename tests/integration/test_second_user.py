"""Another user of the machine finds no secret of a running Label Studio, and cannot connect."""

from __future__ import annotations

import errno
import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from support import stranger
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import pids_that_mention

pytestmark = stranger.needed

SECRET = "s3cr3t-of-the-settings"
CONNECT = """
import errno, json, socket, sys
errors = {}
for path in sys.argv[1:]:
    with socket.socket(socket.AF_UNIX) as client:
        errors[path] = client.connect_ex(path)
print(json.dumps(errors))
"""
LOOK = """
import glob, json, sys
lines, environments = [], []
for folder in glob.glob("/proc/[0-9]*"):
    try:
        with open(folder + "/cmdline", "rb") as file:
            lines.append(file.read().decode(errors="replace"))
    except OSError:
        continue
    try:
        with open(folder + "/environ", "rb") as file:
            if file.read():
                environments.append(folder[6:])
    except OSError:
        pass
print(json.dumps([lines, environments]))
"""


@pytest.fixture(scope="module")
def data_directory(new_data_dir: Callable[[], Path]) -> Path:
    return new_data_dir()


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    data_directory: Path,
) -> JupyterLab:
    lab = module_jupyter_lab(
        config={"data_dir": str(data_directory), "environment": {"MY_SETTING": SECRET}}
    )
    label_studio_client(lab).wait_ready()
    return lab


def test_second_user_cannot_connect_to_the_sockets(jupyter: JupyterLab) -> None:
    sockets = [path for path in jupyter.home.rglob("*") if stat.S_ISSOCK(path.lstat().st_mode)]
    # the gateway's and Label Studio's
    assert any(path.name == "label-studio.sock" for path in sockets)
    runtime = jupyter.home / "run" / "jupyter"
    ours = [path for path in sockets if path.is_relative_to(runtime)]
    assert len(ours) >= 2
    # So that only the folder of the socket keeps the stranger out.
    opened = [jupyter.home, runtime.parent, runtime]
    for folder in opened:
        folder.chmod(0o711)
    try:
        errors = json.loads(stranger.run(CONNECT, *map(str, ours)))
    finally:
        for folder in opened:
            folder.chmod(0o700)
    assert errors == {str(path): errno.EACCES for path in ours}


def test_no_secret_is_in_a_command_line_or_a_readable_environment(
    jupyter: JupyterLab, data_directory: Path
) -> None:
    key = (data_directory / ".env").read_text().partition("SECRET_KEY=")[2].split()[0]
    lines, readable = json.loads(stranger.run(LOOK))
    own = {str(pid) for pid in pids_that_mention(jupyter.home)} | {str(jupyter.process.pid)}
    assert any("labelstudio_proxy" in line for line in lines)  # it does see them
    for secret in (SECRET, key, jupyter.token):
        assert not [line for line in lines if secret in line]
    assert not own & set(readable)


def test_no_secret_is_in_a_log_and_no_log_of_ours_is_readable(
    jupyter: JupyterLab, data_directory: Path
) -> None:
    client = LabelStudioClient(jupyter)
    client.get(f"api/projects?q={SECRET}&token={jupyter.token}")
    client.post(f"api/projects?q={SECRET}", anonymous=True)
    client.close()
    key = (data_directory / ".env").read_text().partition("SECRET_KEY=")[2].split()[0]
    (label_studios,) = jupyter.home.rglob("label-studio-*.log")
    assert stat.S_IMODE(label_studios.stat().st_mode) == 0o600
    assert key not in label_studios.read_text()
    # Jupyter's own log has its requests, without what is called `token`; what we log is neither
    ours = [line for line in jupyter.log.read_text().splitlines() if "labelstudio_proxy]" in line]
    assert ours
    assert not [line for line in ours if any(s in line for s in (SECRET, key, jupyter.token))]


def test_files_on_disk_are_private_to_the_user(jupyter: JupyterLab, data_directory: Path) -> None:
    (entry,) = (jupyter.home / "run" / "jupyter").glob("labelstudio-proxy-*.json")
    # and so nobody else gets at what is in it
    for path in (entry, data_directory, data_directory / ".env"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
