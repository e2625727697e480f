"""Fixtures of the container engines, an image registry and JupyterLab's image.

The imports stand inside the fixtures: most tests run without an engine and without Label Studio,
whose version names the image.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .engine import Engine
    from .registry import Registry


def _running(kind: type[Engine]) -> Iterator[Engine]:
    from . import images

    if reason := kind.unavailable():
        pytest.skip(reason)
    engine = kind()
    try:
        engine.start()
        engine.clear()
        images.remove_others(engine.client)
        images.load_label_studio(engine.client)
        yield engine
    finally:
        engine.close()


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    """A dockerd that only the tests use, with Label Studio's image."""
    from .engine import DockerEngine

    yield from _running(DockerEngine)


@pytest.fixture(scope="session")
def podman_engine() -> Iterator[Engine]:
    """Podman's service, with Label Studio's image."""
    from .engine import PodmanService

    yield from _running(PodmanService)


@pytest.fixture(scope="module", params=["RootlessDocker", "RootlessPodman"])
def rootless_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine of the plain user, with Label Studio's image."""
    from . import rootless

    yield from _running(getattr(rootless, request.param))


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    from .registry import PROGRAM, Registry

    if shutil.which(PROGRAM) is None:
        pytest.skip(f"there is no {PROGRAM}: scripts/system-packages")
    registry = Registry()
    yield registry
    registry.stop()


@pytest.fixture(scope="session")
def jupyter_image(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of an image in the dockerd: JupyterLab with this checkout."""
    from . import images

    wheel = images.make_wheel(tmp_path_factory.mktemp("wheel"))
    return images.make_jupyter(docker_engine.client, wheel)
