"""The browser of the machine that this process runs on, if it has one."""

from __future__ import annotations

import os
import re
import sys

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


def without_token(address: str) -> str:
    """Return an address for logs and other programs."""
    return re.sub(r"[?&]token=[^&]*$", "", address)


def open_in_browser(address: str) -> None:
    """Open an address if there is a screen; a terminal on a server has none."""
    import webbrowser

    if sys.platform == "darwin" or any(os.environ.get(name) for name in SCREENS):
        # Every user can read a browser's command line.
        webbrowser.open(without_token(address))
