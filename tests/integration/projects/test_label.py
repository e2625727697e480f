"""`lsp.label` in a real kernel: projects over folders, lists and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import media
from support.jupyter import JupyterLab, LabelStudioClient
from support.kernel import CellError, Kernel

PICTURE = media.png(8, 8, (200, 90, 0))


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    return module_jupyter_lab(base_url="/user/ada/", config={"data_dir": str(new_data_dir())})


@pytest.fixture(scope="module")
def kernel(jupyter: JupyterLab) -> Iterator[Kernel]:
    with Kernel(jupyter) as kernel:
        kernel.run("import labelstudio_proxy as lsp")
        yield kernel


def pictures(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(PICTURE)


def test_a_folder_becomes_a_project_that_grows_with_it(
    jupyter: JupyterLab, kernel: Kernel, studio: LabelStudioClient
) -> None:
    folder = jupyter.root_dir / "hotdogs"
    pictures(folder, "a.png", "b.png", "100% #1 & 'é'.png")
    kernel.run('project = lsp.label("hotdogs/", labels=["Hot dog", "Not hot dog"])')
    assert kernel.json("[project.title, project.task, project.total, project.labelled]") == [
        "hotdogs",
        "image-classification",
        3,
        0,
    ]
    number = kernel.json("project.id")
    assert kernel.json("project.url") == f"{jupyter.prefix}projects/{number}/data?labeling=1"
    tasks = studio.get("api/tasks", params={"project": number}).json()["tasks"]
    for task in tasks:
        assert studio.get(task["data"]["image"].lstrip("/")).content == PICTURE

    pictures(folder, "c.png")
    kernel.run('again = lsp.label("hotdogs", labels=["Hot dog", "Not hot dog"])')
    assert kernel.json("[again.id, again.total]") == [number, 4]
    kernel.run('found = lsp.project("hotdogs")')
    assert kernel.json("[found.id, lsp.project(found.id).title]") == [number, "hotdogs"]


def test_errors_say_what_to_do(kernel: Kernel) -> None:
    with pytest.raises(CellError) as caught:
        kernel.run('lsp.project("no such project")')
    assert caught.value.name == "Problem"
