"""Logs and screenshots of failed tests, kept in `test-results/`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "test-results"

failed = pytest.StashKey[bool]()


def has_failed(request: pytest.FixtureRequest) -> bool:
    """Return True if a test in the fixture's scope failed."""
    node: pytest.Item | pytest.Collector = request.node
    return node.stash.get(failed, False)


def stem(request: pytest.FixtureRequest) -> str:
    """Return the test's name as part of a file name, shortened at its beginning."""
    return re.sub(r"[^\w.-]+", "-", request.node.nodeid)[-150:].strip("-")


def keep_log(request: pytest.FixtureRequest, log: Path) -> None:
    """Copy a log into `test-results/` if a test in the fixture's scope failed."""
    if has_failed(request) and log.exists():
        FOLDER.mkdir(exist_ok=True)
        shutil.copy(log, FOLDER / f"{stem(request)}-{log.name}")
