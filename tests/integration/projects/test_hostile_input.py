"""What any page of the origin can send to the routes of projects: it is refused in words, or harmless."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from support import media
from support.http import Http
from support.jupyter import JupyterLab, LabelStudioClient
from support.kernel import Kernel
from support.processes import wait_for

PICTURE = media.png(8, 8, (1, 2, 3))
WISH = {"source": {"kind": "path", "path": "pets"}, "labels": ["Cat", "Dog"]}
TABLE = {"kind": "table", "columns": ["a"], "index": [0], "rows": [["x"]], "index_names": [None]}
NUMBER = 10**30
RESULT = [
    {"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": ["Cat"]}}
]


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    jupyter = module_jupyter_lab(config={"data_dir": str(new_data_dir())})
    (jupyter.root_dir / "pets").mkdir()
    (jupyter.root_dir / "pets" / "1.png").write_bytes(PICTURE)
    (jupyter.root_dir / "pets" / "secret.png").symlink_to("/etc/passwd")
    (jupyter.root_dir / "out").symlink_to(jupyter.home)
    return jupyter


@pytest.fixture(scope="module")
def pets(studio: LabelStudioClient) -> int:
    number: int = answer(studio.post("_proxy/projects", json=WISH))["project"]["id"]
    (task,) = studio.get("api/tasks", params={"project": number}).json()["tasks"]
    assert studio.post(f"api/tasks/{task['id']}/annotations/", json={"result": RESULT}).ok
    return number


def answer(response: requests.Response) -> dict[str, Any]:
    """Return the last message, whatever the status."""
    found: dict[str, Any] = json.loads(response.text.splitlines()[-1])
    return found


def log(jupyter: JupyterLab) -> str:
    return jupyter.log.read_text()


@pytest.mark.parametrize(
    ("route", "body"),
    [
        *(("", body) for body in ("", "[]", "nothing", "[" * 100_000, '{"title": Infinity}')),
        ("", {}),
        ("", WISH | {"title": ["a"]}),
        ("", WISH | {"title": "a\0b"}),
        ("", WISH | {"labels": {"Cat": 1}}),
        ("", WISH | {"labels": [["Cat"]]}),
        ("", WISH | {"task": {"a": 1}}),
        ("", WISH | {"config": 7}),
        ("", WISH | {"base": ["/"]}),
        ("", WISH | {"keep": 7}),
        ("", WISH | {"source": {"kind": ["path"], "path": "pets"}}),
        ("", WISH | {"source": {"kind": "path", "path": "pets\0"}}),
        ("", WISH | {"source": {"kind": "path", "path": "/" + "a" * 5_000}}),
        ("", WISH | {"source": {"kind": "path", "path": "/etc"}}),
        ("", WISH | {"source": {"kind": "path", "path": "/**"}}),
        ("", WISH | {"source": {"kind": "list", "values": ["/etc/passwd.png"]}}),
        ("", WISH | {"source": {"kind": "list", "values": [None]}}),
        ("", WISH | {"source": {"kind": "list", "values": ["a\ud800"]}}),
        ("", WISH | {"source": TABLE | {"rows": [[{}]]}}),
        ("", WISH | {"source": TABLE | {"rows": [["x", "y"]]}}),
        ("", WISH | {"source": TABLE | {"index": None}}),
        ("/4711/items", WISH),
        (f"/{NUMBER}/items", WISH),
        (f"/{NUMBER}/export", {"format": "JSON", "folder": "new"}),
        ("/{pets}/items", {}),
        ("/{pets}/items", {"source": {"kind": "table"}}),
        ("/{pets}/predictions", {"model_version": "v", "rows": [{"file": {}, "label": []}]}),
        ("/{pets}/predictions", {"model_version": "v", "rows": [{"task_id": [1], "label": "Cat"}]}),
        ("/{pets}/predictions", {"model_version": "v", "rows": [{"file": "\0", "label": "Cat"}]}),
        (
            "/{pets}/predictions",
            {"model_version": "v\0", "rows": [{"file": "pets/1.png", "label": "Cat"}]},
        ),
        ("/{pets}/predictions", {"model_version": 7, "rows": []}),
        ("/{pets}/export", {"format": ["JSON"], "folder": "new"}),
        ("/{pets}/export", {"format": "JSON", "folder": "new\0"}),
        ("/{pets}/export", {"format": "JSON", "folder": "x" * 300}),
    ],
)
def test_wrong_requests_are_refused_in_words(
    jupyter: JupyterLab, studio: LabelStudioClient, pets: int, route: str, body: Any
) -> None:
    before = len(log(jupyter))
    data = body if isinstance(body, str) else json.dumps(body)
    route = route.replace("{pets}", str(pets))
    for http, path in ((studio, "_proxy/projects"), (jupyter, "api/labelstudio/projects")):
        response = http.post(path + route, data=data)
        assert response.status_code in {200, 400, 404}, response.text
        said = answer(response)["error"]
        assert said["what"]
        assert "labelstudio-proxy did not expect" not in said["why"], said
    assert "Traceback" not in log(jupyter)[before:]
    assert len(studio.get("api/projects").json()["results"]) == 1


@pytest.mark.parametrize("path", ["", "/rows"])
def test_a_project_with_any_number_does_not_exist(studio: LabelStudioClient, path: str) -> None:
    response = studio.get(f"_proxy/projects/{NUMBER}{path}")
    assert response.status_code == 404, response.text


FOLDERS = ["/etc/new", "../new", ".new", "pets/.new/a", "out/new", "{home}/new"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_browser_writes_only_where_jupyters_own_api_can(
    jupyter: JupyterLab, studio: LabelStudioClient, pets: int, folder: str
) -> None:
    folder = folder.replace("{home}", str(jupyter.home))
    routes: list[tuple[Http, str]] = [
        (studio, "_proxy/projects"),
        (jupyter, "api/labelstudio/projects"),
    ]
    for http, path in routes:
        body = {"format": "JSON", "folder": folder}
        said = answer(http.post(f"{path}/{pets}/export", json=body))["error"]
        assert "cannot be written from here" in said["what"]
        keep = {"keep": str(jupyter.root_dir / folder) + ".jsonl"}
        said = answer(http.post(path, json=WISH | keep))["error"]
        assert "cannot be written from here" in said["what"]
    assert not (jupyter.root_dir / folder).exists()


def test_a_kernel_writes_where_its_user_can(jupyter: JupyterLab, pets: int, tmp_path: Path) -> None:
    with Kernel(jupyter) as kernel:
        kernel.run(
            "import labelstudio_proxy as lsp\n"
            f'project = lsp.label("pets", labels=["Cat", "Dog"], keep="{tmp_path}/a.jsonl")\n'
            f'project.export("imagefolder", "{tmp_path}/new")'
        )
        assert kernel.json("project.id") == pets
    assert (tmp_path / "new" / "Cat" / "1.png").read_bytes() == PICTURE
    wait_for((tmp_path / "a.jsonl").is_file, what="the kept labels")


def test_an_export_copies_only_files_that_label_studio_may_read(
    jupyter: JupyterLab, studio: LabelStudioClient, pets: int
) -> None:
    for name in ("/etc/passwd", str(jupyter.root_dir / "pets" / "secret.png")):
        task = {
            "data": {"image": "/data/local-files/?d=../../../../etc/passwd"},
            "meta": {"file": name},
            "annotations": [{"result": RESULT}],
        }
        assert studio.post(f"api/projects/{pets}/import", json=[task]).ok
        body = {"format": "imagefolder", "folder": "stolen"}
        said = answer(studio.post(f"_proxy/projects/{pets}/export", json=body))["error"]
        assert "may not be copied" in said["what"]
    assert not (jupyter.root_dir / "stolen").exists()
