"""A user without Label Studio installs it with the button of the start page, from the real index."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright
from support import network
from support.browser import find_chromium, launch, new_tab
from support.jupyter import JupyterLab
from support.package_index import without_label_studio

from labelstudio_proxy._version import LABEL_STUDIO_VERSION
from labelstudio_proxy.installation.folder import InstallFolder
from labelstudio_proxy.installation.install import installed_version
from labelstudio_proxy.installation.tools import find_uv

INSTALL_MS = 15 * 60 * 1000  # a slow index


@pytest.mark.timeout(1200)
def test_a_button_brings_label_studio(
    jupyter_lab: Callable[..., JupyterLab], tmp_path: Path
) -> None:
    """The user's pip has the machine's index; uv makes it fast where it is there."""
    python = without_label_studio(tmp_path / "notebook")
    if uv := find_uv():
        python.with_name("uv").symlink_to(uv)
    settings = ("PIP_", "UV_", "SSL_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
    cache = Path("~/.cache").expanduser()  # a second run on this machine downloads little
    environment = {
        "UV_CACHE_DIR": str(cache / "uv"),
        "PIP_CACHE_DIR": str(cache / "pip"),
        **{name: value for name, value in os.environ.items() if name.startswith(settings)},
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "DOCKER_HOST": f"unix://{tmp_path}/none.sock",
    }
    folder = tmp_path / "installation"
    # The network of the other tests in a browser leads to no index.
    with network.of_machine(), sync_playwright() as playwright:
        chromium = find_chromium(playwright)
        assert chromium is not None
        jupyter = jupyter_lab(
            python=python,
            config={"data_dir": str(tmp_path / "data"), "install_dir": str(folder)},
            env=environment,
        )
        with launch(playwright, chromium) as browser:
            page = new_tab(browser, f"{jupyter.url}login?token={jupyter.token}").page
            page.goto(f"{jupyter.url}labelstudio/")
            heading = page.get_by_role("heading", level=1)
            expect(heading).to_have_text("Label Studio is not installed", timeout=60_000)
            expect(page.locator("#remedy")).to_contain_text(str(folder))
            page.get_by_role("button", name="Install Label Studio").click()
            expect(heading).to_have_text("Installing Label Studio…", timeout=30_000)
            expect(page.get_by_role("button")).to_have_text(["Cancel"])
            current = page.locator("#steps [aria-current=step]")
            expect(current).to_contain_text("Download Label Studio", timeout=60_000)
            expect(page.locator("#log")).to_contain_text("label-studio", timeout=INSTALL_MS)
            # The page turns into Label Studio, and the user is logged in.
            create = page.get_by_role("button", name="Create Project").first
            expect(create).to_be_visible(timeout=INSTALL_MS)
    assert installed_version(InstallFolder(folder)) == LABEL_STUDIO_VERSION
