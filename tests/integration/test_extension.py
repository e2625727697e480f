"""Settings on their way from Jupyter to Label Studio, with the server extension and without it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.jupyter import JupyterLab, LabelStudioClient


def tiles(jupyter: JupyterLab) -> list[str]:
    servers = jupyter.get("server-proxy/servers-info").json()["server_processes"]
    return [each["launcher_entry"]["title"] for each in servers if each["name"] == "labelstudio"]


def status(jupyter: JupyterLab) -> str:
    """Which data directory the gateway serves, and under which prefix."""
    entries = list((jupyter.home / "run" / "jupyter").glob("labelstudio-proxy-*.json"))
    return entries[0].read_text() if entries else ""


@pytest.mark.parametrize("extension", ["enabled", "disabled"])
def test_there_is_one_tile_and_the_settings_hold(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    data_dir: Path,
    extension: str,
) -> None:
    jupyter = jupyter_lab(
        base_url="/user/alice/",
        config={"data_dir": str(data_dir), "owner_email": "ada@example.org"},
        server_config={
            "ServerApp": {"jpserver_extensions": {"labelstudio_proxy": extension == "enabled"}}
        },
    )
    assert tiles(jupyter) == ["Label Studio"]
    client = label_studio_client(jupyter)
    client.wait_ready()
    assert client.get("api/current-user/whoami").json()["email"] == "ada@example.org"
    assert f'"data_dir": "{data_dir}"' in status(jupyter)
    assert '"prefix": "/user/alice/labelstudio/"' in status(jupyter)


def test_the_command_line_wins_over_the_environment_and_that_over_files(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path: Path,
) -> None:
    jupyter = jupyter_lab(
        config={"data_dir": "/from/a/file", "label_studio": "/from/a/file", "backend": "process"},
        env={
            "LABELSTUDIO_PROXY_DATA_DIR": "/from/the/environment",
            "LABELSTUDIO_PROXY_LABEL_STUDIO": "/from/the/environment",
        },
        argv=[
            f"--LabelStudioProxy.data_dir={tmp_path}",
            "--LabelStudioProxy.new_browser_tab=False",
        ],
    )
    client = label_studio_client(jupyter)
    client.start()
    failed = client.wait_for_state("failed")
    assert "/from/the/environment" in failed["error"]["what"]
    assert f'"data_dir": "{tmp_path}"' in status(jupyter)
    servers = jupyter.get("server-proxy/servers-info").json()["server_processes"]
    (server,) = [each for each in servers if each["name"] == "labelstudio"]
    assert server["new_browser_tab"] is False
