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
from typing import Any

import docker
from docker.models.images import Image

from . import image_archives, jupyter_image, label_studio_image, musl_image
from .engine import Engine
from .registry import Registry

CHECKOUT = Path(__file__).parents[2]
LABEL_STUDIO = label_studio_image.TAG
UNLABELLED = label_studio_image.UNLABELLED
JUPYTER = "labelstudio-proxy-tests/jupyter:checkout"

DOCKERFILE = f"""\
FROM {jupyter_image.TAG}
USER root
COPY *.whl /tmp/
RUN pip install --no-cache-dir --no-index --no-deps /tmp/*.whl && pip check
USER jovyan
"""

# The layers of a small image, in bytes.
LAYERS = [300_000, 300_000, 1_500_000, 300_000]


def load_label_studio(client: docker.DockerClient) -> str:
    """Load the image, if needed made before, and return its name.

    UNLABELLED is the same image without the label that names its version.
    """
    _load(client, image_archives.archive(LABEL_STUDIO))
    return LABEL_STUDIO


def load_jupyter(client: docker.DockerClient) -> str:
    """Load the image of JupyterLab, if needed made before, and return its name."""
    load_label_studio(client)
    _load(client, jupyter_image.archive())
    return jupyter_image.TAG


def load_musl(client: docker.DockerClient) -> str:
    """Load the image on Alpine, if needed made before, and return its name."""
    _load(client, musl_image.archive())
    return musl_image.TAG


def _load(client: docker.DockerClient, archive: Path) -> None:
    wanted = image_archives.image_ids(archive)
    if wanted.items() <= _loaded(client).items():
        return
    for tag in wanted.keys() & _loaded(client).keys():
        client.images.remove(tag, force=True)
    with archive.open("rb") as file:
        # Not `images.load`: it does not understand Podman's response if there are several images.
        events = list(client.api.load_image(file))
    assert wanted.items() <= _loaded(client).items(), events


def _loaded(client: docker.DockerClient) -> dict[str, str]:
    """Return the ids of the images by tag."""
    return {tag: image.id for image in client.images.list() for tag in _names(image)}


def _names(image: Image) -> list[str]:
    """Return its tags; Podman puts the registry before them."""
    return [tag.removeprefix("docker.io/") for tag in image.tags]


def another_version(client: docker.DockerClient, version: str) -> str:
    """Make an image of Label Studio that says it is of this version; return its name."""
    metadata = ".venv/lib/python3*/site-packages/label_studio-*.dist-info/METADATA"
    dockerfile = f"""\
FROM {LABEL_STUDIO}
LABEL {label_studio_image.VERSION_LABEL}={version}
RUN sed -i 's/^Version: .*/Version: {version}/' {metadata}
"""
    return build_from(client, f"labelstudio-proxy-tests/label-studio:{version}", dockerfile)


def build_from(client: docker.DockerClient, tag: str, dockerfile: str, *files: Path) -> str:
    """Build an image from the text of a Dockerfile and what it copies; return its name."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Dockerfile").write_text(dockerfile)
        for file in files:
            if file.is_dir():
                shutil.copytree(file, Path(folder, file.name))
            else:
                shutil.copy(file, folder)
        return build(client, tag, Path(folder))


def build(client: docker.DockerClient, tag: str, folder: Path, **options: Any) -> str:
    """Build an image from a folder with a Dockerfile; return its name. `options`: the SDK's."""
    try:
        client.images.build(path=str(folder), tag=tag, rm=True, forcerm=True, **options)
    except docker.errors.BuildError as error:
        raise AssertionError("".join(str(event) for event in error.build_log)) from error
    return tag


def make_jupyter(client: docker.DockerClient, wheel: Path) -> str:
    """Make an image of JupyterLab with the `wheel`, without Label Studio; return its name."""
    load_jupyter(client)
    return build_from(client, JUPYTER, DOCKERFILE, wheel)


def remove_others(client: docker.DockerClient) -> None:
    """Remove all images except those kept for the next test run."""
    kept = {tag for images in image_archives.IMAGES.values() for tag in images} | {musl_image.TAG}
    for image in client.images.list():
        if kept.isdisjoint(_names(image)):
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
        image_archives.write(archive, tars, {tag: {"Cmd": ["/layer0"]}})
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
