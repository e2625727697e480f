"""The folder binder/, and Jupyter as BinderHub starts it: from Binder's link to a submitted label."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support import environments
from support.browser import Tab
from support.documents import CHECKOUT, recipe
from support.jupyter import JupyterLab, LabelStudioClient
from support.labelling import choose, submit
from support.processes import clean_environment

TIMEOUT = 60_000  # ms
NAME = "owner-repo-x8f3a"
LAUNCHED = "https://mybinder.org/v2/gh/owner/repo/HEAD"
# What pip makes of the package's entry point.
PROGRAM = """\
#!{python}
from labelstudio_proxy.cli.main import main
main()
"""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment with the packages of Binder's image, all links, after `postBuild`."""
    folder = tmp_path / "environment"
    venv.create(folder, symlinks=True)
    packages = ("label-studio", "jupyterlab", "notebook", "pandas", "pillow", "scikit-learn")
    environments.install(folder, *packages, copy=os.symlink)
    program = folder / "bin" / "labelstudio-proxy"
    program.unlink(missing_ok=True)
    program.write_text(PROGRAM.format(python=folder / "bin" / "python"))
    program.chmod(0o755)
    home = tmp_path / "home"
    env = clean_environment(home)
    env["PATH"] = f"{folder / 'bin'}{os.pathsep}{env['PATH']}"
    run = partial(subprocess.run, env=env, check=True, capture_output=True, text=True)
    # Everything that it names is here.
    requirements = ("--requirement", CHECKOUT / "binder" / "requirements.txt")
    run([sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", *requirements], cwd="/")
    done = run([CHECKOUT / "binder" / "postBuild"], cwd=home)
    assert "with its byte code and compressed scripts" in done.stdout
    return folder


def test_a_link_leads_to_label_studio(
    environment: Path,
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    new_page: Callable[..., Tab],
) -> None:
    base_url = f"/user/{NAME}/"
    jupyter = jupyter_lab(
        program="notebook",
        python=environment / "bin" / "python",
        base_url=base_url,
        new_cache=True,
        # As BinderHub's BinderSpawnerMixin, with mybinder.org's `cors_allow_origin`
        argv=[
            "--ServerApp.trust_xheaders=True",
            "--ServerApp.allow_origin=*",
            "--ServerApp.allow_origin_pat=.*",
        ],
        env={"JUPYTERHUB_USER": NAME, "JUPYTERHUB_SERVICE_PREFIX": base_url},
    )
    page, _ = new_page()
    # Binder's page waits for the server, and goes there without a click.
    server = f"{jupyter.url}labelstudio/?token={jupyter.token}"
    launched = f"<script>location.href = {server!r}</script>"
    page.route(
        f"{LAUNCHED}?**", lambda route: route.fulfill(body=launched, content_type="text/html")
    )
    page.goto(recipe("docs/hosts/binder.md", f"{LAUNCHED}?urlpath=labelstudio/").strip())
    expect(page.get_by_role("heading", name="Label Studio is not running")).to_be_visible(
        timeout=TIMEOUT
    )
    assert jupyter.token not in page.url
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("button", name="Create Project").first).to_be_visible(
        timeout=3 * TIMEOUT
    )
    client = label_studio_client(jupyter)
    assert client.get("api/current-user/whoami").json()["email"] == f"{NAME}@localhost"
    submit(page, client, choose(page, jupyter, client))
