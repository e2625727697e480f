"""The JupyterLab extension, as it was built."""

from __future__ import annotations

import json
import re
from pathlib import Path

from labelstudio_proxy._version import __version__
from labelstudio_proxy.labelling.tasks import TASKS

CHECKOUT = Path(__file__).parents[2]
BUILT = CHECKOUT / "labelstudio_proxy" / "labextension"
PACKAGE = json.loads((BUILT / "package.json").read_text())
SHARED = PACKAGE["jupyterlab"]["sharedPackages"]


def test_its_version_is_that_of_the_package() -> None:
    assert PACKAGE["version"] == __version__


def test_what_jupyterlab_loads_has_at_most_60_kb() -> None:
    """The dialog is loaded when it opens for the first time."""
    sizes = {path.name: path.stat().st_size for path in (BUILT / "static").glob("*.js")}
    (dialog,) = (name for name in sizes if name.startswith("label-dialog."))
    assert sizes.pop(dialog) <= 20_000
    assert len(sizes) > 1
    assert sum(sizes.values()) <= 60_000


def test_it_takes_packages_of_jupyterlab_from_4_0_on() -> None:
    """Other versions than JupyterLab's own would be a warning in the browser, or a second copy."""
    (entry,) = (BUILT / "static").glob("remoteEntry.*.js")
    wanted = dict(
        re.findall(r'shareKey:"([^"]+)",import:null,requiredVersion:"([^"]+)"', entry.read_text())
    )
    assert wanted["@jupyterlab/apputils"] == "^4.0.0"
    assert wanted == {name: SHARED[name]["requiredVersion"] for name in wanted}


def test_it_bundles_no_package_but_the_loaders_of_its_style() -> None:
    licences = json.loads((BUILT / "static" / "third-party-licenses.json").read_text())
    bundled = {package["name"] for package in licences["packages"]}
    assert bundled == {"css-loader", "style-loader"}


def test_it_has_words_for_every_task() -> None:
    texts = (CHECKOUT / "labextension" / "src" / "task-texts.ts").read_text()
    assert set(re.findall(r'"([a-z-]+)": trans', texts)) == set(TASKS)
