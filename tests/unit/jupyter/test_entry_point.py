"""The cost of Jupyter's start, and the tile."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from xml.etree import ElementTree as ET

import pytest
from jupyter_server.serverapp import ServerApp
from jupyter_server_proxy.config import ServerProcess, get_entrypoint_server_processes
from support.processes import clean_environment
from traitlets.config import Config

from labelstudio_proxy.config import settings as config
from labelstudio_proxy.config.handoff import VARIABLE, Handoff
from labelstudio_proxy.jupyter import entry_point, extension

# All that Jupyter has imported when it loads the entry point.
JUPYTERS_IMPORTS = "import jupyter_server.serverapp, jupyter_server_proxy"
NEW_MODULES = """
import json, sys
{has}
before = set(sys.modules)
{then}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def imported(then: str) -> set[str]:
    code = NEW_MODULES.format(has=JUPYTERS_IMPORTS, then=then)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout))


@pytest.mark.parametrize(
    "then",
    [
        "from labelstudio_proxy.jupyter.entry_point import server_process; server_process()",
        "import labelstudio_proxy, labelstudio_proxy.jupyter.extension",
    ],
)
def test_jupyters_start_imports_almost_nothing_more(then: str) -> None:
    new = imported(then)
    assert new
    foreign = {name for name in new if not name.startswith("labelstudio_proxy")}
    # The standard library's, and small.
    assert foreign <= {"difflib", "getpass", "termios", "jupyter_server.config_manager"}
    assert not any(name.startswith(("labelstudio_proxy.gateway.",)) for name in new)
    assert not new & {"docker", "aiohttp.web", "label_studio"}


def test_jupyter_server_proxy_accepts_the_tile() -> None:
    server = ServerProcess(
        name=entry_point.NAME, **entry_point.process_fields(new_browser_tab=False)
    )
    entry = server.launcher_entry
    assert (entry.title, entry.enabled) == ("Label Studio", True)
    assert not server.new_browser_tab
    assert server.environment["MALLOC_ARENA_MAX"] == "1"
    icon = ET.parse(entry.icon_path).getroot()
    assert icon.tag == "{http://www.w3.org/2000/svg}svg"


def test_command_survives_the_formatting_of_jupyter_server_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/{curly}/python")
    command = entry_point.command("/tmp/{x}/socket", "/user/a%40b.c/")
    formatted = [part.format(port=1, unix_socket="", base_url="") for part in command]
    assert formatted[0] == "/opt/{curly}/python"
    assert formatted[-4:] == [
        *("--unix-socket", "/tmp/{x}/socket"),
        *("--base-url", "/user/a%40b.c/labelstudio/"),
    ]


def test_files_of_a_user_do_not_shadow_modules(tmp_path: Path) -> None:
    for name in ("secrets", "aiohttp", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong one')\n")
    told = subprocess.run(
        entry_point.command("/nowhere/socket", "/"),
        cwd=tmp_path,
        env=clean_environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Cannot listen on /nowhere/socket: No such file or directory" in told.stderr


def serverapp(tmp_path: Path, **config: object) -> ServerApp:
    app = SimpleNamespace(
        config=Config(config),
        cli_config=Config(),
        tornado_settings={},
        root_dir=str(tmp_path),
        allow_origin="",
        allow_origin_pat="",
        log=SimpleNamespace(error=lambda *_: None),
    )
    return cast("ServerApp", app)


@pytest.fixture
def not_linked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extension, "linked", False)


@pytest.mark.usefixtures("not_linked")
def test_without_the_extension_the_socket_is_in_jupyters_runtime_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", folder)
        server = ServerProcess(name=entry_point.NAME, **entry_point.server_process())
        assert Path(server.unix_socket).is_relative_to(folder)


@pytest.mark.usefixtures("not_linked")
def test_entry_point_declines_silently_if_the_extension_serves(
    tmp_path: Path,
) -> None:
    names = [server.name for server in get_entrypoint_server_processes()]
    assert names.count(entry_point.NAME) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        extension.link(serverapp(tmp_path))
        names = [server.name for server in get_entrypoint_server_processes()]
    assert entry_point.NAME not in names


@pytest.mark.usefixtures("not_linked")
def test_server_that_an_admin_configured_under_that_name_stays(tmp_path: Path) -> None:
    own = {"command": ["own"]}
    app = serverapp(tmp_path, ServerProxy={"servers": {entry_point.NAME: own, "other": {}}})
    with warnings.catch_warnings():
        extension.link(app)
    assert app.config.ServerProxy.servers == {entry_point.NAME: own, "other": {}}


@pytest.mark.usefixtures("not_linked")
def test_other_servers_stay(tmp_path: Path) -> None:
    app = serverapp(tmp_path)
    app.config.ServerProxy.servers.update({"other": {"command": ["x"]}})
    with warnings.catch_warnings():
        extension.link(app)
    assert set(app.config.ServerProxy.servers) == {entry_point.NAME, "other"}


@pytest.mark.usefixtures("not_linked")
def test_every_gateway_of_a_jupyter_gets_the_same_data_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that appears after Jupyter's start does not move Label Studio elsewhere."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(config, "SAGEMAKER_VOLUME", tmp_path / "SageMaker")
    app = serverapp(tmp_path)
    extension.link(app)
    server = app.config.ServerProxy.servers[entry_point.NAME]
    (tmp_path / "SageMaker").mkdir()
    text = server.environment[VARIABLE].replace("{{", "{").replace("}}", "}")
    before = tmp_path / ".local" / "share" / "labelstudio-proxy"
    assert server.data_dir == str(before)
    assert Handoff.load(text).settings.data_directory() == before
