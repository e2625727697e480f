"""`labelstudio-proxy prepare` without a container engine: refused, interrupted, for a process."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socketserver
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import environments
from support.label_studio import EXECUTABLE
from support.package_index import PackageIndex, without_label_studio
from support.processes import clean_environment

from labelstudio_proxy._version import LABEL_STUDIO_VERSION

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
def test_for_a_process_it_compiles_label_studio_and_compresses_its_scripts(tmp_path: Path) -> None:
    venv.create(tmp_path / "environment", symlinks=True)
    environments.install(tmp_path / "environment", "label-studio", copy=os.symlink)
    (site,) = (tmp_path / "environment").glob("lib/python3*/site-packages")
    byte_code = site / "label_studio" / "core" / "__pycache__"
    shutil.rmtree(byte_code)
    scripts = sorted((site / "web" / "dist").rglob("*.js"), key=lambda each: each.stat().st_size)
    for script in scripts:  # all of them take ten seconds
        if script.stat().st_size > 300_000:
            script.unlink()

    def prepare() -> str:
        done = subprocess.run(
            [tmp_path / "environment" / "bin" / "python", "-m", "labelstudio_proxy", "prepare"],
            env=clean_environment(tmp_path) | {"LABELSTUDIO_PROXY_BACKEND": "process"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    ready = r"Label Studio \d[\w.]* is ready, with its byte code and compressed scripts\.\n"
    assert re.fullmatch(ready, prepare())
    made = {each: each.stat().st_ino for each in (site / "web" / "dist-compressed").iterdir()}
    assert 1 <= len(made) < len(scripts)
    assert list(byte_code.glob("wsgi.*.pyc"))
    assert byte_code.stat().st_mode & 0o055 == 0o055  # also for other users
    assert list((tmp_path / ".config").iterdir()) == []
    assert re.fullmatch(ready, prepare())
    assert {each: each.stat().st_ino for each in made} == made


def test_it_installs_label_studio_where_neither_one_nor_an_engine_is_here(tmp_path: Path) -> None:
    index = PackageIndex(tmp_path / "index")
    index.add(LABEL_STUDIO_VERSION)
    python = without_label_studio(tmp_path / "notebook")
    nothing = {"DOCKER_HOST": f"unix://{tmp_path}/no.sock", "PATH": str(tmp_path)}
    done = subprocess.run(
        [python, "-m", "labelstudio_proxy", "prepare"],
        env=clean_environment(tmp_path / "home") | index.environment | nothing,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    ready = "is ready, with its byte code and compressed scripts.\n"
    assert done.stdout == f"Label Studio {LABEL_STUDIO_VERSION} {ready}", done.stderr
    (scripts,) = (tmp_path / "home").rglob("current/lib/python3*/site-packages/web/dist-compressed")
    assert len(list(scripts.iterdir())) == 1
