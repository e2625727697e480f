"""What Jupyter, and through it a hub, takes for activity: what people do, not what open pages ask for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.desk import NAVIGATION
from support.jupyter import JupyterLab, LabelStudioClient

PAGE = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}


@pytest.mark.parametrize("extension", ["enabled", "disabled"])
def test_open_pages_do_not_keep_jupyter_from_being_culled(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    data_dir: Path,
    extension: str,
) -> None:
    jupyter = jupyter_lab(
        config={"data_dir": str(data_dir)},
        server_config={
            "ServerApp": {"jpserver_extensions": {"labelstudio_proxy": extension == "enabled"}}
        },
    )
    studio = label_studio_client(jupyter)
    studio.wait_ready()
    login = jupyter.get("login", anonymous=True, params={"token": jupyter.token})
    cookies = login.cookies.get_dict()

    def moves(method: str, path: str, headers: dict[str, str]) -> bool:
        before = jupyter.get("api/status").json()["last_activity"]
        ask = {"GET": studio.get, "POST": studio.post}[method]
        assert ask(path, anonymous=True, headers=headers, cookies=cookies).ok
        after: str = jupyter.get("api/status").json()["last_activity"]
        return after > before

    assert not moves("GET", "api/projects", PAGE)
    assert not moves("GET", "_proxy/state", PAGE)
    assert moves("GET", "projects", NAVIGATION)
    assert moves("POST", "_proxy/activity", PAGE | {"Origin": jupyter.origin})
