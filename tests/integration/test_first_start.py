"""A first start, without a data directory."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

from support import media
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import pids_that_mention


def test_a_first_start_needs_no_migration_and_makes_the_owner(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path: Path,
) -> None:
    data_dir = tmp_path / "not yet" / "there"
    jupyter = jupyter_lab(
        config={"data_dir": str(data_dir), "owner_email": "ada@example.org"},
        umask=0,
        new_cache=True,
    )
    client = label_studio_client(jupyter)
    snapshot = client.wait_ready()
    log = [line for _, line in client.state()["log"]]
    assert "labelstudio-proxy: 0 migrations to apply" in log
    assert "labelstudio-proxy: Making the account" in log
    assert [step["state"] for step in snapshot["steps"]] == ["done"] * 5
    assert client.get("api/current-user/whoami").json()["email"] == "ada@example.org"
    made = client.post("api/projects/", json={"title": "First"})
    assert made.status_code == 201
    files = {"a.png": ("a.png", media.png(colour=(200, 0, 0)))}
    uploaded = client.post(f"api/projects/{made.json()['id']}/import", files=files)
    assert uploaded.status_code == 201, uploaded.text
    # All files are private, whatever the umask: the database, uploads and the secret key.
    paths = [data_dir, *data_dir.rglob("*")]
    assert {".env", "label_studio.sqlite3", "holder.json"} <= {path.name for path in paths}
    assert any(path.name.endswith("-a.png") for path in paths)
    for path in paths:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    for path in jupyter.home.rglob("labelstudio-proxy*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_label_studio_listens_on_no_port(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    data_dir: Path,
) -> None:
    jupyter = jupyter_lab(config={"data_dir": str(data_dir)})
    label_studio_client(jupyter).wait_ready()
    pids = [pid for pid in pids_that_mention(jupyter.home) if b"jupyterlab" not in command(pid)]
    assert any(b"labelstudio_server" in command(pid) for pid in pids)
    assert not listening_sockets() & {socket for pid in pids for socket in sockets_of(pid)}


def command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def listening_sockets() -> set[str]:
    """Return the inodes of all listening TCP sockets of this machine."""
    listen = "0A"
    found: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        lines = [line.split() for line in Path(table).read_text().splitlines()[1:]]
        found |= {fields[9] for fields in lines if fields[3] == listen}
    assert found  # Jupyter's own, at least
    return found


def sockets_of(pid: int) -> set[str]:
    links = [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]
    return {link[8:-1] for link in links if link.startswith("socket:[")}
