"""Images in an engine: Label Studio, JupyterLab with this checkout, and small ones."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import docker

from . import image_archives
from .engine import Engine
from .registry import Registry

CHECKOUT = Path(__file__).parents[2]
LABEL_STUDIO = image_archives.LABEL_STUDIO
JUPYTER = "labelstudio-proxy-tests/jupyter:checkout"

DOCKERFILE = f"""\
FROM {image_archives.JUPYTER}
USER root
COPY *.whl /tmp/
RUN pip install --no-cache-dir --no-index --no-deps /tmp/*.whl && pip check
USER jovyan
"""

# The layers of a small image, in bytes.
LAYERS = [300_000, 300_000, 1_500_000, 300_000]


def load_label_studio(client: docker.DockerClient) -> str:
    """Load the image, if needed made before, and return its name."""
    return _load(client, LABEL_STUDIO)


def _load(client: docker.DockerClient, tag: str) -> str:
    archive = image_archives.archive(tag)
    with contextlib.suppress(docker.errors.ImageNotFound):
        if client.images.get(tag).id == image_archives.image_id(archive):
            return tag
        client.images.remove(tag, force=True)
    with archive.open("rb") as file:
        client.images.load(file)
    return tag


def make_jupyter(client: docker.DockerClient, wheel: Path) -> str:
    """Make an image of JupyterLab with the `wheel`, without Label Studio; return its name."""
    _load(client, image_archives.JUPYTER)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Dockerfile").write_text(DOCKERFILE)
        shutil.copy(wheel, folder)
        try:
            client.images.build(path=folder, tag=JUPYTER, rm=True, forcerm=True)
        except docker.errors.BuildError as error:
            raise AssertionError("".join(str(event) for event in error.build_log)) from error
    return JUPYTER


def remove_others(client: docker.DockerClient) -> None:
    """Remove all images except those kept for the next test run."""
    kept = tuple(image_archives.CONFIG)
    for image in client.images.list():
        if not any(tag.endswith(kept) for tag in image.tags):
            client.images.remove(image.id, force=True)


def make_wheel(folder: Path) -> Path:
    """Build the checkout's wheel, from a copy without the files of earlier builds."""
    ignored = shutil.ignore_patterns(
        ".*", "build", "dist", "*.egg-info", "__pycache__", "tests", "test-results"
    )
    source = shutil.copytree(CHECKOUT, folder / "source", ignore=ignored)
    command: list[str | Path] = [
        *(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir"),
        folder,
        source,
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def small_image(client: docker.DockerClient, tag: str, layers: Sequence[int]) -> str:
    """Make an image with new, incompressible layers of these sizes in bytes.

    There is nothing to run in it. The layers have the files /layer0, /layer1, ...
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tars = []
        for number, size in enumerate(layers):
            content = folder / f"layer{number}"
            content.write_bytes(os.urandom(size))
            tars.append(content.with_suffix(".tar"))
            with tarfile.open(tars[-1], "w") as tar:
                tar.add(content, content.name)
        archive = folder / "image.tar"
        image_archives.write(archive, tag, tars, {"Cmd": ["/layer0"]})
        with archive.open("rb") as file:
            client.images.load(file)
    return tag


@contextlib.contextmanager
def pushed(registry: Registry, docker_engine: Engine, *engines: Engine) -> Iterator[str]:
    """Make a small image that is only in the registry, and yield its name."""
    registry.line.reset()
    local = small_image(docker_engine.client, "small:1", LAYERS)
    name = registry.push(docker_engine.client, local, "label-studio:1")
    docker_engine.client.images.remove(local, force=True)
    try:
        yield name
    finally:
        registry.line.reset()
        for each in {docker_engine, *engines}:
            for image in each.client.images.list(name.rpartition(":")[0]):
                each.client.images.remove(image.id, force=True)


def is_there(engine: Engine, name: str) -> bool:
    """Return True if the engine has the image."""
    try:
        return bool(engine.client.images.get(name))
    except docker.errors.ImageNotFound:
        return False


def with_another_layer(client: docker.DockerClient, name: str, tag: str, size: int) -> str:
    """Add a layer of `size` bytes to the image `name`; return the new name, with the `tag`."""
    container = client.containers.create(name)
    try:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            entry = tarfile.TarInfo("another")
            entry.size = size
            tar.addfile(entry, io.BytesIO(os.urandom(size)))
        container.put_archive("/", archive.getvalue())
        repository = name.rpartition(":")[0]
        container.commit(repository, tag)
    finally:
        container.remove()
    return f"{repository}:{tag}"
