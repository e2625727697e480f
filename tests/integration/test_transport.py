"""Requests and responses through Jupyter, with a program in Label Studio's place that echoes them."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.gateway import (
    ECHO,
    IMPATIENT,
    Arrived,
    add_account,
    head,
    read_response,
    respond_with,
    stand_in,
)
from support.gateway import Response as Raw
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import pids_that_mention, wait_for

pytestmark = pytest.mark.measures

# More than Tornado and jupyter-server-proxy keep in memory, and than the latter lets through.
LARGE = 300 * 1024 * 1024
# Like Label Studio's server, the echo stops with its gateway.
RUN_ECHO = (
    "import os, runpy; "
    "from labelstudio_proxy.label_studio.programs.labelstudio_server import end_with_parent; "
    "end_with_parent(int(os.environ['LABELSTUDIO_PROXY_PARENT'])); "
    f"runpy.run_path('{ECHO}', run_name='__main__')"
)


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    new_data_dir: Callable[[], Path],
) -> JupyterLab:
    data_dir = new_data_dir()
    add_account(data_dir, "ada@localhost")
    echo = stand_in(data_dir.parent / "echo", f'exec {sys.executable} -c "{RUN_ECHO}" "$@"')
    lab = module_jupyter_lab(
        base_url="/user/a%40b.c/",
        config={"data_dir": str(data_dir), "label_studio": str(echo)},
        env=IMPATIENT,
    )
    label_studio_client(lab).wait_ready()
    return lab


@pytest.fixture
def client(
    jupyter: JupyterLab, label_studio_client: Callable[[JupyterLab], LabelStudioClient]
) -> LabelStudioClient:
    return label_studio_client(jupyter)


def request(
    jupyter: JupyterLab, method: str, target: str, body: bytes | None = None, **headers: str
) -> Raw:
    """Send exactly this target, below the prefix. In names of headers, `_` stands for `-`."""
    return request_with(jupyter, method, target, headers, body)


def request_with(
    jupyter: JupyterLab,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
) -> Raw:
    connection = http.client.HTTPConnection("127.0.0.1", jupyter.port, timeout=60)
    sent = {"Authorization": f"token {jupyter.token}"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, jupyter.prefix.rstrip("/") + target, body, sent)
    got = connection.getresponse()
    found = Raw(got.status, got.getheaders(), got.read())
    connection.close()
    return found


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("body", [None, b"", b'{"tabs": "all"}'])
def test_every_method_passes_with_a_body_and_without(
    jupyter: JupyterLab, method: str, body: bytes | None
) -> None:
    arrived = Arrived.of(request(jupyter, method, "/api/dm/views/reset", body))
    assert (arrived.method, arrived.body) == (method, body or b"")


@pytest.mark.parametrize(
    "target",
    [
        *("/a%2Fb%20c", "/a+b?c=%2F&d=+&e", "/%C3%BC?%C3%BC=%e4", "/a//b/../c", "/a;b=c,d@e:f"),
        *("/data/local-files/?d=x%20y.png", "/a?q=token%3Dx"),
    ],
)
def test_the_target_passes_byte_for_byte(jupyter: JupyterLab, target: str) -> None:
    assert Arrived.of(request(jupyter, "GET", target)).target == target


class Zeros(io.RawIOBase):
    """A file of zeros that needs no memory."""

    def __init__(self, size: int) -> None:
        self.left = size

    def __len__(self) -> int:
        return self.left

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = bytes(min(self.left, 1 << 20 if size < 0 else size))
        self.left -= len(block)
        return block


def digest_of_zeros(size: int) -> str:
    digest = hashlib.sha256()
    zeros = Zeros(size)
    while block := zeros.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def peak_memory(pid: int) -> int:
    """Bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


def forget_peak(pid: int) -> int:
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak_memory(pid)


@pytest.fixture
def memory(jupyter: JupyterLab) -> Iterator[None]:
    """The memory of Jupyter and the gateway grows by less than 50 MB."""
    pids = [jupyter.process.pid, jupyter.gateway_pid]
    before = [forget_peak(pid) for pid in pids]
    yield
    for pid, held in zip(pids, before, strict=True):
        assert peak_memory(pid) - held < 50 * 1024 * 1024


def test_the_gateway_has_jupyters_environment_and_one_heap(jupyter: JupyterLab) -> None:
    environment = Path(f"/proc/{jupyter.gateway_pid}/environ").read_text().split("\0")
    assert {"MALLOC_ARENA_MAX=1", "MALLOC_TRIM_THRESHOLD_=8388608"} <= set(environment)
    assert f"HOME={jupyter.home}" in environment


@pytest.mark.usefixtures("memory")
def test_a_large_upload_arrives_completely_and_is_not_buffered(client: LabelStudioClient) -> None:
    told = client.post("api/projects/1/import", data=Zeros(LARGE), timeout=300).json()
    assert told["length"] == LARGE
    assert told["sha256"] == digest_of_zeros(LARGE)


@pytest.mark.usefixtures("memory")
def test_a_large_download_arrives_completely_and_is_not_buffered(client: LabelStudioClient) -> None:
    name, value = respond_with(rest=LARGE)
    client.get("-/release")
    with client.get("export", headers={name: value}, stream=True, timeout=300) as got:
        digest, length = hashlib.sha256(), 0
        for block in got.iter_content(1 << 20):
            digest.update(block)
            length += len(block)
    assert length == LARGE


def test_an_upload_that_is_refused_early_gets_a_response(jupyter: JupyterLab) -> None:
    """It is cross-site, so the gateway does not read it."""
    sent = {"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"}
    body = bytes(5 * 1024 * 1024)
    assert request(jupyter, "POST", "/api/projects/1/import", body, **sent).status == 403


def test_a_stalled_upload_gets_a_response(jupyter: JupyterLab) -> None:
    before = connections(jupyter)
    with socket.create_connection(("127.0.0.1", jupyter.port), 60) as sock:
        sent = [
            ("Host", f"127.0.0.1:{jupyter.port}"),
            ("Authorization", f"token {jupyter.token}"),
            ("Content-Length", "1000000"),
        ]
        sock.sendall(head("POST", f"{jupyter.prefix}api/projects/1/import", sent) + b"begin")
        refused = read_response(sock, "POST")
        assert refused.status == 408
        assert "Send it again" in refused.json()["detail"]
        assert sock.recv(1) == b""  # the rest is not waited for
    wait_for(lambda: connections(jupyter) <= before, what="the connections to be closed")
    assert "Traceback" not in jupyter.log.read_text()
    assert request(jupyter, "GET", "/after").status == 200


def test_ranges_and_conditions_pass(jupyter: JupyterLab) -> None:
    arrived = Arrived.of(request(jupyter, "GET", "/data/x", Range="bytes=5-9", If_None_Match='"x"'))
    assert arrived.all("Range") == ["bytes=5-9"]
    assert arrived.all("If-None-Match") == ['"x"']
    name, value = respond_with(
        status=206, headers=[("Content-Range", "bytes 5-9/100")], body="56789"
    )
    partial = request_with(jupyter, "GET", "/data/x", {name: value})
    assert (partial.status, partial.body) == (206, b"56789")
    assert partial["Content-Range"] == "bytes 5-9/100"
    name, value = respond_with(status=304, headers=[("ETag", '"x"')])
    assert request_with(jupyter, "GET", "/data/x", {name: value}).status == 304
    name, value = respond_with(headers=[("Content-Type", "image/png")], body="12345")
    head = request_with(jupyter, "HEAD", "/data/x", {name: value})
    assert (head.status, head["Content-Length"], head.body) == (200, "5", b"")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_without_credentials_jupyter_refuses_and_nothing_arrives(
    jupyter: JupyterLab, client: LabelStudioClient, method: str
) -> None:
    before = client.get("-/seen").json()
    answered = request(jupyter, method, "/secret", Authorization="token wrong")
    assert answered.status in {302, 403}
    assert client.get("-/seen").json() == before


def test_a_browser_that_disconnects_cancels_its_request(jupyter: JupyterLab) -> None:
    name, value = respond_with(rest=LARGE)
    with socket.create_connection(("127.0.0.1", jupyter.port)) as browser:
        browser.sendall(
            f"GET {jupyter.prefix}export HTTP/1.1\r\nHost: 127.0.0.1\r\n{name}: {value}\r\n"
            f"Authorization: token {jupyter.token}\r\n\r\n".encode()
        )
        assert browser.recv(12) == b"HTTP/1.1 200"
        held = connections(jupyter)
    # The gateway drops what it asked Label Studio for, and with it two connections.
    wait_for(lambda: connections(jupyter) <= held - 2, what="the connections to be closed")
    assert request(jupyter, "GET", "/after").status == 200


def connections(jupyter: JupyterLab) -> int:
    """Return the number of open connections of the gateway."""
    found = 0
    for fd in Path(f"/proc/{jupyter.gateway_pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found += str(fd.readlink()).startswith("socket:")
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_gateway_is_restarted(jupyter: JupyterLab, number: signal.Signals) -> None:
    """From here on, Label Studio stops with its gateway."""
    killed = jupyter.gateway_pid
    os.kill(killed, number)
    wait_for(lambda: killed not in pids_that_mention(jupyter.home), what="the old one to be gone")
    state = request(jupyter, "GET", "/_proxy/state")
    assert state.status == 200
    wait_for(lambda: jupyter.gateway_pid != killed, what="the new one")


def test_a_request_succeeds_before_jupyter_notices_the_gateways_exit(jupyter: JupyterLab) -> None:
    """An exit with status 0, after which simpervisor does not restart the gateway."""
    assert request(jupyter, "GET", "/_proxy/state").status == 200
    ended = jupyter.gateway_pid
    with ThreadPoolExecutor() as pool:
        os.kill(jupyter.process.pid, signal.SIGSTOP)
        try:
            os.kill(ended, signal.SIGTERM)
            wait_for(lambda: ended not in pids_that_mention(jupyter.home), what="its end")
            states = [pool.submit(request, jupyter, "GET", "/_proxy/state") for _ in range(4)]
        finally:
            os.kill(jupyter.process.pid, signal.SIGCONT)
        assert [state.result().status for state in states] == [200] * 4
