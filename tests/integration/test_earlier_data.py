"""A first start where `docker run -v $(pwd)/mydata:…` has left data in the notebook's folder."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import label_studio
from support.container_studio import new_project, titles
from support.desk import Desk, text_of
from support.jupyter import JupyterLab, LabelStudioClient

from labelstudio_proxy.data_directory.directory import DataDirectory


@pytest.fixture
def begin(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path: Path,
) -> Callable[..., Desk]:
    """Start Jupyter in a folder with `mydata`."""
    label_studio.new_data_dir(tmp_path / "mydata")

    def begin(**settings: Any) -> Desk:
        jupyter = jupyter_lab(root_dir=tmp_path, config=settings)
        data_dir = jupyter.home / ".local" / "share" / "labelstudio-proxy"
        return Desk(jupyter, label_studio_client(jupyter), data_dir=data_dir)

    return begin


def run(desk: Desk, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run a command as in a terminal of the notebook server; return its status and its JSON."""
    command = [sys.executable, "-m", "labelstudio_proxy", *arguments, "--json"]
    env = desk.jupyter.environment
    done = subprocess.run(command, check=False, env=env, capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout or done.stderr)


def test_neither_prewarm_nor_a_program_decides_and_the_choice_holds_after_a_restart(
    begin: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = begin(prewarm=True)
    desk.jupyter.post("api/labelstudio/start")
    state = desk.settle()
    assert state["offer"] == {"folder": str(tmp_path / "mydata")}
    assert "Which data should Label Studio use?" in text_of(desk.click())
    code, answer = run(desk, "start")
    assert code == 1
    assert "--use-data" in answer["error"]["remedy"]
    assert not desk.data_dir.exists()

    code, answer = run(desk, "start", "--use-data")
    assert (code, answer["state"]) == (0, "ready")
    new_project(desk.studio, "Made in mydata")
    with desk.jupyter.restarted():
        pass
    desk.studio.wait_ready()
    assert titles(desk.studio) == {"Made in mydata"}
    assert DataDirectory(tmp_path / "mydata").has_accounts()
    code, answer = run(desk, "status", "--data-dir", str(tmp_path / "mydata"))
    assert (code, answer["state"]) == (0, "ready")
    code, answer = run(desk, "backup", "--output", str(tmp_path / "backup.zip"))
    assert code == 0, answer
    assert (tmp_path / "backup.zip").stat().st_size > 10_000


def test_nothing_is_offered_where_data_dir_is_set(
    begin: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = begin(data_dir=str(tmp_path / "other"))
    assert desk.studio.wait_ready()["offer"] is None
    assert not DataDirectory(tmp_path / "mydata").has_accounts()
