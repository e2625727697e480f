"""`labelstudio-proxy prepare` without a container engine: refused, interrupted, for a process."""

from __future__ import annotations

import re
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.label_studio import EXECUTABLE
from support.processes import clean_environment

PREPARE = [sys.executable, "-m", "labelstudio_proxy", "prepare"]
IMAGE = "registry.example/x:1"


class Engine(socketserver.ThreadingUnixStreamServer):
    """Has no image, and responds to a pull with `refusal`; without one, it never responds."""

    daemon_threads = True
    refusal = ""

    def __init__(self, address: Path) -> None:
        self.address = f"unix://{address}"
        self.pulling = threading.Event()
        self.closed = threading.Event()
        super().__init__(str(address), Handler)


class Handler(socketserver.StreamRequestHandler):
    server: Engine

    def handle(self) -> None:
        request = self.rfile.readline()
        status, body = "200 OK", '{"Version": "27.0", "ApiVersion": "1.41"}'
        if b"/images/create" in request:
            self.server.pulling.set()
            if not self.server.refusal:
                self.server.closed.wait(60)
                return
            status, body = "403 Forbidden", f'{{"message": "{self.server.refusal}"}}'
        elif b"/images/" in request:
            status, body = "404 Not Found", '{"message": "no such image"}'
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self.wfile.write((head + body).encode())


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "engine.sock") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.closed.set()
            server.shutdown()
            thread.join()


def settings_for(engine: Engine, home: Path) -> dict[str, str]:
    return clean_environment(home) | {
        "DOCKER_HOST": engine.address,
        "LABELSTUDIO_PROXY_BACKEND": "docker",
        "LABELSTUDIO_PROXY_IMAGE": IMAGE,
    }


def test_what_an_engine_refuses_is_shown(engine: Engine, tmp_path: Path) -> None:
    """For example one behind a proxy that allows few requests."""
    engine.refusal = "not allowed here"
    done = subprocess.run(
        PREPARE,
        env=settings_for(engine, tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"{IMAGE} could not be downloaded" in done.stderr
    assert "not allowed here" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_can_be_interrupted_while_the_engine_hangs(
    engine: Engine, tmp_path: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        PREPARE,
        env=settings_for(engine, tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            assert engine.pulling.wait(60)
            process.send_signal(number)
            printed, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 128 + number, printed
    assert "Traceback" not in printed


@pytest.mark.skipif(not EXECUTABLE.exists(), reason="Label Studio is not installed")
def test_for_a_process_it_says_which_label_studio_is_installed(tmp_path: Path) -> None:
    done = subprocess.run(
        PREPARE,
        env=clean_environment(tmp_path)
        | {
            "LABELSTUDIO_PROXY_BACKEND": "process",
            "LABELSTUDIO_PROXY_LABEL_STUDIO": str(EXECUTABLE),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert re.fullmatch(r"Label Studio \d[\w.]* is installed\.\n", done.stdout), done.stderr
