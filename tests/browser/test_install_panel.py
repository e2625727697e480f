"""A user without Label Studio installs it with the button of JupyterLab's panel, from a folder."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect
from support.browser import Tab
from support.jupyter import JupyterLab
from support.package_index import HangingBuild, PackageIndex, without_label_studio

from labelstudio_proxy._version import LABEL_STUDIO_VERSION
from labelstudio_proxy.installation.folder import InstallFolder

STEP_MS = 60_000


def test_the_panel_installs_label_studio(
    jupyter_lab: Callable[..., JupyterLab], new_page: Callable[..., Tab], tmp_path: Path
) -> None:
    index = PackageIndex(tmp_path / "index")
    index.add(LABEL_STUDIO_VERSION, "hangs")
    hanging = HangingBuild(index, tmp_path / "building")
    folder = InstallFolder(tmp_path / "installation")
    python = without_label_studio(tmp_path / "notebook")
    jupyter = jupyter_lab(
        python=python,
        config={"data_dir": str(tmp_path / "data"), "install_dir": str(folder.path)},
        env={
            **index.environment,
            "PATH": f"{python.parent}:/usr/bin:/bin",
            "DOCKER_HOST": f"unix://{tmp_path}/none.sock",
        },
    )
    page = new_page(jupyter).page
    page.set_default_timeout(STEP_MS)
    expect.set_options(timeout=STEP_MS)
    page.goto(f"{jupyter.url}lab")
    page.locator(".jp-LabelStudioStatus button").click()
    panel = page.get_by_role("region", name="Label Studio", exact=True)
    heading = panel.get_by_role("heading", level=2)
    buttons = panel.locator(".jp-LabelStudioPanel-buttons > *")
    panel.get_by_role("button", name="Start", exact=True).click()
    expect(heading).to_have_text("Label Studio is not installed")
    expect(panel).to_contain_text(str(folder.path))
    expect(buttons).to_have_text(["Install Label Studio", "Try again", "Copy diagnostics", "Log"])

    buttons.first.click()
    expect(heading).to_have_text("Installing Label Studio…")
    expect(page.locator(".jp-LabelStudioStatus")).to_contain_text("installing")
    expect(panel.locator("[aria-current=step]")).to_have_text(
        re.compile("Download Label Studio and its packages")
    )
    hanging.wait()
    expect(buttons).to_have_text(["Cancel", "Log"])
    buttons.first.click()
    expect(panel).to_contain_text("The installation was cancelled.")
    assert folder.environments() == []

    index.add(LABEL_STUDIO_VERSION)
    expect(buttons).to_have_text(["Try again", "Copy diagnostics", "Log"])
    buttons.first.click()
    expect(heading).to_have_text("Label Studio is ready")
    expect(buttons.first).to_have_text("Open")
    assert folder.has_label_studio
