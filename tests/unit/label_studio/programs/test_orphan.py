"""A container that no gateway contacts stops, shown without an engine."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from support.processes import clean_environment

from labelstudio_proxy.backends.docker.container_spec import (
    GATEWAY_HEADER,
    ORPHAN_VARIABLE,
    ORPHAN_WORDS,
)
from labelstudio_proxy.label_studio.programs import SERVER

HEADER = f"HTTP_{GATEWAY_HEADER.upper().replace('-', '_')}"  # as WSGI names it
SECONDS = 0.6

# Like gunicorn's arbiter with a worker, which gets requests.
PROGRAM = """
import os, sys, time
from labelstudio_server import end_without_gateway

arbiter = os.getpid()
if os.fork():
    time.sleep(60)
requests, header = float(sys.argv[1]), sys.argv[2]
respond = end_without_gateway(lambda environ, start_response: None)
until = time.monotonic() + requests
while time.monotonic() < until and os.getppid() == arbiter:
    respond({header: "1"}, None)
    time.sleep(0.05)
if os.getppid() == arbiter:
    print("requested", flush=True)
while os.getppid() == arbiter:
    time.sleep(0.05)
"""


def run(folder: Path, *, requests: float = 0, header: str = "") -> tuple[int, str]:
    """Run PROGRAM with requests for so many seconds; return its status and what it printed."""
    variables = {"PYTHONPATH": str(SERVER.parent), ORPHAN_VARIABLE: str(SECONDS)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(requests), header],
        env=clean_environment(folder) | variables,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=40,
    )
    return done.returncode, done.stdout


def test_a_container_without_a_gateway_stops(tmp_path: Path) -> None:
    status, printed = run(tmp_path)
    assert status == -signal.SIGTERM
    assert ORPHAN_WORDS in printed


def test_a_gateway_keeps_its_container_running(tmp_path: Path) -> None:
    status, printed = run(tmp_path, requests=4 * SECONDS, header=HEADER)
    assert status == -signal.SIGTERM
    assert printed.splitlines()[0] == "requested"


def test_other_requests_do_not_keep_it_running(tmp_path: Path) -> None:
    status, printed = run(tmp_path, requests=10 * SECONDS, header="HTTP_ACCEPT")
    assert status == -signal.SIGTERM
    assert "requested" not in printed
