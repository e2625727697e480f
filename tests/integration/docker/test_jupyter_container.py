"""Jupyter in a container of the engine that also runs Label Studio's container."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.engine import Engine
from support.jupyter_container import JupyterInContainer
from support.processes import wait_for


@pytest.fixture
def jupyter(
    docker_engine: Engine, jupyter_image: str
) -> Iterator[Callable[..., JupyterInContainer]]:
    with contextlib.ExitStack() as stack:

        def start(**options: Any) -> JupyterInContainer:
            started = JupyterInContainer(docker_engine, jupyter_image, **options)
            stack.callback(started.stop)
            return started

        yield start


@pytest.fixture
def network(docker_engine: Engine) -> Iterator[str]:
    """A network; request it before `jupyter`, so that it is removed later."""
    made = docker_engine.client.networks.create("hub")
    yield "hub"
    made.remove()


def settled(jupyter: JupyterInContainer) -> dict[str, Any]:
    """Start Label Studio and return the state when it is ready or has failed."""
    assert jupyter.post("labelstudio/_proxy/start").status_code == 202
    state: dict[str, Any] = {}

    def is_settled() -> bool:
        state.update(jupyter.get("labelstudio/_proxy/state").json())
        return state["state"] in {"ready", "failed"}

    wait_for(is_settled, what=lambda: f"an end of the start: {state}", timeout=120)
    return state


def test_a_home_on_a_volume_is_bound_by_the_engines_path(
    jupyter: Callable[..., JupyterInContainer],
) -> None:
    started = jupyter()
    state = settled(started)
    assert state["state"] == "ready", state["error"]
    assert started.get("labelstudio/api/current-user/whoami").json()["email"] == "jovyan@localhost"
    (sibling,) = started.siblings()
    mounts = {mount["Destination"]: mount for mount in sibling.attrs["Mounts"]}
    (own,) = (m for m in started.container.attrs["Mounts"] if m["Destination"] == "/home/jovyan")
    share = "/.local/share/labelstudio-proxy"
    assert mounts["/label-studio/data"]["Source"] == own["Source"] + share
    assert mounts["/home/jovyan"]["Source"] == own["Source"]
    assert mounts["/home/jovyan"]["RW"] is False
    # No port is published: they share a socket in the data directory.
    assert not sibling.attrs["HostConfig"]["PortBindings"]
    assert "/var/run/docker.sock" not in mounts


def test_label_studio_needs_no_network_of_jupyters(
    network: str, jupyter: Callable[..., JupyterInContainer]
) -> None:
    started = jupyter(environment={"LABELSTUDIO_PROXY_DOCKER_NETWORK": network})
    state = settled(started)
    assert state["state"] == "ready", state["error"]
    (sibling,) = started.siblings()
    assert set(sibling.attrs["NetworkSettings"]["Networks"]) == {network}


def test_a_folder_only_inside_jupyters_container_is_refused_with_the_volumes_named(
    jupyter: Callable[..., JupyterInContainer],
) -> None:
    started = jupyter(volume_at="/home/jovyan/work")
    error = settled(started)["error"]
    assert "/home/jovyan/.local/share/labelstudio-proxy cannot be given" in error["what"]
    assert started.container.name in error["why"]
    assert "It sees: /home/jovyan/work." in error["why"]
    assert "`data_dir`" in error["remedy"]
