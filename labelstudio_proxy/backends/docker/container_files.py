"""What is in a container, as the engine sees it; it need not run for that."""

from __future__ import annotations

import io
import tarfile

import requests
from docker.errors import APIError, NotFound
from docker.models.containers import Container


def file_in(container: Container, path: str) -> bytes | None:
    """The file at the path, None where there is nothing; raises docker's APIError."""
    try:
        stream, _ = container.get_archive(path)
    except NotFound:
        return None
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        file = archive.extractfile(archive.getmembers()[0])
        return file.read() if file else None


def is_in(container: Container, path: str) -> bool:
    """Whether the engine sees something at the path of the container, raises docker's APIError."""
    api = container.client.api
    response = api.head(
        f"{api.base_url}/v{api.api_version}/containers/{container.id}/archive",
        params={"path": path},
        timeout=api.timeout,
    )
    if response.status_code == 404:
        return False
    try:
        response.raise_for_status()
    except requests.HTTPError as error:
        raise APIError(str(error), response) from error
    return True
