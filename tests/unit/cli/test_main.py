"""The command line of backups, and what needs no gateway."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import termios
import zipfile
from pathlib import Path

import pytest
from support.processes import clean_environment


def run(*arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "labelstudio_proxy", *map(str, arguments)],
        env=dict(os.environ) | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_backup_without_the_labels_needs_an_option(source: Path, tmp_path: Path) -> None:
    env = {"LABELSTUDIO_PROXY_ENVIRONMENT": '{"DJANGO_DB": "default"}'}
    output = tmp_path / "a.zip"
    command = ("backup", "--data-dir", source, "--output", output)
    done = run(*command, **env)
    assert done.returncode == 1
    assert "would be without the labels" in done.stderr
    assert not output.exists()
    done = run(*command, "--without-database", **env)
    assert done.returncode == 0, done.stderr
    assert "The database is NOT in the backup" in done.stdout
    with zipfile.ZipFile(output) as packed:
        assert ".env" in packed.namelist()
        assert "label_studio.sqlite3" not in packed.namelist()


def test_backup_shows_its_progress_on_a_terminal(source: Path, tmp_path: Path) -> None:
    leader, follower = os.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    try:
        subprocess.run(
            [
                *(sys.executable, "-m", "labelstudio_proxy", "backup"),
                *("--data-dir", source, "--output", tmp_path / "a.zip"),
            ],
            env=clean_environment(tmp_path / "home") | {"TERM": "xterm"},
            stderr=follower,
            stdout=subprocess.DEVNULL,
            timeout=60,
            check=True,
        )
        os.set_blocking(leader, False)
        assert b"%|" in os.read(leader, 65536)
    finally:
        os.close(leader)
        os.close(follower)


@pytest.mark.parametrize("command", ["backup", "prepare"])
def test_wrong_setting_fails_a_command_with_one_line(command: str) -> None:
    done = run(command, LABELSTUDIO_PROXY_DATA_DIR="~no-such-user-here")
    assert done.returncode == 1
    assert done.stderr.startswith("labelstudio-proxy: `data_dir` must be the path of a folder")
    assert done.stderr.count("\n") == 1
