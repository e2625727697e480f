"""What Label Studio refuses because of the settings that the gateway starts it with."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.gateway import read_response
from support.jupyter import JupyterLab, LabelStudioClient
from support.label_studio_socket import LabelStudioSocket

SECRET = b"secret of another folder"
CONFIG = '<View><Text name="t" value="$text"/></View>'
REDIRECT = "/redirect.json"
PICTURE = b"picture of the notebook's"


@pytest.fixture(scope="module")
def data_directory(new_data_dir: Callable[[], Path]) -> Path:
    return new_data_dir()


@pytest.fixture(scope="module")
def files_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A files root with a picture, and links to a secret outside of it."""
    folder = tmp_path_factory.mktemp("home")
    root = folder / "notebooks"
    (root / "pictures").mkdir(parents=True)
    (root / "pictures" / "cat.txt").write_bytes(PICTURE)
    (folder / "secret.txt").write_bytes(SECRET)
    (root / "pictures" / "link.txt").symlink_to(folder / "secret.txt")
    (root / "pictures" / "folder").symlink_to(folder)
    return root


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], data_directory: Path, files_root: Path
) -> JupyterLab:
    return module_jupyter_lab(
        base_url="/user/alice/", root_dir=files_root, config={"data_dir": str(data_directory)}
    )


@pytest.fixture(scope="module")
def project(studio: LabelStudioClient) -> int:
    made = studio.post("api/projects/", json={"title": "Limits", "label_config": CONFIG})
    assert made.status_code == 201, made.text
    number: int = made.json()["id"]
    return number


@pytest.fixture(scope="module")
def inside() -> Iterator[tuple[int, list[str]]]:
    """A web server on the loopback that trusts every client: its port and its requests."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == REDIRECT:
                self.send_response(302)
                self.send_header("Location", f"http://127.0.0.1:{port}/data.json")
            else:
                asked.append(self.path)
                self.send_response(200)
            self.end_headers()
            self.wfile.write(b'[{"text": "secret"}]')

        def log_message(self, *arguments: object) -> None:
            pass

    class Server6(ThreadingHTTPServer):
        address_family = socket.AF_INET6

    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))]
        port = servers[0].server_port
        servers.append(stack.enter_context(ThreadingHTTPServer(("127.0.0.2", port), Handler)))
        with contextlib.suppress(OSError):  # a machine without IPv6
            servers.append(stack.enter_context(Server6(("::1", port), Handler)))
        threads = [threading.Thread(target=server.serve_forever) for server in servers]
        for thread in threads:
            thread.start()
        yield port, asked
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()


def accounts(data_directory: Path) -> list[str]:
    with closing(sqlite3.connect(data_directory / "label_studio.sqlite3")) as database:
        return [email for (email,) in database.execute("SELECT email FROM htx_user")]


def test_no_user_can_sign_up(
    studio: LabelStudioClient, jupyter: JupyterLab, data_directory: Path
) -> None:
    before = accounts(data_directory)
    form = {"email": "eve@evil.example", "password": "a-long-password", "allow_newsletters": "on"}
    for path in ("user/signup/", "user/signup", "user/signup/?token=wrong"):
        assert studio.post(path, data=form).status_code == 302
    # nor past the gateway
    past = LabelStudioSocket(jupyter, data_directory)
    for method in ("GET", "POST"):
        assert past.request(method, "user/signup/").status_code in {302, 403}
    assert accounts(data_directory) == before
    assert len(before) == 1


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/latest/meta-data/",
        "http://2852039166/latest/meta-data/",
        "http://127.0.0.1:PORT/data.json",
        "http://localhost:PORT/data.json",
        "http://0.0.0.0:PORT/data.json",
        "http://127.1:PORT/data.json",
        "http://[::ffff:127.0.0.1]:PORT/data.json",
        "http://[::1]:PORT/data.json",
        "http://2130706433:PORT/data.json",
        "file:///etc/passwd",
    ],
)
def test_urls_of_this_machine_and_its_cloud_are_not_imported(
    studio: LabelStudioClient, project: int, inside: tuple[int, list[str]], address: str
) -> None:
    port, asked = inside
    url = address.replace("PORT", str(port))
    refused = studio.post(f"api/projects/{project}/import", data={"url": url}, timeout=30)
    assert 400 <= refused.status_code < 500, refused.text
    assert asked == []
    assert studio.get(f"api/projects/{project}").json()["task_number"] == 0


def test_an_import_does_not_follow_a_redirect_to_a_forbidden_url(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    new_data_dir: Callable[[], Path],
    inside: tuple[int, list[str]],
) -> None:
    """Allows another loopback address, because no other address responds offline."""
    port, asked = inside
    let_in = {"USE_DEFAULT_BANNED_SUBNETS": "false", "USER_ADDITIONAL_BANNED_SUBNETS": "127.0.0.1"}
    jupyter = jupyter_lab(config={"data_dir": str(new_data_dir()), "environment": let_in})
    studio = label_studio_client(jupyter)
    studio.wait_ready()
    made = studio.post("api/projects/", json={"title": "Limits", "label_config": CONFIG})
    where = f"api/projects/{made.json()['id']}/import"

    def imported(path: str) -> int:
        data = {"url": f"http://127.0.0.2:{port}{path}"}
        return studio.post(where, data=data, timeout=30).status_code

    assert 400 <= imported(REDIRECT) < 500
    assert asked == []
    assert imported("/data.json") == 201
    assert asked == ["/data.json"]


@pytest.fixture(scope="module")
def storage(studio: LabelStudioClient, project: int, files_root: Path) -> dict[str, Any]:
    made = studio.post(
        "api/storages/localfiles",
        json={"project": project, "path": str(files_root / "pictures"), "use_blob_urls": True},
    )
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def test_a_file_of_the_files_root_is_served(
    studio: LabelStudioClient, storage: dict[str, Any]
) -> None:
    assert studio.get("data/local-files/?d=pictures/cat.txt").content == PICTURE


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "pictures/../../secret.txt",
        "pictures/..%2f..%2fsecret.txt",
        "pictures%2f..%2f..%2fsecret.txt",
        "..%5csecret.txt",
        "OUTSIDE/secret.txt",
        "/OUTSIDE/secret.txt",
        "file://OUTSIDE/secret.txt",
        "pictures/link.txt",
        "pictures/folder/secret.txt",
        "pictures/./../../secret.txt",
        "pictures/cat.txt%00../../secret.txt",
        "",
        "pictures",
    ],
)
def test_a_file_outside_of_the_files_root_is_not_served(
    studio: LabelStudioClient, storage: dict[str, Any], files_root: Path, path: str
) -> None:
    path = path.replace("OUTSIDE", str(files_root.parent))
    # Label Studio finds the second one, too
    for place in ("data/local-files/", "any/data/local-files/any"):
        refused = studio.get(f"{place}?d={path}")
        assert SECRET not in refused.content
        assert refused.status_code >= 400


@pytest.mark.parametrize("path", ["..", "/", "/etc", "../..", "pictures/.."])
def test_a_storage_outside_of_the_files_root_is_refused(
    studio: LabelStudioClient, project: int, files_root: Path, path: str
) -> None:
    folder = str(files_root / path)
    made = studio.post("api/storages/localfiles", json={"project": project, "path": folder})
    assert made.status_code == 400, made.text


# ---- requests that are none, at Jupyter's own port


def raw(jupyter: JupyterLab, method: str, path: str, *lines: str, body: bytes = b"") -> int:
    """Return the status of the response to exactly these lines and Jupyter's token; 0: disconnected."""
    sent = [f"{method} {jupyter.base_url}{path} HTTP/1.1", f"Host: 127.0.0.1:{jupyter.port}"]
    sent += [f"Authorization: token {jupyter.token}", *lines, "", ""]
    with contextlib.closing(socket.create_connection(("127.0.0.1", jupyter.port), 60)) as sock:
        try:
            sock.sendall("\r\n".join(sent).encode() + body)
            return read_response(sock, method).status
        except (ConnectionError, HTTPException):
            return 0


BOTH = ("Content-Length: 4", "Transfer-Encoding: chunked")
SMUGGLED = b"0\r\n\r\nDELETE /api/projects HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        pytest.param([f"X-Long: {'y' * 1024 * 1024}"], b"", id="1 MB header"),
        pytest.param([f"X-{'y' * 1024 * 1024}: x"], b"", id="1 MB name"),
        pytest.param([f"X-{n}: {'y' * 1000}" for n in range(1000)], b"", id="1 MB of headers"),
        pytest.param(BOTH, SMUGGLED, id="both lengths"),
        pytest.param(BOTH[::-1], SMUGGLED, id="both lengths, turned"),
        pytest.param(["Content-Length: 4", "Content-Length: 5"], b"body", id="two lengths"),
        pytest.param(["Content-Length: 4", "X-A: b", " folded"], b"body", id="obs-fold"),
        pytest.param(["Content-Length : 4"], b"body", id="space before the colon"),
    ],
)
@pytest.mark.parametrize("path", ["labelstudio/api/projects/", "labelstudio/_proxy/stop"])
def test_a_malformed_request_is_refused(
    studio: LabelStudioClient, jupyter: JupyterLab, path: str, lines: Sequence[str], body: bytes
) -> None:
    before = studio.get("api/projects").json()["count"]
    status = raw(jupyter, "POST", path, *lines, body=body)
    assert status == 0 or 400 <= status < 500
    assert jupyter.get("api/status").status_code == 200
    assert studio.state()["state"] == "ready"
    assert studio.get("api/projects").json()["count"] == before


MALFORMED = [b"{", b"[" * 100, b"\xff\xfe", b'{"title": ', b"\0" * 100, b"null", b"[]"]
AS_JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: repr(body[:10]))
def test_malformed_json_is_refused(
    studio: LabelStudioClient, jupyter: JupyterLab, body: bytes
) -> None:
    refused = studio.post("api/projects/", data=body, headers=AS_JSON)
    assert 400 <= refused.status_code < 500, refused.text
    # these take no body that could be malformed
    for answer in (
        jupyter.post("api/labelstudio/start", data=body, headers=AS_JSON),
        studio.post("_proxy/start", data=body, headers=AS_JSON),
    ):
        assert answer.status_code == 202, answer.text
    assert studio.state()["state"] == "ready"


def test_json_that_is_nested_too_deep_stops_nothing(studio: LabelStudioClient) -> None:
    """Label Studio itself responds with 500 where Python's parser fails."""
    assert studio.post("api/projects/", data=b"[" * 100_000, headers=AS_JSON).status_code >= 400
    assert studio.get("api/projects").status_code == 200
    assert studio.state()["state"] == "ready"
