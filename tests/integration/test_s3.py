"""S3 with the notebook's credentials: where the setting allows it, and only there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import media
from support.container_studio import json_of
from support.jupyter import JupyterLab, LabelStudioClient
from support.s3 import BUCKET, S3Server, add_storage, picture_in

PICTURE = media.png()


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tmp_path_factory.mktemp("s3"))
    server.put("pictures/one % #ü.png", PICTURE)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], s3: S3Server, new_data_dir: Callable[[], Path]
) -> JupyterLab:
    """A notebook whose profile has the credentials, the endpoint and the region."""
    settings = {"aws_credentials": True, "data_dir": str(new_data_dir())}
    server = module_jupyter_lab(config=settings, env={"AWS_PROFILE": "labels"})
    s3.write_profile(server.home / ".aws")
    return server


def test_a_picture_comes_through_the_tile_whole_and_in_parts(studio: LabelStudioClient) -> None:
    path = picture_in(studio, presign=False)
    whole = studio.get(path)
    assert (whole.status_code, whole.headers["Content-Type"]) == (200, "image/png")
    assert whole.content == PICTURE
    part = studio.get(path, headers={"Range": "bytes=10-19"})
    assert part.status_code == 206
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(PICTURE)}"
    assert part.content == PICTURE[10:20]


def test_a_signed_link_comes_through_the_tile(studio: LabelStudioClient, s3: S3Server) -> None:
    answer = studio.get(picture_in(studio, presign=True))
    assert answer.status_code == 303
    link = answer.headers["Location"]
    assert link.startswith(f"{s3.url}/{BUCKET}/pictures/one%20%25%20%23%C3%BC.png?")
    assert "eu-central-1" in link  # the profile's region, which Label Studio does not look for
    assert s3.keys["aws_secret_access_key"] not in link
    s3.check_rights(False)
    try:
        part = studio.request("GET", picture_in(studio, presign=True), allow_redirects=True)
    finally:
        s3.check_rights(True)
    assert part.content == PICTURE


def test_no_key_is_in_the_database_the_log_or_the_diagnostics(
    studio: LabelStudioClient, jupyter: JupyterLab, s3: S3Server
) -> None:
    json_of(add_storage(studio))
    secret = s3.keys["aws_secret_access_key"].encode()
    files = [
        path for path in jupyter.home.rglob("*") if path.is_file() and path.parent.name != ".aws"
    ]
    assert not [path for path in files if secret in path.read_bytes()]
    assert secret not in studio.get("_proxy/diagnostics").content


def test_without_the_setting_label_studio_has_no_credentials(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    s3: S3Server,
    data_dir: Path,
) -> None:
    variables = s3.variables | {"AWS_PROFILE": "labels"}
    jupyter = jupyter_lab(config={"data_dir": str(data_dir)}, env=variables)
    s3.write_profile(jupyter.home / ".aws")
    client = label_studio_client(jupyter)
    client.wait_ready()
    answer = add_storage(client)
    assert "Unable to locate credentials" in answer.text
