"""Direct requests to the Label Studio that a gateway started, on its unix socket."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path

from requests.structures import CaseInsensitiveDict

from .jupyter import JupyterLab
from .label_studio import access_token


class _Connection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        # the host name that the gateway sends, too
        super().__init__("localhost", timeout=120)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Direct:
    """A response of Label Studio, with the attribute names of `requests`."""

    def __init__(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.status_code = status
        self.headers = CaseInsensitiveDict(headers)
        self.content = content


class LabelStudioSocket:
    """Sends requests as the first account, past the gateway and Jupyter."""

    def __init__(self, jupyter: JupyterLab, data_dir: Path) -> None:
        """Label Studio must be ready."""
        (self._path,) = (jupyter.home / "run" / "jupyter").glob(
            "labelstudio-proxy-*/label-studio.sock"
        )
        self._data_dir = data_dir

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None
    ) -> Direct:
        """`path` is relative to `/`."""
        fields = {"Authorization": f"Bearer {access_token(self._data_dir)}", "Accept": "*/*"}
        with contextlib.closing(_Connection(self._path)) as connection:
            connection.request(method, f"/{path}", headers=fields | dict(headers or {}))
            response = connection.getresponse()
            return Direct(response.status, response.getheaders(), response.read())

    def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> Direct:
        return self.request("GET", path, headers=headers)
