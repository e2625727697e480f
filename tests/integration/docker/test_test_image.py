"""The test image has the properties of Label Studio's real image."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import docker
import pytest
from support.engine import Engine
from support.images import LABEL_STUDIO

Run = Callable[..., str]


@pytest.fixture
def run(docker_engine: Engine) -> Run:
    """Run a command in a container of the image and return its output."""

    def run(*command: str, stderr: bool = True, **options: Any) -> str:
        options = {"entrypoint": command[:1], "command": command[1:]} | options
        # Not `run(remove=True)`: it can hang if the container ends at once.
        container = docker_engine.client.containers.run(LABEL_STUDIO, detach=True, **options)
        try:
            status = container.wait(timeout=60)["StatusCode"]
            output: str = container.logs(stderr=stderr).decode()
        finally:
            container.remove(force=True)
        if status:
            raise docker.errors.ContainerError(container, status, command, LABEL_STUDIO, output)
        return output

    return run


def test_the_configuration_is_that_of_the_real_image(docker_engine: Engine) -> None:
    config = docker_engine.client.images.get(LABEL_STUDIO).attrs["Config"]
    assert config["User"] == "1001"
    assert config["WorkingDir"] == "/label-studio"
    assert config["Entrypoint"] == ["./deploy/docker-entrypoint.sh"]
    assert config["Cmd"] == ["label-studio"]
    assert set(config["ExposedPorts"]) == {"8080/tcp"}
    assert not config.get("Volumes")
    environment = dict(variable.split("=", 1) for variable in config["Env"])
    assert environment.pop("PATH").startswith("/label-studio/.venv/bin:")
    assert environment == {
        "LS_DIR": "/label-studio",
        "HOME": "/label-studio",
        "LABEL_STUDIO_BASE_DATA_DIR": "/label-studio/data",
        "OPT_DIR": "/opt/heartex/instance-data/etc",
        "DJANGO_SETTINGS_MODULE": "core.settings.label_studio",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def test_it_runs_as_another_user_in_roots_group(run: Run) -> None:
    assert run("id", "-u").strip() == "1001"
    assert run("id", "-g").strip() == "0"
    run("test", "-w", "/label-studio/data")


def test_label_studio_is_on_the_path_with_its_byte_code(run: Run) -> None:
    where = run("sh", "-c", "command -v label-studio")
    assert where.strip() == "/label-studio/.venv/bin/label-studio"
    python = "from importlib.metadata import version; print(version('label-studio'))"
    assert run("python", "-c", python).strip() == version("label-studio")
    python = "import importlib.util as u; print(u.cache_from_source(u.find_spec('django').origin))"
    run("test", "-f", run("python", "-c", python).strip())


def test_the_entrypoint_requires_root(run: Run) -> None:
    own_entrypoint: dict[str, Any] = {"entrypoint": None}
    with pytest.raises(docker.errors.ContainerError):
        run(**own_entrypoint, command=["id"])
    assert run(**own_entrypoint, command=["id", "-u"], user="0").strip() == "1001"


def test_it_contains_no_settings_of_this_machine(run: Run) -> None:
    left = "/etc/apt/sources.list", "/etc/pip.conf", "/label-studio/.config", "/wheels*"
    assert run("sh", "-c", f"ls -d {' '.join(left)}; true", stderr=False) == ""
