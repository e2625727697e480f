"""What `labelstudio-proxy doctor` says about a real engine, with and without an image."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.container_faults import running_again
from support.engine import Engine
from support.plain_user import GID, UID, needed
from support.processes import clean_environment

from labelstudio_proxy._version import LABEL_STUDIO_VERSION
from labelstudio_proxy.config.settings import LabelStudioProxy
from labelstudio_proxy.doctor import container
from labelstudio_proxy.doctor.finding import Finding
from labelstudio_proxy.doctor.situation import Situation

MISSING = "label-studio.example/none:1"


@pytest.fixture(autouse=True)
def engine(docker_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv("DOCKER_HOST", docker_engine.address)
    return docker_engine


def lines(**settings: str) -> dict[str, str]:
    """Return the lines about the engine by their subjects; the settings are for the container."""
    situation = Situation(LabelStudioProxy(backend="docker", **settings))
    found: list[Finding] = asyncio.run(container.check(situation))
    return {each.subject: each.as_line() for each in found}


def test_the_engine_and_its_image(engine: Engine) -> None:
    found = lines()
    version = engine.client.version()["Version"]
    assert found["Container engine"].startswith(f"ok       Container engine: Docker {version} at ")
    assert found["Container engine"].endswith(engine.address)
    assert found["Engine's clock"] == "ok       Engine's clock: agrees with Jupyter's"
    name = f"heartexlabs/label-studio:{LABEL_STUDIO_VERSION}"
    image = engine.client.images.get(name).short_id
    version = f"Label Studio {LABEL_STUDIO_VERSION}"
    assert found["Image"] in {
        f"ok       Image: {name} ({image}): {version}",
        f"ok       Image: {name} ({image}): its version is asked at the first start",
    }


def test_an_image_that_is_not_there() -> None:
    found = lines(image=MISSING)["Image"]
    assert found.startswith(f"ok       Image: {MISSING} is not on this machine: the first start")
    found = lines(image=MISSING, pull_policy="never")["Image"]
    assert found.startswith(f"error    Image: {MISSING} is not on this machine")
    assert f"Run `docker pull {MISSING}`" in found


@pytest.fixture
def plain_user(engine: Engine) -> Iterator[None]:
    """Run the test as a user who sees the engine's socket and may not use it."""
    engine.home.chmod(0o711)
    os.setresgid(GID, GID, 0)
    os.setresuid(UID, UID, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        engine.home.chmod(0o700)


@needed
def test_a_user_who_may_not_use_the_engine(engine: Engine, plain_user: None) -> None:
    (line,) = lines().values()
    assert line.startswith("error    Container engine: This user may not use the container engine.")
    assert str(engine.socket) in line
    assert "restart Jupyter" in line or "--group-add" in line  # if the tests run in a container


def test_an_engine_that_hangs_or_was_stopped(engine: Engine, tmp_path: Path) -> None:
    with running_again(engine):
        engine.freeze()
        (line,) = lines().values()
        assert line.startswith("error    Container engine: The container engine does not respond.")
        engine.thaw()
        engine.stop()
        done = subprocess.run(
            [sys.executable, "-m", "labelstudio_proxy", "doctor", "--json"],
            env=clean_environment(tmp_path)
            | {"DOCKER_HOST": engine.address, "LABELSTUDIO_PROXY_BACKEND": "docker"},
            check=False,
            capture_output=True,
            text=True,
        )
        (found,) = (
            each
            for each in json.loads(done.stdout)["checks"]
            if each["subject"] == "Container engine"
        )
        assert done.returncode == 1
        assert found["severity"] == "error"
        assert str(engine.socket) in found["what"]
        assert "systemctl start docker" in found["remedy"]
