"""A container that no gateway contacts stops, shown without an engine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import clean_environment

from labelstudio_proxy.backends.docker.container_spec import (
    GATEWAY_HEADER,
    ORPHAN_VARIABLE,
    ORPHAN_WORDS,
)
from labelstudio_proxy.label_studio.programs import MODULES

# Label Studio brings it; `make test-fast` does not install Label Studio.
pytest.importorskip("django")

HEADER = f"HTTP_{GATEWAY_HEADER.upper().replace('-', '_')}"  # as WSGI names it
SECONDS = 0.6

# The part of Label Studio's own settings that ours build upon.
LABEL_STUDIO = """
DATABASES = {"default": {"ENGINE": "other"}}
LOGGING = {"loggers": {}}
BASE_DATA_DIR = "/nowhere"
MIDDLEWARE = []
get_env = dict().get
"""
# Like `label-studio start`: loads the settings, migrates, imports its server.
PROGRAM = """
import sys, time
import labelstudio_settings
from django.core.signals import request_started

migrates, requests, header = float(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
time.sleep(migrates)
print("served", flush=True)
import core.wsgi
until = time.monotonic() + requests
while time.monotonic() < until:
    request_started.send(sender=object, environ={header: "1"})
    time.sleep(0.05)
print("requested", flush=True)
time.sleep(60)
"""


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """The volume of a container, with the needed part of Label Studio."""
    package = tmp_path / "core" / "settings"
    package.mkdir(parents=True)
    (package / "label_studio.py").write_text(LABEL_STUDIO)
    (tmp_path / "core" / "wsgi.py").write_text("")
    for program in MODULES:
        shutil.copy(program, tmp_path)
    (tmp_path / "environment.json").write_text(json.dumps({ORPHAN_VARIABLE: str(SECONDS)}))
    return tmp_path


def run(
    volume: Path, *, migrates: float = 0, requests: float = 0, header: str = ""
) -> tuple[int, str]:
    """Run PROGRAM; `migrates` and `requests`: for how many seconds."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(migrates), str(requests), header],
        env=clean_environment(volume) | {"PYTHONPATH": os.fspath(volume)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=40,
    )
    return done.returncode, done.stdout


def test_a_container_without_a_gateway_stops(volume: Path) -> None:
    status, printed = run(volume)
    assert status == -signal.SIGTERM
    assert ORPHAN_WORDS in printed


def test_a_gateway_keeps_its_container_running(volume: Path) -> None:
    status, printed = run(volume, requests=4 * SECONDS, header=HEADER)
    assert status == -signal.SIGTERM
    assert printed.splitlines()[1] == "requested"


def test_other_requests_do_not_keep_it_running(volume: Path) -> None:
    status, printed = run(volume, requests=10 * SECONDS, header="HTTP_ACCEPT")
    assert status == -signal.SIGTERM
    assert "requested" not in printed


def test_a_migration_is_not_interrupted(volume: Path) -> None:
    """No gateway can contact Label Studio meanwhile."""
    status, printed = run(volume, migrates=3 * SECONDS)
    assert status == -signal.SIGTERM
    assert printed.splitlines()[0] == "served"
