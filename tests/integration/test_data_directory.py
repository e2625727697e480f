"""The data directory has no prefix and no host in it, and works anywhere.

The same data are used under two addresses, then by a plain Label Studio. Each must show the
pictures and export them.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from support import media
from support.http import Http
from support.jupyter import JupyterLab, LabelStudioClient
from support.label_studio import BareLabelStudio

BASE_URLS = ["/user/alice/", "/jupyter/b%40c.d/"]
UPLOADED = {f"uploaded-{n}.png": media.png(colour=(200, n, 0)) for n in (1, 2)}
LOCAL = {f"local-{n}.png": media.png(colour=(0, n, 200)) for n in (1, 2)}
PICTURES = {**UPLOADED, **LOCAL}


@dataclass
class Seen:
    """What one Label Studio showed and exported."""

    who: str
    pictures: dict[str, bytes] = field(default_factory=dict)  # by name
    tasks: list[dict[str, Any]] = field(default_factory=list)
    exports: dict[str, bytes] = field(default_factory=dict)  # by format


@pytest.fixture(scope="module")
def data_directory(new_data_dir: Callable[[], Path]) -> Path:
    return new_data_dir()


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook folder with pictures in it."""
    folder = tmp_path_factory.mktemp("notebooks")
    (folder / "pictures").mkdir()
    for name, content in LOCAL.items():
        (folder / "pictures" / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def addresses() -> list[str]:
    """Every address at which Label Studio has been reached."""
    return []


@pytest.fixture(scope="module")
def used(
    data_directory: Path,
    notebooks: Path,
    addresses: list[str],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
) -> dict[str, Seen]:
    """What each Label Studio has shown, by base URL, and at last a plain one, "plain"."""
    used: dict[str, Seen] = {}
    for base_url in BASE_URLS:
        jupyter = JupyterLab(
            base_url=base_url, root_dir=notebooks, config={"data_dir": str(data_directory)}
        )
        with contextlib.closing(_Stopped(jupyter)):
            studio = label_studio_client(jupyter)
            studio.wait_ready()
            addresses.append(studio.url)
            if not used:
                fill(studio, notebooks)
            used[base_url] = look(studio, base_url)
    plain = BareLabelStudio(
        data_directory,
        env={
            "LOCAL_FILES_SERVING_ENABLED": "true",
            "LOCAL_FILES_DOCUMENT_ROOT": str(notebooks),
        },
    )
    with contextlib.closing(_Stopped(plain)):
        used["plain"] = look(plain, "plain")
    return used


class _Stopped:
    """Stops a server at the end of `contextlib.closing`."""

    def __init__(self, server: JupyterLab | BareLabelStudio) -> None:
        self.close = server.stop


def made(answer: requests.Response) -> Any:
    assert answer.status_code in {200, 201}, f"{answer.url}: {answer.text[:2000]}"
    return answer.json()


def fill(studio: Http, notebooks: Path) -> None:
    """Two projects: pictures that were uploaded, pictures in the notebook folder; all labelled."""
    uploads, local = (
        made(studio.post("api/projects", json={"title": title, "label_config": media.BOXES}))["id"]
        for title in ("Uploads", "Local files")
    )
    for name, content in UPLOADED.items():
        made(studio.post(f"api/projects/{uploads}/import", files={name: (name, content)}))
    storage = {
        "project": local,
        "title": "Pictures",
        "path": str(notebooks / "pictures"),
        "regex_filter": r".*\.png",
        "use_blob_urls": True,
    }
    number = made(studio.post("api/storages/localfiles", json=storage))["id"]
    made(studio.post(f"api/storages/localfiles/{number}/sync"))
    for project in (uploads, local):
        for task in tasks_of(studio, project):
            path = f"api/tasks/{task['id']}/annotations/"
            made(studio.post(path, json={"result": [media.BOX]}))


def tasks_of(studio: Http, project: int) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = made(studio.get(f"api/tasks?project={project}&fields=all"))[
        "tasks"
    ]
    assert len(tasks) == 2
    for task in tasks:
        for annotation in task["annotations"]:
            del annotation["created_ago"]  # "1 minute"
    return tasks


def look(studio: Http, who: str) -> Seen:
    """Look at every picture and export both projects in every way."""
    seen = Seen(who)
    for project in made(studio.get("api/projects"))["results"]:
        for task in tasks_of(studio, project["id"]):
            seen.tasks.append(task)
            address = task["data"]["image"]
            # as the browser does: below the prefix
            picture = studio.get(address)
            assert picture.status_code == 200, (who, address)
            assert picture.headers["Content-Type"] == "image/png"
            seen.pictures[original(address)] = picture.content
        for kind in ("JSON", "JSON_MIN", "CSV", "COCO", "YOLO", *WITH_IMAGES):
            path = f"api/projects/{project['id']}/export?exportType={kind}"
            export = studio.get(path, timeout=300)
            assert export.status_code == 200, (who, kind, export.text[:2000])
            seen.exports[f"{project['title']}, {kind}"] = export.content
    return seen


WITH_IMAGES = ("COCO_WITH_IMAGES", "YOLO_WITH_IMAGES")


def original(address: str) -> str:
    """The picture's name as it was, without what Label Studio puts in front of it."""
    return re.sub(r"^.*?((?:uploaded|local)-\d\.png)$", r"\1", address)


@pytest.fixture(params=[*BASE_URLS, "plain"])
def seen(request: pytest.FixtureRequest, used: dict[str, Seen]) -> Seen:
    found: Seen = used[request.param]
    return found


def test_every_picture_is_shown(seen: Seen) -> None:
    assert seen.pictures == PICTURES


def test_tasks_are_the_same_everywhere_and_name_no_address(
    seen: Seen, used: dict[str, Seen]
) -> None:
    assert seen.tasks == used[BASE_URLS[0]].tasks
    for task in seen.tasks:
        where = urlsplit(task["data"]["image"])
        assert (where.scheme, where.netloc) == ("", "")
        assert where.path.startswith(("/data/upload/", "/data/local-files/"))


@pytest.mark.parametrize("kind", WITH_IMAGES)
@pytest.mark.parametrize("project", ["Uploads", "Local files"])
def test_export_with_images_has_the_images(seen: Seen, project: str, kind: str) -> None:
    packed = seen.exports[f"{project}, {kind}"]
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        images = {
            original(name): archive.read(name)
            for name in archive.namelist()
            if name.startswith("images/") and name.endswith(".png")
        }
    assert images == (UPLOADED if project == "Uploads" else LOCAL)


@pytest.mark.parametrize("project", ["Uploads", "Local files"])
def test_coco_export_is_about_the_images_in_it(seen: Seen, project: str) -> None:
    with zipfile.ZipFile(io.BytesIO(seen.exports[f"{project}, COCO_WITH_IMAGES"])) as archive:
        result = json.loads(archive.read("result.json"))
        # Of uploaded ones, Label Studio's converter names the whole path that it read them from.
        named = {image["file_name"].replace("\\", "/").split("/")[-1] for image in result["images"]}
        packed = {name.split("/")[-1] for name in archive.namelist()}
    assert len(named) == 2
    assert named <= packed
    assert [(image["width"], image["height"]) for image in result["images"]] == [(64, 48)] * 2
    assert len(result["annotations"]) == 2


def traces(addresses: list[str]) -> re.Pattern[bytes]:
    """What an address would leave behind: a prefix, or a host with a port."""
    prefixes = {urlsplit(address).path.rstrip("/") for address in addresses}
    prefixes |= {f"{base_url.rstrip('/')}/labelstudio" for base_url in BASE_URLS}
    hosts = {urlsplit(address).netloc for address in addresses}
    words = [*map(re.escape, prefixes | hosts), r"127\.0\.0\.1:\d", r"localhost:\d", "//localhost"]
    words += ["/labelstudio/", "labelstudio/data"]
    return re.compile("|".join(words).encode())


def test_database_names_no_address(
    used: dict[str, Seen], data_directory: Path, addresses: list[str]
) -> None:
    assert used
    pattern = traces(addresses)
    database = sqlite3.connect(data_directory / "label_studio.sqlite3")
    with contextlib.closing(database):
        found = [line for line in database.iterdump() if pattern.search(line.encode())]
    assert [line[:500] for line in found] == []


def test_files_of_the_data_directory_name_no_address(
    used: dict[str, Seen], data_directory: Path, addresses: list[str]
) -> None:
    assert used
    pattern = traces(addresses)
    files = [path for path in data_directory.rglob("*") if path.is_file()]
    assert data_directory / ".env" in files
    assert len([path for path in files if path.suffix == ".png"]) >= len(UPLOADED)
    found = {str(path): pattern.findall(path.read_bytes()) for path in files}
    assert {name: what for name, what in found.items() if what} == {}


def test_exports_name_no_address(seen: Seen, addresses: list[str]) -> None:
    pattern = traces(addresses)
    for kind, content in seen.exports.items():
        texts = {kind: content}
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                texts = {name: name.encode() + archive.read(name) for name in archive.namelist()}
        for name, text in texts.items():
            assert pattern.findall(text) == [], (kind, name)
