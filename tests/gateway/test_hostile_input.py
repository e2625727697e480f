"""Malformed and oversized requests are refused clearly, and the gateway continues as before."""

from __future__ import annotations

import contextlib
import functools
import resource
import select
import socket
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.gateway import (
    HOST,
    IMPATIENT,
    PROGRAM,
    STALL_SECONDS,
    Arrived,
    Gateway,
    add_account,
    head,
    read_response,
)
from support.processes import wait_for

IDLE = 10_000
# open files of a process by default
USUAL_FILES = 1024
JSON = ("Content-Type", "application/json")
# The gateway may grow by this, whatever it receives.
MEGABYTES = 100


@pytest.fixture(scope="module")
def gateway(new_data_dir: Callable[[], Path]) -> Iterator[Gateway]:
    data_dir = new_data_dir()
    add_account(data_dir, "ada@localhost")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (USUAL_FILES, hard))
    try:
        server = Gateway(data_dir)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        server.start()
        yield server
    finally:
        server.stop()


def megabytes(gateway: Gateway) -> float:
    """Return the resident memory of the gateway."""
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


@pytest.fixture(autouse=True)
def continues(gateway: Gateway) -> Iterator[None]:
    """After the test the gateway responds as before, has not grown, and has logged no error."""
    before = megabytes(gateway)
    logged = gateway.process.log.stat().st_size
    yield
    assert gateway.arrived("POST", "/api/x", [PROGRAM], b"body").body == b"body"
    assert gateway.state() == "ready"
    assert megabytes(gateway) < before + MEGABYTES
    assert b"Traceback" not in gateway.process.log.read_bytes()[logged:]


def status_of(gateway: Gateway, raw: bytes) -> int:
    """Return the status of the response to exactly these bytes."""
    with gateway.connection(timeout=20) as sock:
        left = memoryview(raw)
        with contextlib.suppress(BrokenPipeError):
            while left:
                readable, _, _ = select.select([sock], [sock], [], 20)
                if readable:  # refused before its end
                    break
                left = left[sock.send(left[:65536]) :]
        return read_response(sock, "GET").status


def seen(gateway: Gateway) -> list[str]:
    found: list[str] = gateway.ask("GET", "/-/seen").json()
    return found


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(head("GET", "/", [("X-Long", "y" * 1024 * 1024)]), id="1 MB header"),
        pytest.param(head("GET", "/", [("y" * 1024 * 1024, "x")]), id="1 MB name"),
        pytest.param(head("GET", "/" + "y" * 1024 * 1024), id="1 MB target"),
        pytest.param(head("y" * 1024 * 1024, "/"), id="1 MB method"),
        pytest.param(
            head("GET", "/", [(f"X-{number}", "y" * 1000) for number in range(50_000)]),
            id="50 MB of headers",
        ),
    ],
)
def test_an_oversized_head_is_refused(gateway: Gateway, raw: bytes) -> None:
    before = seen(gateway)
    assert 400 <= status_of(gateway, raw) < 500
    assert seen(gateway) == before


BOTH = [("Content-Length", "4"), ("Transfer-Encoding", "chunked")]
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(head("POST", "/a", [PROGRAM, *BOTH]) + b"0\r\n\r\n" + SMUGGLED, id="both"),
        pytest.param(
            head("POST", "/a", [PROGRAM, *BOTH[::-1]]) + b"0\r\n\r\n" + SMUGGLED, id="both, turned"
        ),
        *(
            pytest.param(
                head("POST", "/a", [PROGRAM, ("Transfer-Encoding", coding)]) + SMUGGLED, id=coding
            )
            for coding in ("xchunked", "identity", "chunked, identity", "\x0bchunked", "chunked\0")
        ),
        *(
            pytest.param(
                head("POST", "/a", [PROGRAM, ("Content-Length", length)]) + SMUGGLED, id=length
            )
            for length in ("+4", "-1", "4, 5", "0x4", "4 4", "99999999999999999999999", "\xb2")
        ),
        pytest.param(
            head("POST", "/a", [PROGRAM, ("Content-Length", "0"), ("Content-Length", "35")])
            + SMUGGLED,
            id="two lengths",
        ),
        pytest.param(
            f"GET /a HTTP/1.1\r\nHost: {HOST}\r\nX-A: b\r\n folded\r\n\r\n".encode(), id="obs-fold"
        ),
        pytest.param(
            f"POST /a HTTP/1.1\r\nHost: {HOST}\r\nContent-Length : 4\r\n\r\nbody".encode(),
            id="space before the colon",
        ),
        pytest.param(
            head("POST", "/a", [PROGRAM, ("Transfer-Encoding", "chunked")])
            + b"5;\r\n\r\n\r\nX\r\n" + SMUGGLED,
            id="wrong chunk",
        ),
        pytest.param(
            head("POST", "/a", [PROGRAM, ("Transfer-Encoding", "chunked")]) + b"fffffffffffffffff0\r\n",
            id="endless chunk",
        ),
    ],
)  # fmt: skip
def test_ambiguous_requests_are_refused_and_smuggle_nothing(gateway: Gateway, raw: bytes) -> None:
    before = seen(gateway)
    assert 400 <= status_of(gateway, raw) < 500
    assert not any("smuggled" in target for target in seen(gateway)[len(before) :])


@pytest.mark.parametrize("body", [b"{", b"[" * 200_000, b"\xff\xfe", b'{"a": 1e999}', b"\0" * 100])
def test_malformed_json_reaches_label_studio_and_harms_no_command(
    gateway: Gateway, body: bytes
) -> None:
    assert gateway.arrived("POST", "/api/projects/1/import", [PROGRAM], body).length == len(body)
    # the gateway ignores the bodies of its own commands
    assert gateway.ask("POST", "/_proxy/start", [PROGRAM], body).status == 202
    assert gateway.ask("POST", "/_proxy/nothing", [PROGRAM], body).status == 404


LENGTH = ("Content-Length", "1000000")


def begin(
    stack: contextlib.ExitStack, gateway: Gateway, target: str, header: tuple[str, str] = LENGTH
) -> socket.socket:
    """Send a request with the beginning of its body only."""
    sock = stack.enter_context(gateway.connection())
    body = b"5\r\nbegin\r\n" if header[0] == "Transfer-Encoding" else b"begin"
    sock.sendall(head("POST", target, [PROGRAM, JSON, header]) + body)
    return sock


def test_a_body_without_a_length_arrives_on_the_disk_of_the_data(gateway: Gateway) -> None:
    chunk = bytes(2 * 1024 * 1024)  # more than is kept in memory
    with gateway.connection() as sock:
        sock.sendall(head("POST", "/api/x", [PROGRAM], chunked=True))
        sock.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        folder = str(gateway.data_dir / ".labelstudio-proxy" / "temporary")

        def is_on_the_disk() -> bool:
            for file in Path(f"/proc/{gateway.process.pid}/fd").iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if str(file.readlink()).startswith(folder):
                        return True
            return False

        wait_for(is_on_the_disk, what="the body on the disk")
        sock.sendall(b"0\r\n\r\n")
        arrived = Arrived.of(read_response(sock, "POST"))
    assert arrived.length == len(chunk)


def test_stalled_bodies_do_not_block_other_requests(gateway: Gateway) -> None:
    """The echo has a thread for each request; a test below has Label Studio's eight threads."""
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            begin(stack, gateway, "/_proxy/start")
            begin(stack, gateway, "/api/projects/1/import")
        assert gateway.arrived("GET", "/api/projects").method == "GET"


@pytest.fixture(scope="module")
def impatient(new_data_dir: Callable[[], Path]) -> Iterator[Gateway]:
    """A gateway in front of the echo that cancels a stalled body soon."""
    data_dir = new_data_dir()
    add_account(data_dir, "ada@localhost")
    server = Gateway(data_dir, env=IMPATIENT)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize("header", [LENGTH, ("Transfer-Encoding", "chunked")], ids=lambda h: h[0])
def test_a_stalled_body_is_cancelled(impatient: Gateway, header: tuple[str, str]) -> None:
    with contextlib.ExitStack() as stack:
        refused = read_response(begin(stack, impatient, "/api/x", header), "POST")
    assert refused.status == 408
    assert "Send it again" in refused.json()["detail"]
    assert impatient.state() == "ready"


def test_a_slow_body_is_not_cancelled(impatient: Gateway) -> None:
    sent = b"begin, and so on"
    with contextlib.ExitStack() as stack:
        length = ("Content-Length", str(len(sent)))
        sock = begin(stack, impatient, "/api/x", length)
        for byte in sent[len(b"begin") :]:
            readable, _, _ = select.select([sock], [], [], STALL_SECONDS / 4)
            assert not readable
            sock.sendall(bytes([byte]))
        assert Arrived.of(read_response(sock, "POST")).body == sent


def test_ten_thousand_idle_connections_block_no_request(gateway: Gateway) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < IDLE + 1000:
        pytest.skip(f"a process may have {hard} files open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (IDLE + 1000, hard))
    before = megabytes(gateway)
    try:
        with contextlib.ExitStack() as stack:
            for number in range(IDLE):
                sock = stack.enter_context(contextlib.closing(socket.socket(socket.AF_UNIX)))
                sock.settimeout(60)
                wait_for(functools.partial(connected, sock, gateway), what="the gateway to accept")
                if number % 2:
                    sock.sendall(b"GET /api/x HTTP/1.1\r\nX-Never: ")
            assert gateway.arrived("GET", "/api/projects").method == "GET"
            assert megabytes(gateway) < before + 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    wait_for(lambda: len(open_files(gateway)) < 100, what="the end of the connections")


def connected(sock: socket.socket, gateway: Gateway) -> bool:
    try:
        sock.connect(str(gateway.socket))
    except BlockingIOError:  # too many that wait to be accepted
        return False
    return True


def open_files(gateway: Gateway) -> list[Path]:
    return list(Path(f"/proc/{gateway.process.pid}/fd").iterdir())


NOISE = st.one_of(
    st.binary(max_size=300),
    st.lists(
        st.sampled_from(
            [
                *(b"GET", b"POST", b" ", b"/", b"/_proxy/state", b"HTTP/1.1", b"\r\n", b"\r\n\r\n"),
                *(b"Host: x", b"Content-Length: 3", b"Transfer-Encoding: chunked", b":", b"\0"),
                *(b"Upgrade: websocket", b"Connection: upgrade", b"0\r\n\r\n", b"\t", b"\xff"),
                *(b"Expect: 100-continue", b"?token=x", b"%00", b"*", b"http://x/"),
            ]
        ),
        max_size=20,
    ).map(b"".join),
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(noise=NOISE)
def test_any_bytes_get_a_response_or_are_refused(gateway: Gateway, noise: bytes) -> None:
    with gateway.connection(timeout=20) as sock:
        sock.sendall(noise)
        sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(HTTPException, ConnectionError):
            assert read_response(sock, "GET").status < 500 or b"/_proxy" not in noise
