"""What a user sees while the gateway cannot start, and after that."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect
from support.browser import Tab
from support.jupyter import JupyterLab

# Python runs this when it starts. It delays the gateway while there is a file `slow`, and ends it if
# there is a file `broken`.
SITECUSTOMIZE = """
import os, sys, time
if "serve" in sys.orig_argv:
    while os.path.exists({slow!r}):
        time.sleep(0.05)
    if os.path.exists({broken!r}):
        os.write(2, b"Traceback\\nImportError: no <module> named x\\n")
        os._exit(1)
"""


def test_page_shows_what_keeps_the_gateway_from_starting(
    jupyter_lab: Callable[..., JupyterLab], new_page: Callable[..., Tab], tmp_path: Path
) -> None:
    """With a temporary folder whose path is too long for a socket."""
    slow, broken = tmp_path / "slow", tmp_path / "broken"
    text = SITECUSTOMIZE.format(slow=str(slow), broken=str(broken))
    (tmp_path / "sitecustomize.py").write_text(text)
    temporary = tmp_path / ("x" * (200 - len(str(tmp_path)) - 1))
    temporary.mkdir()
    jupyter = jupyter_lab(
        config={"label_studio": str(tmp_path / "none"), "data_dir": str(tmp_path / "data")},
        env={"PYTHONPATH": str(tmp_path), "TMPDIR": str(temporary)},
    )
    page = new_page(jupyter).page

    slow.touch()
    page.goto(f"{jupyter.url}labelstudio/projects/?page=2")
    expect(page.get_by_role("heading", level=1)).to_have_text("Label Studio is starting")
    expect(page.get_by_text("appears here when it is ready")).to_be_visible()
    expect(page.locator("main")).to_have_css("border-radius", "12px")  # the style is allowed

    broken.touch()
    slow.unlink()
    heading = page.get_by_role("heading", name="Label Studio's gateway could not be started")
    expect(heading).to_be_visible(timeout=60_000)
    expect(page.get_by_text("ImportError: no <module> named x")).to_be_visible()
    program = jupyter.get("labelstudio/api/projects/")
    assert program.status_code == 503
    assert program.json()["why"] == "ImportError: no <module> named x"

    start = jupyter.post("api/labelstudio/start")
    assert start.status_code == 503
    assert start.json()["why"] == "ImportError: no <module> named x"

    # Meanwhile a program that cleans up removes the folder of the gateway's socket.
    (folder,) = (jupyter.home / "run" / "jupyter").glob("labelstudio-proxy-????????")
    shutil.rmtree(folder)
    broken.unlink()
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_text("There is no Label Studio at")).to_be_visible(timeout=60_000)
    assert page.url == f"{jupyter.url}labelstudio/projects/?page=2"

    # It ends and cannot start again.
    broken.touch()
    os.kill(jupyter.gateway_pid, signal.SIGKILL)
    page.reload()
    expect(heading).to_be_visible(timeout=60_000)
    expect(page.get_by_text("ImportError: no <module> named x")).to_be_visible()
