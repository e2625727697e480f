"""JupyterHub with a container for each user, as examples/jupyterhub-docker has it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from docker.models.containers import Container
from docker.types import IPAMConfig, IPAMPool

from . import image_archives, images, jupyter_image
from .containers import LABEL
from .documents import CHECKOUT, change, recipe
from .engine import Engine
from .jupyterhub import JupyterHub
from .label_studio_image import HOME, VENV
from .wheels import make_index

EXAMPLE = CHECKOUT / "examples" / "jupyterhub-docker"
PAGE = "docs/hosts/jupyterhub-docker.md"
IMAGE = "jupyter-label-studio"
NETWORK = "jupyterhub"

# Stands for the image that the example's Dockerfile begins with. The entrypoint is that of Jupyter's
# images. pip finds this checkout in a folder, and a `label-studio` that leads to the files in the image:
# to install the real one takes minutes.
BASE = f"""\
FROM {jupyter_image.TAG}
USER root
COPY index /srv/index
COPY tini-static /usr/bin/tini
ENV PIP_INDEX_URL=file:///srv/index NB_UID=1000
USER ${{NB_UID}}
ENTRYPOINT ["tini", "-g", "--"]
CMD ["jupyterhub-singleuser"]
"""
PACKAGES = f"import sys; print('{VENV}/lib/python%d.%d/site-packages' % sys.version_info[:2])"


class DockerHub(JupyterHub):
    """The hub of the example, with Label Studio in the users' containers, or `beside` them.

    `folder`: an empty one. `stop()` it.
    """

    def __init__(self, engine: Engine, proxy: Sequence[str], folder: Path, *, beside: bool) -> None:
        self._client = engine.client
        self._others = {container.id for container in self._client.containers.list(all=True)}
        _make_image(engine, folder, beside=beside)
        subnet = f"10.214.{engine.slot}"
        pool = IPAMPool(subnet=f"{subnet}.0/24", gateway=f"{subnet}.1")
        self._network = self._client.networks.create(NETWORK, ipam=IPAMConfig(pool_configs=[pool]))
        settings = (EXAMPLE / "jupyterhub_config.py").read_text()
        settings = change(settings, "172.28.0.1", f"{subnet}.1")
        if beside:
            socket = recipe(PAGE, "import os\n")
            settings += change(
                socket, 'SOCKET = "/var/run/docker.sock"', f'SOCKET = "{engine.socket}"'
            )
        try:
            super().__init__(proxy, settings, base="", env={"DOCKER_HOST": engine.address})
        except BaseException:
            self._network.remove()
            raise

    def containers(self) -> list[Container]:
        """Return the containers of the hub's users, and those beside them, in any state."""
        found = self._client.containers.list(all=True, ignore_removed=True)
        return [container for container in found if container.id not in self._others]

    def beside(self) -> Container:
        """Return the only container with Label Studio, which is beside a user's."""
        (found,) = (each for each in self.containers() if LABEL in each.labels)
        return found

    def stop(self) -> None:
        """Stop it, and with it the users' servers; AssertionError if a container stays."""
        super().stop()
        left = self.containers()
        for container in left:
            container.remove(force=True, v=True)
        for volume in self._client.volumes.list(filters={"name": "jupyterhub-user-"}):
            volume.remove()
        self._network.remove()
        assert not left, f"The hub has left {[container.name for container in left]}"


def _make_image(engine: Engine, folder: Path, *, beside: bool) -> None:
    """Build the image of the users' servers from the example's Dockerfile."""
    client = engine.client
    images.load_jupyter(client)
    index = folder / "index"
    index.mkdir()
    (packages,) = image_archives.run(image_archives.PYTHON, "-c", PACKAGES).splitlines()
    make_index(index, f"{packages}\n{HOME}")
    base = images.build_from(
        client,
        "labelstudio-proxy-tests/jupyterhub-base",
        BASE,
        index,
        Path(shutil.which("tini-static") or "tini-static"),
    )
    target = {"target": "beside"} if beside else {}
    images.build(client, IMAGE, EXAMPLE, buildargs={"BASE": base}, **target)
