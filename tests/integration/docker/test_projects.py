"""From a folder to labels and back in a real kernel, with Label Studio in a container."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support import media
from support.containers import on
from support.engine import DockerEngine
from support.jupyter import JupyterLab, LabelStudioClient
from support.kernel import CellError, Kernel
from support.processes import wait_for

PICTURE = media.png()
CHOICE = {
    "from_name": "label",
    "to_name": "image",
    "type": "choices",
    "value": {"choices": ["Cat"]},
}
BOX = {**media.BOX, "to_name": "image"}
NAMES = ["1 %#.png", "2 é.png", "3.png"]


def pictures(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_bytes(PICTURE)


def test_the_whole_way_with_a_container(
    docker_engine: DockerEngine,
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path: Path,
) -> None:
    jupyter = jupyter_lab(**on(docker_engine, tmp_path / "data"))
    folder = jupyter.root_dir / "pets"
    pictures(folder)
    pictures(jupyter.home / "elsewhere")
    studio = label_studio_client(jupyter)

    with Kernel(jupyter) as kernel:
        kernel.run(
            "from pathlib import Path\n"
            "import labelstudio_proxy as lsp\n"
            'pets = lsp.label("pets", labels=["Cat", "Dog"], keep="labels.jsonl")\n'
            'boxes = lsp.label("pets", labels=["Box"], task="object-detection", title="Boxes")'
        )
        for call, result in (("pets", CHOICE), ("boxes", BOX)):
            number = kernel.json(f"{call}.id")
            tasks = studio.get("api/tasks", params={"project": number}).json()["tasks"]
            for task in tasks:
                assert studio.get(task["data"]["image"].lstrip("/")).content == PICTURE
                made = studio.post(
                    f"api/tasks/{task['id']}/annotations/", json={"result": [result]}
                )
                assert made.status_code == 201, made.text

        kernel.run("frame = pets.to_dataframe()")
        assert kernel.json("[Path(file).read_bytes().hex() for file in frame.file]") == [
            PICTURE.hex()
        ] * len(NAMES)
        assert kernel.json("sorted(set(frame.label))") == ["Cat"]
        assert kernel.json('pets.add_predictions(frame.assign(label="Dog"), "v1")') == len(NAMES)
        assert kernel.json("boxes.to_dataframe().x_max.tolist()") == [pytest.approx(25.6)] * len(
            NAMES
        )

        for call, format, files in (
            ("boxes", "COCO", len(NAMES)),
            ("boxes", "YOLO", len(NAMES)),
            ("pets", "imagefolder", len(NAMES)),
        ):
            made_at = Path(kernel.json(f'str({call}.export("{format}", "{format}"))'))
            assert made_at == jupyter.root_dir / format
            found = list(made_at.rglob("*.png"))
            assert [file.read_bytes() for file in found] == [PICTURE] * files

        def kept() -> bool:
            file = folder / "labels.jsonl"
            lines = file.read_text().splitlines() if file.exists() else []
            return [json.loads(line)["file"] for line in lines] == NAMES

        wait_for(kept, what="the kept labels")

        # The container gets Jupyter's root only.
        with pytest.raises(CellError) as caught:
            kernel.run(f'lsp.label("{jupyter.home}/elsewhere", labels=["Cat", "Dog"])')
        assert caught.value.name == "Problem"
        assert "cannot read the folder" in caught.value.value
        assert "restart Jupyter in a folder that contains this one" in caught.value.value
        assert kernel.json("len(lsp.projects())") == 2
