"""When a container ends because no gateway shows itself, without an engine."""

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

from labelstudio_proxy.backends.docker.container_spec import ORPHAN_VARIABLE, SETTINGS, gateway_sign

KEY = "key-" + "3f1a" * 8
SECONDS = 0.6

# What Label Studio's own settings have that ours build upon.
LABEL_STUDIO = f"""
SECRET_KEY = {KEY!r}
DATABASES = {{"default": {{"ENGINE": "other"}}}}
LOGGING = {{"loggers": {{}}}}
"""
# Does what `label-studio start` does: loads the settings, migrates, imports what it serves with.
PROGRAM = """
import sys, time
import labelstudio_settings
from django.core.signals import request_started

migrates, asks, header = float(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
time.sleep(migrates)
print("served", flush=True)
import core.wsgi
until = time.monotonic() + asks
while time.monotonic() < until:
    request_started.send(sender=object, environ={"HTTP_X_LABELSTUDIO_PROXY": header})
    time.sleep(0.05)
print("asked", flush=True)
time.sleep(60)
"""


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """What a container has of ours, with as much of Label Studio as is needed."""
    package = tmp_path / "core" / "settings"
    package.mkdir(parents=True)
    (package / "label_studio.py").write_text(LABEL_STUDIO)
    (tmp_path / "core" / "wsgi.py").write_text("")
    shutil.copy(SETTINGS, tmp_path)
    (tmp_path / "environment.json").write_text(json.dumps({ORPHAN_VARIABLE: str(SECONDS)}))
    return tmp_path


def run(volume: Path, *, migrates: float = 0, asks: float = 0, sign: str = "") -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(migrates), str(asks), sign],
        env=clean_environment(volume) | {"PYTHONPATH": os.fspath(volume)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=40,
    )
    return done.returncode, done.stdout


def test_it_ends_when_no_gateway_shows_itself(volume: Path) -> None:
    status, printed = run(volume)
    assert status == -signal.SIGTERM
    assert "no gateway has shown itself" in printed


def test_it_goes_on_as_long_as_one_does(volume: Path) -> None:
    status, printed = run(volume, asks=4 * SECONDS, sign=gateway_sign(KEY))
    assert status == -signal.SIGTERM
    assert printed.splitlines()[1] == "asked"


@pytest.mark.parametrize("sign", ["", "here", "é", gateway_sign(KEY[::-1])])
def test_a_stranger_does_not_keep_it(volume: Path, sign: str) -> None:
    status, printed = run(volume, asks=10 * SECONDS, sign=sign)
    assert status == -signal.SIGTERM
    assert "asked" not in printed


def test_what_is_being_migrated_is_not_interrupted(volume: Path) -> None:
    """The gateway can show itself to nobody meanwhile."""
    status, printed = run(volume, migrates=3 * SECONDS)
    assert status == -signal.SIGTERM
    assert printed.splitlines()[0] == "served"
