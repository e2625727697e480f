"""Warnings about the place of the data directory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.gateway import Gateway, add_account
from support.label_studio import new_data_dir
from support.processes import clean_environment

MEMORY = Path("/dev/shm")


@pytest.fixture
def folder_in_memory() -> Iterator[Path]:
    """A new folder on a file system in memory, which Linux mounts everywhere."""
    if not MEMORY.is_dir():
        pytest.skip("/dev/shm is Linux's")
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)


def test_log_and_status_warn_about_a_data_directory_in_memory(folder_in_memory: Path) -> None:
    data_dir = new_data_dir(folder_in_memory / "data")
    add_account(data_dir, "ada@localhost")
    gateway = Gateway(data_dir)
    try:
        gateway.start()
        warning = f"The data directory {data_dir} is in memory (tmpfs)"
        assert warning in gateway.process.log.read_text()
        status = subprocess.run(
            [sys.executable, "-m", "labelstudio_proxy", "status"],
            env=clean_environment(gateway.home),
            check=True,
            capture_output=True,
            text=True,
        )
        assert warning in status.stdout
    finally:
        gateway.stop()
