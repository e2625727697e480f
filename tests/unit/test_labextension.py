"""The JupyterLab extension, as it was built."""

from __future__ import annotations

import json
import re
from pathlib import Path

from labelstudio_proxy._version import __version__
from labelstudio_proxy.backends.docker.backend import DockerBackend
from labelstudio_proxy.backends.process.backend import ProcessBackend
from labelstudio_proxy.labelling.tasks import TASKS

CHECKOUT = Path(__file__).parents[2]
BUILT = CHECKOUT / "labelstudio_proxy" / "labextension"
PACKAGE = json.loads((BUILT / "package.json").read_text())


def test_its_version_is_that_of_the_package() -> None:
    assert PACKAGE["version"] == __version__


def test_it_has_at_most_60_kb_of_which_jupyterlab_loads_10_at_its_start() -> None:
    sizes = {path.name: path.stat().st_size for path in (BUILT / "static").glob("*.js")}
    (later,) = (name for name in sizes if name.startswith("studio."))
    assert sum(sizes.values()) <= 60_000
    assert len(sizes) > 1
    assert sum(sizes.values()) - sizes[later] <= 10_000


def test_it_bundles_no_package() -> None:
    licences = json.loads((BUILT / "static" / "third-party-licenses.json").read_text())
    assert licences["packages"] == []


def test_its_steps_have_the_titles_of_the_server() -> None:
    texts = (CHECKOUT / "labextension" / "src" / "words.ts").read_text()
    titles = texts.partition("function stepTitle")[2].partition("}")[2].partition("}")[0]
    steps = {("data", "Open the data directory"), *ProcessBackend.steps, *DockerBackend.steps}
    assert set(re.findall(r'(\w+): trans\.__\("([^"]+)"\)', titles)) == steps


def test_it_has_words_for_every_task() -> None:
    texts = (CHECKOUT / "labextension" / "src" / "task-texts.ts").read_text()
    assert set(re.findall(r'"([a-z-]+)": trans', texts)) == set(TASKS)
