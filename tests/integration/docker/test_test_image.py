"""The test image has the properties of Label Studio's real image."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import docker
import pytest
from support.engine import Engine
from support.images import LABEL_STUDIO, UNLABELLED, another_version

Run = Callable[..., str]


@pytest.fixture
def run(docker_engine: Engine) -> Run:
    """Run a command in a container of the image and return its output."""

    def run(*command: str, image: str = LABEL_STUDIO, stderr: bool = True, **options: Any) -> str:
        options = {"entrypoint": command[:1], "command": command[1:]} | options
        # Not `run(remove=True)`: it can hang if the container ends at once.
        container = docker_engine.client.containers.run(image, detach=True, **options)
        try:
            status = container.wait(timeout=60)["StatusCode"]
            output: str = container.logs(stderr=stderr).decode()
        finally:
            container.remove(force=True)
        if status:
            raise docker.errors.ContainerError(container, status, command, image, output)
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


def test_label_studio_is_on_the_path(run: Run) -> None:
    where = run("sh", "-c", "command -v label-studio")
    assert where.strip() == "/label-studio/.venv/bin/label-studio"
    python = "from importlib.metadata import version; print(version('label-studio'))"
    assert run("python", "-c", python).strip() == version("label-studio")


def test_label_studio_is_a_source_tree_with_its_front_end(run: Run) -> None:
    python = "import label_studio; print(label_studio.__file__)"
    assert run("python", "-c", python).strip() == "/label-studio/label_studio/__init__.py"
    run("test", "-f", "label_studio/core/static_build/staticfiles.json")
    run("test", "-f", "web/dist/apps/labelstudio/main.js")
    assert run("find", "/label-studio", "!", "-uid", "1001", "-o", "!", "-gid", "0") == ""


def test_nothing_has_byte_code(run: Run) -> None:
    assert run("find", "/", "-xdev", "-name", "*.pyc", user="0") == ""


def test_there_is_no_gunicorn(run: Run) -> None:
    python = "import importlib.util as u; print(*map(u.find_spec, ['gunicorn', 'pip']))"
    assert run("python", "-c", python).strip() == "None None"


def test_the_entrypoint_checks_the_data_folder_and_needs_no_root(run: Run, tmp_path: Path) -> None:
    own_entrypoint: dict[str, Any] = {"entrypoint": None, "cap_drop": ["ALL"]}
    assert run(**own_entrypoint, command=["id", "-u"]).splitlines()[-1] == "1001"
    tmp_path.chmod(0o755)
    of_another = {"volumes": [f"{tmp_path}:/label-studio/data"]}
    with pytest.raises(docker.errors.ContainerError, match="not writable"):
        run(**own_entrypoint, **of_another, command=["id"])


def test_its_label_names_the_version(docker_engine: Engine) -> None:
    labels = docker_engine.client.images.get(LABEL_STUDIO).labels
    assert labels == {"org.opencontainers.image.version": version("label-studio")}


def test_the_same_image_without_the_label(docker_engine: Engine) -> None:
    labelled = docker_engine.client.images.get(LABEL_STUDIO).attrs
    unlabelled = docker_engine.client.images.get(UNLABELLED).attrs
    assert not unlabelled["Config"].pop("Labels")
    assert labelled["Config"].pop("Labels")
    for same in "Config", "RootFS":
        assert unlabelled[same] == labelled[same]


def test_an_image_of_another_version(docker_engine: Engine, run: Run) -> None:
    name = another_version(docker_engine.client, "2.5.0")
    labels = docker_engine.client.images.get(name).labels
    assert labels == {"org.opencontainers.image.version": "2.5.0"}
    python = "import label_studio; print(label_studio.__version__)"
    assert run("python", "-c", python, image=name).strip() == "2.5.0"


def test_it_contains_no_settings_of_this_machine(run: Run) -> None:
    left = "/etc/apt/sources.list", "/etc/pip.conf", "/label-studio/.config", "/wheels*"
    assert run("sh", "-c", f"ls -d {' '.join(left)}; true", stderr=False) == ""
