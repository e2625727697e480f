"""JupyterLab in a container, with the socket of the engine that runs it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

import docker
import requests

from .containers import LABEL
from .engine import Engine
from .http import Http
from .processes import wait_for


class JupyterInContainer(Http):
    """`jupyter lab` of `image`. Ready when constructed; `stop()` it.

    Like a `JupyterLab`, it has a port on this machine's loopback. A volume is mounted at `volume_at`.
    """

    def __init__(
        self,
        engine: Engine,
        image: str,
        *,
        volume_at: str = "/home/jovyan",
        network: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.client: docker.DockerClient = engine.client
        self.base_url = "/user/alice/"
        self.prefix = f"{self.base_url}labelstudio/"
        self.token = secrets.token_hex(16)
        socket = Path(engine.address.removeprefix("unix://"))
        # Containers of other Jupyters in this engine are no siblings.
        self._others = {container.id for container in self._made()}
        self._volume = self.client.volumes.create()
        self.container = self.client.containers.run(
            image,
            [
                *("jupyter", "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser"),
                f"--ServerApp.base_url={self.base_url}",
                f"--IdentityProvider.token={self.token}",
                "--LabApp.news_url=None",
            ],
            detach=True,
            init=True,
            ports={"8888/tcp": ("127.0.0.1", None)},
            network=network,
            environment=dict(environment or {}),
            group_add=[socket.stat().st_gid],
            volumes={
                str(socket): {"bind": "/var/run/docker.sock"},
                self._volume.name: {"bind": volume_at},
            },
        )
        self.container.reload()
        port = self.container.ports["8888/tcp"][0]["HostPort"]
        self.origin = f"http://127.0.0.1:{port}"
        super().__init__(self.origin + self.base_url, lambda: f"token {self.token}")
        try:
            wait_for(self._responds, what=self.log, timeout=60)
        except BaseException:
            self.stop()
            raise

    def log(self) -> str:
        printed: bytes = self.container.logs()
        return printed.decode(errors="replace")

    def _responds(self) -> bool:
        try:
            return self.get("api", timeout=10).ok
        except requests.ConnectionError:
            return False

    def siblings(self) -> list[docker.models.containers.Container]:
        """Return the containers that this Jupyter has made."""
        return [container for container in self._made() if container.id not in self._others]

    def _made(self) -> list[docker.models.containers.Container]:
        found: list[docker.models.containers.Container] = self.client.containers.list(
            all=True, filters={"label": LABEL}
        )
        return found

    def stop(self) -> None:
        """Stop it like `docker stop`; raises AssertionError if it leaves containers."""
        self.close()
        self.container.stop(timeout=30)
        left = [container.name for container in self.siblings()]
        self.container.remove(v=True, force=True)
        self._volume.remove(force=True)
        assert not left, f"Jupyter has left containers behind: {left}"
