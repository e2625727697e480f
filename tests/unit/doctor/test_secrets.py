"""No secret is in what `labelstudio-proxy doctor` prints, wherever one is that it reads."""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.gateway import stand_in
from support.processes import free_port

SECRETS = [
    *("JUPYTER_TOKEN", "JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN", "POSTGRE_PASSWORD", "DJANGO_KEY"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LABEL_STUDIO_PASSWORD"),
]
URLS = ["http_proxy", "https_proxy", "all_proxy", "PIP_INDEX_URL", "UV_INDEX_URL", "DOCKER_HOST"]


@pytest.fixture
def new() -> Callable[[], str]:
    """Return a new secret. No pattern finds it where it stands alone."""
    number = itertools.count()
    return lambda: f"hunter22-{next(number):02}"


def plant_files(folder: Path, runtime: Path, port: int, new: Callable[[], str]) -> None:
    """Put secrets into the files of a user."""
    (folder / "data").mkdir(mode=0o700)
    (folder / "data" / ".env").write_text(f'SECRET_KEY="{new()}"\n')
    (folder / "CONFIG" / "jupyter_server_config.py").write_text(
        f"c.ServerApp.token = c.PasswordIdentityProvider.hashed_password = '{new()}'\n"
    )
    server = {"url": f"http://127.0.0.1:{port}/", "base_url": "/", "token": new()}
    listens = {"hostname": "127.0.0.1", "port": port, "secure": False, "sock": ""}
    (runtime / "jpserver-1.json").write_text(json.dumps(server | listens | {"pid": os.getpid()}))
    docker = folder / "home" / ".docker"
    docker.mkdir(parents=True)
    auth = base64.b64encode(f"ada:{new()}".encode()).decode()
    (docker / "config.json").write_text(json.dumps({"auths": {"hub.example": {"auth": auth}}}))
    for name in (".aws/credentials", ".config/pip/pip.conf", ".netrc"):
        file = folder / "home" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"[default]\naws_secret_access_key = {new()}\n")


def variables(folder: Path, port: int, new: Callable[[], str]) -> dict[str, str]:
    """Return an environment with secrets."""
    chosen = {"POSTGRE_PASSWORD": new(), "AWS_SECRET_ACCESS_KEY": new(), "SECRET_KEY": new()}
    return (
        {name: new() for name in SECRETS}
        | {name: f"http://ada:{new()}@127.0.0.1:{port}/simple" for name in URLS}
        | {"PIP_EXTRA_INDEX_URL": f"https://{new()}@index.example/simple"}
        | {"LABELSTUDIO_PROXY_ENVIRONMENT": json.dumps(chosen)}
        | {"LABELSTUDIO_PROXY_DATA_DIR": str(folder / "data")}
    )


def doctor(*arguments: str, **variables: str) -> tuple[int, str]:
    """Return the exit status and all that is printed."""
    done = subprocess.run(
        [sys.executable, "-m", "labelstudio_proxy", "doctor", *arguments],
        env=os.environ | variables,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("backend", "arguments", "says"),
    [
        ("process", [], "does not run"),
        ("docker", ["--json"], "The program at http://(not shown)@127.0.0.1"),
    ],
)
def test_no_secret_is_in_the_result(
    tmp_path: Path,
    runtime: Path,
    new: Callable[[], str],
    backend: str,
    arguments: list[str],
    says: str,
) -> None:
    port = free_port()
    plant_files(tmp_path, runtime, port, new)
    environment = variables(tmp_path, port, new)
    environment["LABELSTUDIO_PROXY_BACKEND"] = backend
    python = stand_in(tmp_path / "label-studio", probe="env >&2; exit 1")
    environment["LABELSTUDIO_PROXY_LABEL_STUDIO"] = str(python)
    # a path with a known secret: the value is left out, and not only its place
    environment["TMPDIR"] = f"/nonexistent/{environment['JUPYTERHUB_API_TOKEN']}"
    status, shown = doctor(*arguments, **environment)
    assert status == 1
    for words in (says, "does not respond", "POSTGRE_PASSWORD", "/nonexistent/(not shown)"):
        assert words in shown
    assert "The check failed" not in shown
    assert "hunter22" not in shown


def test_no_secret_is_in_an_error_of_a_configuration_file(tmp_path: Path) -> None:
    text = "raise OSError('no access to https://hunter22@hub.example with token=hunter22')"
    (tmp_path / "CONFIG" / "jupyter_server_config.py").write_text(text)
    status, shown = doctor()
    assert status == 1
    assert "no access to https://(not shown)@hub.example" in shown
    assert "hunter22" not in shown
