"""The list of running gateways."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from labelstudio_proxy.gateway_client import (
    JupyterServer,
    RunningGateway,
    running_gateways,
    runtime_folder,
)


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    return tmp_path / "runtime"


def test_registered_gateway_is_found_until_it_is_unregistered() -> None:
    gateway = RunningGateway(os.getpid(), "/data", "/labelstudio/", port=9000, token="secret")
    gateway.register()
    assert running_gateways() == [gateway]
    assert stat.S_IMODE(gateway.file.stat().st_mode) == 0o600  # it holds the token
    gateway.unregister()
    assert running_gateways() == []
    gateway.unregister()  # twice does no harm


def test_newest_gateway_comes_first() -> None:
    older = RunningGateway(os.getppid(), "/older", "/")
    newer = RunningGateway(os.getpid(), "/newer", "/")
    for gateway, changed in ((newer, 2_000), (older, 1_000)):
        gateway.register()
        os.utime(gateway.file, (changed, changed))
    assert running_gateways() == [newer, older]


def test_file_of_a_crashed_gateway_is_removed() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    crashed = RunningGateway(process.pid, "/data", "/")
    crashed.register()
    assert running_gateways() == []
    assert not crashed.file.exists()


def test_unreadable_file_is_skipped(runtime: Path) -> None:
    gateway = RunningGateway(os.getpid(), "/data", "/")
    gateway.register()
    (runtime / "labelstudio-proxy-1.json").write_text("half a fi")
    assert running_gateways() == [gateway]


def test_ask_raises_connection_error_if_nothing_listens(tmp_path: Path) -> None:
    gateway = RunningGateway(1, "/data", "/", unix_socket=str(tmp_path / "no.sock"))
    with pytest.raises(ConnectionError):
        gateway.ask("state")


@pytest.mark.parametrize(
    ("hub", "address"),
    [
        ({}, "http://127.0.0.1:33005/user/ada/labelstudio/?token=secret"),
        ({"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/"}, "/user/ada/labelstudio/"),
        (
            {
                "JUPYTERHUB_SERVICE_PREFIX": "/user/ada/",
                "JUPYTERHUB_PUBLIC_URL": "https://hub.example/user/ada/",
            },
            "https://hub.example/user/ada/labelstudio/",
        ),
        (  # a Jupyter that was started in a terminal of the hub's
            {"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/gpu/"},
            "http://127.0.0.1:33005/user/ada/labelstudio/?token=secret",
        ),
    ],
)
def test_address_on_a_hub_is_the_hubs_and_has_no_token(
    monkeypatch: pytest.MonkeyPatch, hub: dict[str, str], address: str
) -> None:
    for name, value in hub.items():
        monkeypatch.setenv(name, value)
    url = "http://127.0.0.1:33005/user/ada/"
    server = JupyterServer(url, "/user/ada/", "secret", "127.0.0.1", 33005, False, "")
    assert server.label_studio == address


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"XDG_DATA_HOME": "/x/data"},
        {"JUPYTER_DATA_DIR": "/x/jupyter", "XDG_DATA_HOME": "/x/data"},
        {"JUPYTER_RUNTIME_DIR": "/x/runtime", "JUPYTER_DATA_DIR": "/x/jupyter"},
        {"JUPYTER_PLATFORM_DIRS": "1", "XDG_RUNTIME_DIR": "/x/run"},
    ],
)
def test_the_runtime_folder_is_the_same_without_jupyter_core(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    expected = runtime_folder()
    monkeypatch.setitem(sys.modules, "jupyter_core.paths", None)
    assert runtime_folder() == expected
