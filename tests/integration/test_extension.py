"""Settings reach Label Studio from Jupyter, with and without the server extension."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.jupyter import JupyterLab, LabelStudioClient


def tiles(jupyter: JupyterLab) -> list[str]:
    servers = jupyter.get("server-proxy/servers-info").json()["server_processes"]
    return [each["launcher_entry"]["title"] for each in servers if each["name"] == "labelstudio"]


def gateway_entry(jupyter: JupyterLab) -> str:
    """Return the entry of the running gateway: data directory, prefix and more."""
    entries = list((jupyter.home / "run" / "jupyter").glob("labelstudio-proxy-*.json"))
    return entries[0].read_text() if entries else ""


@pytest.mark.parametrize("extension", ["enabled", "disabled"])
def test_there_is_one_tile_and_the_settings_apply(
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
    assert f'"data_dir": "{data_dir}"' in gateway_entry(jupyter)
    assert '"prefix": "/user/alice/labelstudio/"' in gateway_entry(jupyter)


def test_command_line_overrides_environment_overrides_files(
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
            "--LabelStudioProxy.tile=False",
        ],
    )
    client = label_studio_client(jupyter)
    client.start()
    failed = client.wait_for_state("failed")
    assert "/from/the/environment" in failed["error"]["what"]
    assert f'"data_dir": "{tmp_path}"' in gateway_entry(jupyter)
    servers = jupyter.get("server-proxy/servers-info").json()["server_processes"]
    (server,) = [each for each in servers if each["name"] == "labelstudio"]
    assert server["new_browser_tab"] is False
    assert server["launcher_entry"]["enabled"] is False
    for page in ("lab", "tree"):  # for the extension of JupyterLab, which then does nothing
        assert '"labelstudioProxyHidden": "true"' in jupyter.get(page).text
