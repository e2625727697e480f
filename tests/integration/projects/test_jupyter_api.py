"""Projects in Jupyter's own REST API, as a front end of Jupyter asks for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from support import media
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import wait_for

SOURCE = "api/labelstudio/source"
API = "api/labelstudio/projects"
WISH = {"source": {"kind": "path", "path": "pets"}, "labels": ["Cat", "Dog"]}
# Names that paths, URLs, XML or a shell would take apart.
ODD = '100% #1 "it\'s" <new> \N{CAT FACE}'


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    jupyter = module_jupyter_lab(
        base_url="/user/a%40b.c/", config={"data_dir": str(new_data_dir())}
    )
    write(jupyter.root_dir / "pets" / "1.png")
    return jupyter


def write(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(media.png(8, 8, (1, 2, 3)))


def look(jupyter: JupyterLab, **body: Any) -> dict[str, Any]:
    answer = jupyter.post(SOURCE, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def post(jupyter: JupyterLab, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return the last line of the answer, once Label Studio runs."""

    def lines() -> list[Any] | None:
        answer = jupyter.post(path, json=body)
        if answer.status_code == 503:  # Label Studio starts
            return None
        assert answer.headers["Content-Type"].startswith("application/x-ndjson"), answer.text
        return [json.loads(line) for line in answer.text.splitlines()]

    result: dict[str, Any] = wait_for(lines, what="an answer", timeout=300)[-1]
    assert "error" not in result
    return result


STRANGE = [
    (method, path) for path in (API, f"{API}/1", f"{API}/1/rows") for method in ("GET", "POST")
]


@pytest.mark.parametrize(("method", "path"), [("POST", SOURCE), *STRANGE])
def test_strangers_get_nothing_and_start_nothing(
    jupyter: JupyterLab, method: str, path: str
) -> None:
    for headers in ({}, {"Authorization": "token wrong"}):
        refused = jupyter.request(method, path, anonymous=True, headers=headers)
        assert refused.status_code in {302, 403}
    assert jupyter.get("api/labelstudio").json()["state"] == "stopped"


def test_reading_starts_nothing(jupyter: JupyterLab, label_studio_client: Any) -> None:
    stopped = jupyter.get(API)
    assert (stopped.status_code, stopped.json()["state"]) == (503, "stopped")
    client: LabelStudioClient = label_studio_client(jupyter)
    assert client.state()["state"] == "stopped"  # now with a gateway
    assert (jupyter.get(API).status_code, client.state()["state"]) == (503, "stopped")


def test_a_look_starts_no_label_studio(
    jupyter: JupyterLab, label_studio_client: Any, tmp_path: Path
) -> None:
    write(jupyter.root_dir / ODD / "1.png")
    found = look(jupyter, path=ODD)
    assert (found["title"], found["media"], found["project"]) == (ODD, {"image": 1}, None)
    write(tmp_path / "1.png")
    for path in ("no-such", str(tmp_path)):
        wrong = jupyter.post(SOURCE, json={"path": path})
        assert wrong.status_code == 400
        assert wrong.json()["error"].keys() == {"what", "why", "remedy"}
    client: LabelStudioClient = label_studio_client(jupyter)
    assert client.state()["state"] == "stopped"


def test_a_front_end_makes_and_reads_a_project(jupyter: JupyterLab) -> None:
    project = post(jupyter, API, WISH)["project"]
    assert (project["title"], project["total"]) == ("pets", 1)
    assert project["url"] == f"{jupyter.prefix}projects/{project['id']}/data?labeling=1"
    assert project["id"] in [each["id"] for each in jupyter.get(API).json()["projects"]]
    rows = jupyter.get(f"{API}/{project['id']}/rows?unlabelled=1").text.splitlines()
    assert str(jupyter.root_dir / "pets" / "1.png") in rows[1]
    assert jupyter.get(f"{API}/4711").status_code == 404


def test_a_folder_is_looked_at_made_into_a_project_and_found_again(jupyter: JupyterLab) -> None:
    folder = jupyter.root_dir / "odd" / ODD
    for name in ("1.png", "100% #2.png"):
        write(folder / name)
    found = look(jupyter, path=f"odd/{ODD}")
    wish = {
        **{name: found[name] for name in ("source", "base", "title")},
        "task": found["tasks"][0]["name"],
        "labels": ["Cat", "Dog"],
        "keep": "labels.jsonl",
    }
    made = post(jupyter, API, wish)["project"]
    assert (made["title"], made["total"]) == (found["title"], 2)
    assert made["keep"] == str(folder / "labels.jsonl")

    write(folder / "3.png")
    (folder / "empty.png").touch()  # cannot be shown, and so is not new
    again = look(jupyter, path=f"odd/{ODD}")
    wanted = {name: made[name] for name in ("id", "title", "url", "task", "labels", "keep")}
    assert wanted.items() <= again["project"].items()
    assert (again["project"]["new"], again["labels"]) == (1, ["Cat", "Dog"])
    added = post(jupyter, f"{API}/{made['id']}/items", {"source": again["source"]})
    assert (added["added"], added["project"]["total"]) == (1, 3)
    assert look(jupyter, path=f"odd/{ODD}")["project"]["new"] == 0


def test_a_look_after_a_cancellation_does_not_find_its_project(
    jupyter: JupyterLab, label_studio_client: Callable[[JupyterLab], LabelStudioClient]
) -> None:
    folder = jupyter.root_dir / "many"
    folder.mkdir()
    for number in range(6_000):
        (folder / f"{number}.txt").write_text(f"Text {number}")
    found = look(jupyter, path="many")
    wish = {name: found[name] for name in ("source", "base", "title")} | {"labels": ["a", "b"]}
    label_studio_client(jupyter).wait_ready()
    with jupyter.post(API, json=wish, stream=True) as answer:
        progress = (json.loads(line)["progress"] for line in answer.iter_lines())
        next(each for each in progress if "Adding" in each["what"] and each["done"])
    assert look(jupyter, path="many")["project"] is None


def test_selected_files_become_a_project_that_keeps_its_labels_beside_them(
    jupyter: JupyterLab, label_studio_client: Any
) -> None:
    names = [f"{ODD}.png", "2.png", "3.png"]
    for name in names:
        write(jupyter.root_dir / "some" / name)
    chosen = [f"some/{name}" for name in names[:2]]
    found = look(jupyter, paths=chosen)
    wish = {name: found[name] for name in ("source", "base", "title")}
    wish |= {"labels": ["Cat", "Dog"], "keep": "labels.jsonl"}
    made = post(jupyter, API, wish)["project"]
    assert (made["title"], made["total"]) == ("some", 2)

    client: LabelStudioClient = label_studio_client(jupyter)
    task = client.get(f"api/tasks?project={made['id']}").json()["tasks"][0]
    cat = {"from_name": "label", "to_name": "image", "type": "choices"} | {
        "value": {"choices": ["Cat"]}
    }
    assert client.post(f"api/tasks/{task['id']}/annotations/", json={"result": [cat]}).ok
    kept = jupyter.root_dir / "some" / "labels.jsonl"
    wait_for(lambda: kept.exists() and "Cat" in kept.read_text(), what="the kept label")
    assert json.loads(kept.read_text())["file"] == f"{ODD}.png"
    again = look(jupyter, paths=[f"some/{name}" for name in names])
    assert (again["project"]["id"], again["project"]["new"]) == (made["id"], 1)

    formats = jupyter.get(f"{API}/{made['id']}/formats").json()["formats"]
    by_name = {each["name"]: each for each in formats}
    assert {"JSON", "CSV", "imagefolder"} <= by_name.keys()
    assert "COCO" not in by_name  # for boxes
    for number, name in enumerate(("JSON", "imagefolder")):
        export = {"format": name, "folder": f"some/{ODD} {number}"}
        done = post(jupyter, f"{API}/{made['id']}/export", export)
        assert done["folder"] == str(jupyter.root_dir / "some" / f"{ODD} {number}")
    assert (jupyter.root_dir / "some" / f"{ODD} 1" / "Cat" / f"{ODD}.png").exists()


def test_relative_paths_are_below_jupyters_root_whatever_label_studio_may_read(
    jupyter_lab: Callable[..., JupyterLab], data_dir: Path, tmp_path: Path
) -> None:
    files = tmp_path / "files"
    write(files / "birds" / "1.png")
    jupyter = jupyter_lab(config={"data_dir": str(data_dir), "files_root": str(files)})
    write(jupyter.root_dir / "birds" / "1.png")
    outside = jupyter.post(SOURCE, json={"path": "birds"})
    assert outside.status_code == 400
    assert f"may not read files in {jupyter.root_dir}/birds" in outside.json()["error"]["what"]
    assert look(jupyter, path=str(files / "birds"))["media"] == {"image": 1}


def test_jupyter_checks_for_other_sites(jupyter: JupyterLab) -> None:
    with requests.Session() as browser:
        assert browser.get(f"{jupyter.url}api/status?token={jupyter.token}", timeout=30).ok
        assert browser.get(f"{jupyter.url}{API}", timeout=30).ok  # by its cookie
        for path in (API, SOURCE):
            refused = browser.post(f"{jupyter.url}{path}", json=WISH, timeout=30)
            assert refused.status_code == 403
            assert "_xsrf" in refused.text


def test_the_card_of_a_project_that_is_not_set_up_is_empty(
    jupyter: JupyterLab, studio: LabelStudioClient
) -> None:
    number = studio.post("api/projects", json={"title": "Not set up"}).json()["id"]
    found = jupyter.get(f"{API}/{number}?summary=1").json()["project"]
    assert (found["label_counts"], found["last"]) == ({}, [])
