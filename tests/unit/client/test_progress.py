"""The progress of a long call on a terminal."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import termios

# Shows at once, and every time.
CODE = """
from labelstudio_proxy.client import progress
progress.PATIENCE_SECONDS = progress.UPDATE_SECONDS = 0
try:
    with progress.progress() as show:
        show(0, 0, "Looking at the files")
        show(1, 4, "Adding items " + "x" * 100)
        raise KeyboardInterrupt
except KeyboardInterrupt:
    pass
"""


def test_a_bar_fits_the_terminal_and_is_removed_also_after_an_interrupt() -> None:
    leader, follower = os.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 70, 0, 0))
    try:
        subprocess.run([sys.executable, "-c", CODE], stderr=follower, timeout=60, check=True)
        shown = os.read(leader, 65536).decode()
    finally:
        os.close(leader)
        os.close(follower)
    _, looking, adding, end = shown.split("\r\x1b[K")
    assert looking == "Looking at the files"
    assert adding.startswith("Adding items xxx")
    assert adding.endswith("x  [########----------------------]   25%")
    assert len(adding) == 69
    assert end == ""


def test_without_a_terminal_nothing_is_shown() -> None:
    command = [sys.executable, "-c", CODE]
    assert subprocess.run(command, capture_output=True, timeout=60, check=True).stderr == b""
