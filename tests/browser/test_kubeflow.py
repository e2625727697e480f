"""Jupyter as Kubeflow's images start it, for a user without an account: from the tile to labels on disk."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable

from playwright.sync_api import expect
from support import media, numbered_user
from support.browser import Tab
from support.documents import change, recipe
from support.jupyter import JupyterLab
from support.processes import wait_for

TIMEOUT = 60_000  # ms
NB_PREFIX = "/notebook/ada/labels"
READ_ONLY = (".cache", ".config", ".jupyter")


def arguments() -> list[str]:
    """Return those of the page's command, without the address and the folder, which differ here."""
    command = recipe("docs/hosts/kubeflow.md", "jupyter lab").replace("\\\n", " ")
    for differs in ("--ip=0.0.0.0", "--port=8888", '--notebook-dir="${HOME}"'):
        command = change(command, differs, "")
    program, *found = shlex.split(change(command, "${NB_PREFIX}", NB_PREFIX))
    assert [program, found[0]] == ["jupyter", "lab"]
    return found[1:]


@numbered_user.needed
def test_a_user_without_an_account_labels(
    jupyter_lab: Callable[..., JupyterLab], new_page: Callable[..., Tab]
) -> None:
    jupyter = jupyter_lab(
        base_url=f"{NB_PREFIX}/",
        token="",
        argv=arguments(),
        env={"NB_PREFIX": NB_PREFIX},
        launcher=numbered_user.launcher(READ_ONLY),
        new_cache=True,
    )
    lab, _ = new_page()
    lab.set_default_timeout(TIMEOUT)
    lab.goto(f"{jupyter.url}lab")
    with lab.expect_popup() as opened:
        lab.locator(".jp-LauncherCard", has_text="Label Studio").click()
    page = opened.value
    expect(page.get_by_role("button", name="Create Project").first).to_be_visible(
        timeout=3 * TIMEOUT
    )
    user = page.evaluate("fetch('/api/current-user/whoami').then((answer) => answer.json())")
    assert user["email"] == "jupyter@localhost"

    folder = jupyter.root_dir / "pictures"
    folder.mkdir()
    folder.chmod(0o2775)
    (folder / "1.png").write_bytes(media.png())
    lab.get_by_role("button", name="Refresh").first.click()
    lab.locator(".jp-DirListing-item").filter(has_text="pictures").click(button="right")
    lab.get_by_role("menuitem", name="Label with Label Studio…").click()
    dialog = lab.get_by_role("dialog")
    dialog.get_by_label("Labels", exact=True).fill("cat")
    dialog.get_by_label("Keep the labels").check()
    with lab.expect_popup() as opened:
        dialog.get_by_role("button", name="Label", exact=True).click()
    opened.value.get_by_role("checkbox", name="cat").first.click(timeout=TIMEOUT)
    opened.value.get_by_role("button", name="Submit").first.click()
    labels = folder / "labels.jsonl"
    wait_for(lambda: labels.exists() and labels.read_text(), what="the labels on disk", timeout=30)
    assert json.loads(labels.read_text())["label"] == "cat"

    data = jupyter.home / ".local" / "share" / "labelstudio-proxy"
    for made in (labels, data, data / "label_studio.sqlite3"):
        assert (made.stat().st_uid, made.stat().st_gid) == (numbered_user.UID, numbered_user.GID)
    assert not any((jupyter.home / ".cache").iterdir())
    # Without a token, a program may only read.
    assert jupyter.get("labelstudio/api/projects/").json()["count"] == 1
    assert jupyter.post("labelstudio/api/projects/", json={"title": "Dogs"}).status_code == 403
