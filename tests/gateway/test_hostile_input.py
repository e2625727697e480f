"""Requests that are none, or too much: a clear refusal, and the gateway goes on as before."""

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
    read_answer,
)
from support.processes import wait_for

IDLE = 10_000
# that a process may have open, unless it asks for more
USUAL_FILES = 1024
JSON = ("Content-Type", "application/json")
# What a gateway may need beyond what it needs at rest, whatever it is sent.
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
    """The memory that the gateway's process has now."""
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


@pytest.fixture(autouse=True)
def goes_on(gateway: Gateway) -> Iterator[None]:
    """The gateway answers after it as before, has not grown, and has logged no failure."""
    before = megabytes(gateway)
    logged = gateway.process.log.stat().st_size
    yield
    assert gateway.arrived("POST", "/api/x", [PROGRAM], b"body").body == b"body"
    assert gateway.state() == "ready"
    assert megabytes(gateway) < before + MEGABYTES
    assert b"Traceback" not in gateway.process.log.read_bytes()[logged:]


def status_of(gateway: Gateway, raw: bytes) -> int:
    """The status of the answer to exactly these bytes; nothing may be left for a second one."""
    with gateway.connection(timeout=20) as sock:
        left = memoryview(raw)
        with contextlib.suppress(BrokenPipeError):
            while left:
                readable, _, _ = select.select([sock], [sock], [], 20)
                if readable:  # refused before its end
                    break
                left = left[sock.send(left[:65536]) :]
        return read_answer(sock, "GET").status


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
def test_too_much_is_refused(gateway: Gateway, raw: bytes) -> None:
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
def test_nothing_is_smuggled(gateway: Gateway, raw: bytes) -> None:
    before = seen(gateway)
    assert 400 <= status_of(gateway, raw) < 500
    assert not any("smuggled" in target for target in seen(gateway)[len(before) :])


@pytest.mark.parametrize("body", [b"{", b"[" * 200_000, b"\xff\xfe", b'{"a": 1e999}', b"\0" * 100])
def test_malformed_json_is_label_studios_to_judge_and_no_command_is(
    gateway: Gateway, body: bytes
) -> None:
    assert gateway.arrived("POST", "/api/projects/1/import", [PROGRAM], body).length == len(body)
    # the gateway's own commands have no body that could be malformed
    assert gateway.ask("POST", "/_proxy/start", [PROGRAM], body).status == 202
    assert gateway.ask("POST", "/_proxy/nothing", [PROGRAM], body).status == 404


LENGTH = ("Content-Length", "1000000")


def begin(
    stack: contextlib.ExitStack, gateway: Gateway, target: str, header: tuple[str, str] = LENGTH
) -> socket.socket:
    """A request whose body has begun, and no more."""
    sock = stack.enter_context(gateway.connection())
    body = b"5\r\nbegin\r\n" if header[0] == "Transfer-Encoding" else b"begin"
    sock.sendall(head("POST", target, [PROGRAM, JSON, header]) + body)
    return sock


def test_bodies_that_do_not_come_hold_the_gateway_up_for_nobody(gateway: Gateway) -> None:
    """The echo has a thread for each request; what holds for Label Studio's eight is below."""
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            begin(stack, gateway, "/_proxy/start")
            begin(stack, gateway, "/api/projects/1/import")
        assert gateway.arrived("GET", "/api/projects").method == "GET"


@pytest.fixture(scope="module")
def impatient(new_data_dir: Callable[[], Path]) -> Iterator[Gateway]:
    """One that gives up a stalled body soon, before the echo."""
    data_dir = new_data_dir()
    add_account(data_dir, "ada@localhost")
    server = Gateway(data_dir, env=IMPATIENT)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize("header", [LENGTH, ("Transfer-Encoding", "chunked")], ids=lambda h: h[0])
def test_a_body_that_stalls_is_given_up(impatient: Gateway, header: tuple[str, str]) -> None:
    with contextlib.ExitStack() as stack:
        refused = read_answer(begin(stack, impatient, "/api/x", header), "POST")
    assert refused.status == 408
    assert "Send it again" in refused.json()["detail"]
    assert impatient.state() == "ready"


def test_a_body_that_comes_slowly_is_left_alone(impatient: Gateway) -> None:
    sent = b"begin, and so on"
    with contextlib.ExitStack() as stack:
        length = ("Content-Length", str(len(sent)))
        sock = begin(stack, impatient, "/api/x", length)
        for byte in sent[len(b"begin") :]:
            readable, _, _ = select.select([sock], [], [], STALL_SECONDS / 4)
            assert not readable
            sock.sendall(bytes([byte]))
        assert Arrived.of(read_answer(sock, "POST")).body == sent


def test_ten_thousand_idle_connections_hold_nobody_up(gateway: Gateway) -> None:
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
def test_whatever_is_sent_is_answered_or_refused(gateway: Gateway, noise: bytes) -> None:
    with gateway.connection(timeout=20) as sock:
        sock.sendall(noise)
        sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(HTTPException, ConnectionError):
            assert read_answer(sock, "GET").status < 500 or b"/_proxy" not in noise
