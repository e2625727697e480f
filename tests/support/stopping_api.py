"""Requests to the real Label Studio that fail after a number of them: no kill can be timed so exactly."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from labelstudio_proxy.data_directory.directory import DataDirectory
from labelstudio_proxy.gateway.identity import Identity
from labelstudio_proxy.gateway.projects.failures import stopped
from labelstudio_proxy.gateway.projects.label_studio_api import LabelStudioAPI
from labelstudio_proxy.gateway.proxy.forward import Upstream
from labelstudio_proxy.label_studio import paths
from labelstudio_proxy.label_studio.upstream import Endpoint, open_session


class StoppingAPI(LabelStudioAPI):
    """Asks the real Label Studio, which is gone after `left` requests that change something."""

    left = 0
    singly = 0  # predictions that were deleted one by one

    async def send(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str | int] | None = None
    ) -> Any:
        self.left -= method != "GET"
        self.singly += method == "DELETE" and path.startswith(paths.PREDICTIONS)
        if self.left < 0:
            raise stopped()
        return await super().send(method, path, body, query)


@contextlib.asynccontextmanager
async def stopping_api(home: Path, data_dir: Path, left: int) -> AsyncIterator[StoppingAPI]:
    """Yield the API of the Label Studio that runs on `data_dir`, for the Jupyter server of `home`."""
    (socket,) = (home / "run" / "jupyter").glob("labelstudio-proxy-*/label-studio.sock")
    endpoint = Endpoint(unix_socket=socket)
    directory = DataDirectory(data_dir)
    account = directory.first_account()
    assert account is not None
    identity = Identity(directory.secret_key(), account)
    async with open_session(endpoint) as session:
        api = StoppingAPI(Upstream(session, endpoint, identity, directory.temporary), directory)
        api.left = left
        yield api
