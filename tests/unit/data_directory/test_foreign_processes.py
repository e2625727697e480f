"""Which command lines run Label Studio, and on which data directory."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from labelstudio_proxy.data_directory.foreign_processes import given_data_dir, is_label_studio


@pytest.mark.parametrize(
    "command",
    [
        "label-studio start",
        "/opt/ls/bin/python3.11 /opt/ls/bin/label-studio start --port 8080",
        "/opt/ls/bin/python /opt/ls/bin/label-studio",
        "python -u -m label_studio.server start",
        "python3 -m label_studio",
        "python /src/label_studio/manage.py runserver",
        "python /opt/bin/gunicorn -w 1 label_studio.core.wsgi:application",
        "'gunicorn: master [label_studio.core.wsgi:application]'",
        "uwsgi --module label_studio.core.wsgi",
        "/opt/ls/bin/python /x/labelstudio_proxy/label_studio/programs/labelstudio_server.py serve /s",
    ],
)
def test_these_run_label_studio(command: str) -> None:
    assert is_label_studio(shlex.split(command))


@pytest.mark.parametrize(
    "command",
    [
        "",
        "bash",
        "vim label_studio.sqlite3",
        "sqlite3 /data/label_studio.sqlite3",
        "tail -f label-studio",
        "python -m pip install label-studio",
        "python /usr/bin/pip install label-studio",
        "python -m labelstudio_proxy backup",
        "python -m labelstudio_proxy serve --unix-socket /tmp/gateway.sock",
        "python -c 'import label_studio_sdk'",
        "gunicorn shop.wsgi",
    ],
)
def test_these_do_not(command: str) -> None:
    assert not is_label_studio(shlex.split(command))


@pytest.mark.parametrize(
    ("command", "environment", "expected"),
    [
        ("label-studio start", {"HOME": "/home/ada"}, "/home/ada/.local/share/label-studio"),
        ("label-studio", {"HOME": "/h", "XDG_DATA_HOME": "/d"}, "/d/label-studio"),
        ("label-studio start --data-dir /data", {}, "/data"),
        ("label-studio start --data-dir=data", {}, "data"),
        ("label-studio start --data-dir", {"HOME": "/h"}, "/h/.local/share/label-studio"),
        ("label-studio start", {"BASE_DATA_DIR": "/c", "HEARTEX_BASE_DATA_DIR": "/b"}, "/b"),
        ("label-studio --data-dir /a", {"HEARTEX_BASE_DATA_DIR": "/b"}, "/a"),
        ("label-studio --data-dir /a", {"LABEL_STUDIO_BASE_DATA_DIR": "/e"}, "/e"),
    ],
)
def test_the_data_directory_is_found_as_label_studio_finds_it(
    command: str, environment: dict[str, str], expected: str
) -> None:
    assert given_data_dir(shlex.split(command), environment) == Path(expected)
