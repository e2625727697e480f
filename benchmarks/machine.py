"""The machine and the versions that were measured."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from playwright.sync_api import sync_playwright
from support.browser import find_chromium
from support.engine import PATH

PACKAGES = (
    *("labelstudio-proxy", "label-studio", "jupyter-server-proxy", "jupyter_server"),
    *("jupyterlab", "tornado", "aiohttp", "gunicorn"),
)


def machine() -> dict[str, str]:
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    assert memory
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{int(memory[1]) / 1024**2:.1f} GB",
        "system": f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}",
        "load before the run": f"{os.getloadavg()[0]:.2f}",
    }


def versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    found |= {name: version(name) for name in PACKAGES}
    for name, *command in (
        ("dockerd", "dockerd", "--version"),
        ("nginx", "nginx", "-v"),
        ("wrk", "wrk", "-v"),
    ):
        found[name] = _says(command)
    with sync_playwright() as playwright:
        chromium = find_chromium(playwright)
    found["Chromium"] = _says([chromium, "--version"]) if chromium else "not installed"
    return found


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def _says(command: list[str]) -> str:
    """Return the version in the first line that a program prints."""
    if shutil.which(command[0], path=PATH) is None:
        return "not installed"
    done = subprocess.run(
        command,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PATH": PATH},
    )
    found = re.search(r"\d+(\.\d+)+", done.stdout)
    return found[0] if found else "unknown"
