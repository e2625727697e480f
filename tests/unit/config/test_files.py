from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jupyter_core import paths
from traitlets.config import Config

from labelstudio_proxy.config.files import LOCKED, drop_in_files, jupyter_config, read_settings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    (tmp_path / "jupyter_server_config.d").mkdir()
    return tmp_path


def drop_in(folder: Path, name: str, **settings: object) -> None:
    path = folder / "jupyter_server_config.d" / f"{name}.json"
    path.write_text(json.dumps({"LabelStudioProxy": settings}))


def test_drop_in_files_are_merged_in_the_order_of_their_names(folder: Path) -> None:
    drop_in(folder, "10-site", data_dir="/site", files_root="/notebooks")
    drop_in(folder, "20-host", data_dir="/host")
    found = drop_in_files().LabelStudioProxy
    assert (found.data_dir, found.files_root) == ("/host", "/notebooks")


def test_jupyters_own_files_override_drop_in_files(folder: Path) -> None:
    drop_in(folder, "site", data_dir="/d", files_root="/d", label_studio="/d")
    (folder / "jupyter_server_config.json").write_text(
        json.dumps({"LabelStudioProxy": {"files_root": "/json"}})
    )
    (folder / "jupyter_server_config.py").write_text("c.LabelStudioProxy.data_dir = '/py'\n")
    found = jupyter_config().LabelStudioProxy
    assert (found.data_dir, found.files_root, found.label_studio) == ("/py", "/json", "/d")


@pytest.mark.parametrize("text", ["", "{", '{"LabelStudioProxy": "x"}', '{"Other": {}}'])
def test_unusable_file_is_ignored(folder: Path, text: str) -> None:
    (folder / "jupyter_server_config.d" / "x.json").write_text(text)
    assert "data_dir" not in drop_in_files().get("LabelStudioProxy", {})


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of Jupyter's configuration for the whole machine."""
    (tmp_path / "etc").mkdir()
    monkeypatch.setattr(paths, "SYSTEM_CONFIG_PATH", [str(tmp_path / "etc")])
    return tmp_path / "etc"


def test_nothing_overrides_a_locked_setting(system: Path) -> None:
    locked = {"idle_timeout": 1800, "files_root": None, "environment": {"A": "{b}"}, "tile": False}
    (system / LOCKED).write_text(json.dumps(locked))
    given = {"idle_timeout": 5, "files_root": "/x", "environment": {"A": "c"}, "tile": True}
    config = Config({"LabelStudioProxy": given | {"backend": "process"}})
    settings, problems = read_settings(
        command_line=config,
        environment={"LABELSTUDIO_PROXY_IDLE_TIMEOUT": "6", "LABELSTUDIO_PROXY_PREWARM": "1"},
        files=config,
    )
    assert problems == []
    assert {name: getattr(settings, name) for name in locked} == locked
    assert (settings.backend, settings.prewarm) == ("process", True)


@pytest.mark.parametrize(
    ("text", "what", "why"),
    [
        ("{", "could not be read", "Expecting property name"),
        ("[]", "could not be read", "it must be an object"),
        ('{"idle_timeout": "soon"}', "`idle_timeout` must be", f"{LOCKED} sets it to 'soon'."),
        ('{"idle_time_out": 1}', "There is no setting `idle_time_out`", f"{LOCKED} sets it."),
    ],
)
def test_a_wrong_locked_setting_is_a_problem(system: Path, text: str, what: str, why: str) -> None:
    (system / LOCKED).write_text(text)
    _, (problem,) = read_settings(command_line=Config(), environment={}, files=Config())
    assert what in problem.what
    assert why in problem.why
    assert "{" not in problem.why


def test_no_variable_of_a_user_leads_to_other_locked_settings(tmp_path: Path) -> None:
    """With the real folders: no environment, file or command of a user moves them."""
    if shutil.which("unshare") is None or os.getuid():
        pytest.skip("only root can mount, and with unshare")
    for folder, seconds in (("etc", 1800), ("user", 5)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / LOCKED).write_text(json.dumps({"idle_timeout": seconds}))
    own = tmp_path / "user" / "jupyter_server_config.py"
    own.write_text("c.LabelStudioProxy.idle_timeout = 6\n")
    script = (
        'mount -t tmpfs tmpfs /usr/local/etc; cp -r "$1" /usr/local/etc/jupyter; shift; exec "$@"'
    )
    code = (
        "from labelstudio_proxy.cli.settings import read_settings; "
        "print(read_settings().settings.idle_timeout)"
    )
    command = ["sh", "-ec", script, "sh", str(tmp_path / "etc"), sys.executable, "-c", code]
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_CONFIG_PATH", "JUPYTER_PATH")
    done = subprocess.run(
        ["unshare", "--mount", *command],
        env=os.environ
        | dict.fromkeys(folders, str(tmp_path / "user"))
        | {"LABELSTUDIO_PROXY_IDLE_TIMEOUT": "7"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "1800.0"
