"""A kernel whose environment has pandas and this package, without Label Studio and its SDK."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import media
from support.environments import install
from support.jupyter import JupyterLab, LabelStudioClient
from support.kernel import Kernel, add_kernel

FILES = ("a.png", "b.png", "c.png")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment after `pip install labelstudio-proxy pandas ipykernel`."""
    folder = tmp_path_factory.mktemp("kernel")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    install(folder, "pandas", "ipykernel", copy=os.symlink)
    return folder / "bin" / "python"


@pytest.fixture
def jupyter(jupyter_lab: Callable[..., JupyterLab], data_dir: Path, python: Path) -> JupyterLab:
    """JupyterLab with that kernel."""
    lab = jupyter_lab(config={"data_dir": str(data_dir)})
    add_kernel(lab, "other", python)
    (lab.root_dir / "food").mkdir()
    for number, name in enumerate(FILES):
        (lab.root_dir / "food" / name).write_bytes(media.png(colour=(80 * number, 0, 0)))
    return lab


@pytest.fixture
def kernel(jupyter: JupyterLab) -> Iterator[Kernel]:
    with Kernel(jupyter, name="other") as kernel:
        yield kernel


def test_labels_go_to_a_model_and_back(
    jupyter: JupyterLab,
    kernel: Kernel,
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
) -> None:
    kernel.run("from importlib.util import find_spec")
    names = ["label_studio", "label_studio_sdk", "jupyterlab", "sklearn", "PIL"]
    assert kernel.json(f"[name for name in {names} if find_spec(name)]") == []

    # Label Studio starts for it.
    kernel.run("import labelstudio_proxy as lsp")
    kernel.run("project = lsp.label('food', labels=['Hot dog', 'Not hot dog'])")
    assert kernel.json("[project.task, project.total]") == ["image-classification", len(FILES)]

    studio = label_studio_client(jupyter)
    tasks = studio.get("api/tasks", params={"project": kernel.json("project.id")}).json()["tasks"]
    interface = {"from_name": "label", "to_name": "image", "type": "choices"}
    result = [{**interface, "value": {"choices": ["Hot dog"]}}]
    first = min(task["id"] for task in tasks)
    assert studio.post(f"api/tasks/{first}/annotations", json={"result": result}).ok

    assert kernel.json("project.wait(labelled=1).labelled") == 1
    kernel.run("frame = project.to_dataframe()")
    labelled = [[str(jupyter.root_dir / "food" / "a.png"), "Hot dog"]]
    assert kernel.json("frame[['file', 'label']].values.tolist()") == labelled

    kernel.run(
        "frame = project.to_dataframe(unlabelled=True)\n"
        "others = frame[frame['label'].isna()][['file']].assign(label='Not hot dog', score=0.75)\n"
        "project.add_predictions(others, model_version='v1')"
    )
    sent = studio.get("api/predictions", params={"project": kernel.json("project.id")}).json()
    assert {each["task"] for each in sent} == {task["id"] for task in tasks} - {first}
    assert {(each["model_version"], each["score"]) for each in sent} == {("v1", 0.75)}

    kernel.run("project.export('imagefolder', 'labelled')")
    folder = jupyter.root_dir / "labelled"
    exported = [path.relative_to(folder).as_posix() for path in folder.rglob("*.png")]
    assert exported == ["Hot dog/a.png"]
