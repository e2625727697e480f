"""Keep container engines and browsers apart: Chromium aborts requests when a network changes.

Each container that starts or stops adds or removes a network interface, and Chromium then fails
whatever its pages are loading with ERR_NETWORK_CHANGED, even on the loopback. No option of
Chromium's prevents that. So a test with an engine runs at no time when a test in a browser does, in
any worker or test run on this machine.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import groups

LOCK = Path(tempfile.gettempdir(), f"labelstudio-proxy-tests-network-{os.getuid()}")


@contextlib.contextmanager
def turn_of(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Wait until no test on this machine disturbs this one, and keep such tests waiting."""
    # a worker's last test also stops the engine
    if groups.group_of(item) == groups.ENGINE_GROUP or nextitem is None:
        kind = fcntl.LOCK_EX
    elif "chromium" in getattr(item, "fixturenames", ()):
        kind = fcntl.LOCK_SH
    else:
        yield
        return
    with LOCK.open("w") as lock:
        fcntl.flock(lock, kind)
        yield
