"""Amazon SageMaker's notebook instances and Studio: the start script, then from the tile to a label."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support import plain_user
from support.browser import Tab
from support.jupyter import JupyterLab, LabelStudioClient
from support.labelling import choose, submit
from support.s3 import S3Server, picture_in
from support.sagemaker import NOTEBOOK_INSTANCE, STUDIO, Machines, Shape
from support.small_server import small_server

START_MS = 120_000

pytestmark = plain_user.needed


@contextmanager
def role_of(server: S3Server) -> Iterator[dict[str, str]]:
    """The variables by which AWS's programs get the credentials of the machine's role."""

    class Credentials(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys = {
                "AccessKeyId": server.keys["aws_access_key_id"],
                "SecretAccessKey": server.keys["aws_secret_access_key"],
                "Token": "",
                "Expiration": "2099-01-01T00:00:00Z",
            }
            body = json.dumps(keys).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with small_server(Credentials) as port:
        yield {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{port}/role",
            "AWS_ENDPOINT_URL": server.url,
            "AWS_REGION": "eu-central-1",
        }


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tmp_path_factory.mktemp("s3"))
    yield server
    server.stop()


@pytest.mark.parametrize("shape", [NOTEBOOK_INSTANCE, STUDIO], ids=["notebook-instance", "studio"])
def test_the_start_script_brings_the_tile_and_keeps_the_rest(
    shape: Shape,
    tmp_path: Path,
    s3: S3Server,
    jupyter_lab: Callable[..., JupyterLab],
    new_page: Callable[..., Tab],
) -> None:
    folder = tmp_path / "machine"
    folder.mkdir()
    machines = Machines(shape, folder)
    with machines.started() as machine:
        assert "The tile is installed" in machine.run_script()
        machine.wait_for_label_studio(1)
        assert len(machines.restarts) == 1
    (installed,) = machines.volume.rglob("environment-*/pyvenv.cfg")
    made = installed.stat().st_mtime_ns

    # The next start has no package index.
    machines.remove_index()
    with machines.started() as machine, role_of(s3) as role:
        for _ in range(2):
            assert "The tile is installed" in machine.run_script()
        machine.wait_for_label_studio(3)
        assert installed.stat().st_mtime_ns == made
        jupyter = jupyter_lab(
            base_url=shape.base_url,
            # as Studio starts JupyterLab, apart from its empty token
            server_config={"ServerApp": {"allow_origin": "*"}} if shape is STUDIO else {},
            python=machine.python(tmp_path),
            env=machine.environment(role),
        )
        label_a_text(jupyter, new_page)
        with closing(LabelStudioClient(jupyter)) as studio:
            s3.put("pictures/a.png", b"")
            # Label Studio has listed the bucket, and will read the picture itself.
            assert picture_in(studio, presign=False).startswith("/tasks/")
        jupyter.stop()
    (database,) = machines.volume.rglob("label_studio.sqlite3")
    assert database.parent.name.endswith("labelstudio-proxy")


def label_a_text(jupyter: JupyterLab, new_page: Callable[..., Tab]) -> None:
    """Click the tile, and label a text in the tab that opens."""
    lab, _ = new_page(jupyter)
    lab.goto(f"{jupyter.url}lab")
    tile = lab.locator(".jp-LauncherCard", has_text="Label Studio")
    with lab.expect_popup(timeout=START_MS) as opened:
        tile.click(timeout=START_MS)
    page = opened.value
    create = page.get_by_role("button", name="Create Project").first
    expect(create).to_be_visible(timeout=START_MS)
    with closing(LabelStudioClient(jupyter)) as studio:
        submit(page, studio, choose(page, jupyter, studio))
