"""Data pass byte for byte: Jupyter sends what the same Label Studio sends directly."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import label_studio_sdk
import pytest
import requests
from support import media
from support.jupyter import JupyterLab, LabelStudioClient
from support.label_studio_socket import Direct, LabelStudioSocket

BASE_URL = "/user/alice/"
PREFIX = f"{BASE_URL}labelstudio/"
CONFIG = """
<View>
  <Text name="text" value="$text"/>
  <Labels name="label" toName="text"><Label value="Word"/></Labels>
</View>
"""
PICTURES_CONFIG = """
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image"><Label value="Box"/></RectangleLabels>
</View>
"""

# Texts that look as if they had to be changed on their way
TEXTS = [
    "/data/upload/1/a.png",
    "See /data/upload/1/a.png and /data/local-files/?d=a/b.png, or /static/x.js.",
    '<a href="/x">x</a> <img src="/data/upload/1/a.png"> <form action="/projects/">',
    "url(/static/a.png) fetch('/api/projects') location.href='/' hostname: \"\"",
    f"{PREFIX} and {PREFIX}data/upload/1/a.png and http://localhost{PREFIX}",
    "http://localhost/api/projects http://localhost:8080/data/upload/1/a.png //localhost/",
    "Ünïcödé, 你好, עברית, 👩‍👩‍👧‍👦, e\u0301, \ufeff, \u2028",
    " \t leading, \r\n lines, trailing \n",
    "%2Fdata%2Fupload%2F1%2Fa.png &lt;a href=&quot;/x&quot;&gt; \\u003c \\/data\\/upload",
]
LONG = "".join(f"{n}: {TEXTS[n % len(TEXTS)]}\n" for n in range(14_000))

UPLOADS = {
    "picture.png": media.png(),
    "sound.wav": media.wav(seconds=1),
    "page.html": media.html("/data/upload/1/a.png"),
    "paper.pdf": media.pdf("/data/upload/1/a.png"),
    "series.csv": media.time_series_csv(),
    "text.txt": "".join(TEXTS).encode(),
    "strange näme & (1).png": media.png(colour=(9, 9, 9)),
}


@pytest.fixture(scope="module")
def data_directory(new_data_dir: Callable[[], Path]) -> Path:
    return new_data_dir()


@pytest.fixture(scope="module")
def jupyter(module_jupyter_lab: Callable[..., JupyterLab], data_directory: Path) -> JupyterLab:
    return module_jupyter_lab(base_url=BASE_URL, config={"data_dir": str(data_directory)})


@pytest.fixture(scope="module")
def directly(
    studio: LabelStudioClient, jupyter: JupyterLab, data_directory: Path
) -> LabelStudioSocket:
    return LabelStudioSocket(jupyter, data_directory)


def made(answer: requests.Response) -> Any:
    assert answer.status_code in {200, 201}, answer.text[:2000]
    return answer.json()


@pytest.fixture(scope="module")
def project(studio: LabelStudioClient) -> int:
    """A project with one task for each text, the long one last, and one annotation."""
    project: int = made(
        studio.post("api/projects", json={"title": f"See {PREFIX}", "label_config": CONFIG})
    )["id"]
    made(
        studio.post(
            f"api/projects/{project}/import", json=[{"text": text} for text in (*TEXTS, LONG)]
        )
    )
    return project


@pytest.fixture(scope="module")
def tasks(studio: LabelStudioClient, project: int) -> dict[str, int]:
    """The id of the task for each text."""
    found = made(studio.get(f"api/tasks?project={project}&page_size=100&fields=all"))["tasks"]
    return {task["data"]["text"]: task["id"] for task in found}


@pytest.fixture(scope="module")
def annotated(studio: LabelStudioClient, tasks: dict[str, int]) -> dict[str, list[dict[str, Any]]]:
    """The spans of words that were annotated in each text."""
    spans = {}
    for text, task in tasks.items():
        words = list(re.finditer(r"\S+", text))
        result = [
            {
                "id": f"span{n}",
                "type": "labels",
                "from_name": "label",
                "to_name": "text",
                "value": {
                    "start": word.start(),
                    "end": word.end(),
                    "text": word[0],
                    "labels": ["Word"],
                },
            }
            for n, word in enumerate((words[0], words[len(words) // 2], words[-1]))
        ]
        made(studio.post(f"api/tasks/{task}/annotations/", json={"result": result}))
        spans[text] = result
    return spans


@pytest.fixture(scope="module")
def uploaded(studio: LabelStudioClient) -> dict[str, str]:
    """The path of each uploaded file, relative to the prefix."""
    project = made(studio.post("api/projects", json={"title": "Files"}))["id"]
    found = {}
    for name, content in UPLOADS.items():
        answer = made(studio.post(f"api/projects/{project}/import", files={name: (name, content)}))
        (number,) = answer["file_upload_ids"]
        file = made(studio.get(f"api/import/file-upload/{number}"))["file"]
        found[name] = quote(f"data/{file}")
    return found


@pytest.fixture(scope="module")
def pictures(studio: LabelStudioClient) -> int:
    """A project with two uploaded pictures, a box in each."""
    project: int = made(
        studio.post("api/projects", json={"title": "Pictures", "label_config": PICTURES_CONFIG})
    )["id"]
    for name in ("one.png", "two.png"):
        made(studio.post(f"api/projects/{project}/import", files={name: (name, media.png())}))
    box = {"x": 10, "y": 20, "width": 30, "height": 40, "rectanglelabels": ["Box"]}
    result = {
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": 64,
        "original_height": 48,
        "value": box,
    }
    for task in made(studio.get(f"api/tasks?project={project}"))["tasks"]:
        made(studio.post(f"api/tasks/{task['id']}/annotations/", json={"result": [result]}))
    return project


# What the gateway's own server says, what belongs to one connection, what it adds or leaves out
NOT_COMPARED = {
    "connection",
    # of the whole origin, which is Jupyter's
    "cross-origin-opener-policy",
    "content-security-policy",
    "content-security-policy-report-only",
    "content-length",
    "date",
    # Tornado's, of the bytes that it passes on; Label Studio has none
    "etag",
    "keep-alive",
    "server",
    "set-cookie",
    "transfer-encoding",
    "x-content-type-options",
    # of this moment
    "x-request-id",
}


def assert_same(through: requests.Response, direct: Direct) -> None:
    assert through.status_code == direct.status_code
    # each error has a different number
    number = rb'^\{"id":"[0-9a-f-]{36}"'
    assert re.sub(number, b"", through.content) == re.sub(number, b"", direct.content)

    def compared(headers: Any) -> dict[str, str]:
        found = {
            name.lower(): value
            for name, value in headers.items()
            if name.lower() not in NOT_COMPARED
        }
        # Compressible responses name the header that they depend on, for caches.
        found["vary"] = found.get("vary", "").removesuffix(", Accept-Encoding")
        return found

    assert compared(through.headers) == compared(direct.headers)


PLAIN = {"Accept-Encoding": "identity"}


# ---- what says that it is HTML


@pytest.mark.parametrize("path", ["health", "metrics/", "feature-flags/"])
def test_a_response_that_is_no_page_is_label_studios_own(
    studio: LabelStudioClient, directly: LabelStudioSocket, path: str
) -> None:
    through = studio.get(path, headers=PLAIN)
    assert through.headers["Content-Type"].startswith("text/html")
    assert_same(through, directly.get(path))


def test_the_sdk_checks_the_connection(studio: LabelStudioClient, jupyter: JupyterLab) -> None:
    client: Any = label_studio_sdk.Client(studio.url, jupyter.token)
    assert client.check_connection() == {"status": "UP"}


# ---- the API


@pytest.mark.parametrize(
    "path",
    [
        "api/projects",
        "api/projects/?page_size=1&page=1",
        "api/projects/{project}",
        "api/projects/{project}/validate",
        "api/tasks?project={project}&page_size=100&fields=all",
        "api/tasks?project={project}&page_size=2",
        "api/dm/views?project={project}",
        "api/dm/columns?project={project}",
        "api/organizations",
        "api/users",
        "api/version",
        "api/nothing/",
        "api/projects/999999",
        "api/tasks?project=x",
        "api/storages/localfiles?project={project}",
        "api/templates",
    ],
)
@pytest.mark.usefixtures("annotated")
def test_a_response_of_the_api_is_label_studios_own(
    studio: LabelStudioClient, directly: LabelStudioSocket, project: int, path: str
) -> None:
    path = path.format(project=project)
    assert_same(studio.get(path, headers=PLAIN), directly.get(path))


def test_paging_links_are_label_studios_own(
    studio: LabelStudioClient, directly: LabelStudioSocket, project: int
) -> None:
    path = "api/projects/?page_size=1"
    made(studio.post("api/projects", json={"title": "Another"}))
    through = studio.get(path, headers=PLAIN)
    assert_same(through, directly.get(path))
    assert through.json()["next"].startswith("http://localhost/api/projects/")


@pytest.mark.parametrize("kind", ["JSON", "JSON_MIN", "CSV", "TSV"])
@pytest.mark.usefixtures("annotated")
def test_an_export_is_label_studios_own(
    studio: LabelStudioClient, directly: LabelStudioSocket, project: int, kind: str
) -> None:
    path = f"api/projects/{project}/export?exportType={kind}&download_all_tasks=true"
    through, direct = studio.get(path, headers=PLAIN), directly.get(path)
    assert through.status_code == 200
    assert through.content == direct.content
    assert through.headers["Content-Type"] == direct.headers["Content-Type"]
    # the minute and the content's digest are in the name
    names = [answer.headers["Content-Disposition"] for answer in (through, direct)]
    assert len({re.sub(r"at-[\d-]+", "", name) for name in names}) == 1
    if kind == "JSON":
        assert [task["data"]["text"] for task in through.json()] == [*TEXTS, LONG]


@pytest.mark.parametrize("kind", ["YOLO", "COCO", "YOLO_WITH_IMAGES", "COCO_WITH_IMAGES", "VOC"])
def test_an_export_of_pictures_has_label_studios_own_files(
    studio: LabelStudioClient, directly: LabelStudioSocket, pictures: int, kind: str
) -> None:
    path = f"api/projects/{pictures}/export?exportType={kind}"
    through, direct = studio.get(path, headers=PLAIN), directly.get(path)
    assert through.status_code == 200

    def contents(archived: bytes) -> dict[str, bytes]:
        # each export has the time in its archive, and COCO's in its description
        with zipfile.ZipFile(io.BytesIO(archived)) as archive:
            found = {name: archive.read(name) for name in archive.namelist()}
        now = rb'("date_created"|"year"|"version"): ?("[^"]*"|\d+)'
        return {name: re.sub(now, b"", content) for name, content in found.items()}

    assert contents(through.content) == contents(direct.content)
    assert through.headers["Content-Type"] == direct.headers["Content-Type"]
    assert int(through.headers["Content-Length"]) == len(through.content)


# ---- texts


@pytest.mark.parametrize("text", [*TEXTS, LONG], ids=lambda text: repr(text[:30]))
def test_text_is_stored_and_shown_as_it_was_sent(
    studio: LabelStudioClient,
    directly: LabelStudioSocket,
    tasks: dict[str, int],
    text: str,
) -> None:
    path = f"api/tasks/{tasks[text]}/"
    through = studio.get(path, headers=PLAIN)
    assert through.json()["data"]["text"] == text
    assert_same(through, directly.get(path))


def test_text_of_a_megabyte_was_sent(tasks: dict[str, int]) -> None:
    assert len(LONG.encode()) > 1_000_000
    assert LONG in tasks


def test_spans_select_the_words_that_were_annotated(
    studio: LabelStudioClient,
    directly: LabelStudioSocket,
    tasks: dict[str, int],
    annotated: dict[str, list[dict[str, Any]]],
) -> None:
    assert len(annotated) == len(TEXTS) + 1
    for text, sent in annotated.items():
        path = f"api/tasks/{tasks[text]}/annotations/"
        through, direct = studio.get(path, headers=PLAIN), directly.get(path)
        assert_same(through, direct)
        shown = studio.get(f"api/tasks/{tasks[text]}/").json()["data"]["text"]
        (annotation,) = json.loads(direct.content)
        assert annotation["result"] == sent
        for span in annotation["result"]:
            value = span["value"]
            assert shown[value["start"] : value["end"]] == value["text"]


def test_a_title_that_is_the_prefix_stays(studio: LabelStudioClient, project: int) -> None:
    renamed = studio.patch(f"api/projects/{project}", json={"title": f'"{PREFIX}" /projects/'})
    assert renamed.json()["title"] == f'"{PREFIX}" /projects/'
    assert studio.get(f"api/projects/{project}").json()["title"] == f'"{PREFIX}" /projects/'


# ---- files


@pytest.mark.parametrize("name", UPLOADS)
def test_a_file_comes_back_as_it_was_uploaded(
    studio: LabelStudioClient,
    directly: LabelStudioSocket,
    uploaded: dict[str, str],
    data_directory: Path,
    name: str,
) -> None:
    through = studio.get(uploaded[name], headers=PLAIN)
    assert through.status_code == 200
    assert through.content == UPLOADS[name]
    assert_same(through, directly.get(uploaded[name]))
    compressed = studio.get(uploaded[name], headers={"Accept-Encoding": "gzip, br"})
    assert compressed.content == UPLOADS[name]
    stored = data_directory / "media" / unquote(uploaded[name]).removeprefix("data/")
    assert stored.read_bytes() == UPLOADS[name]


@pytest.mark.parametrize(
    "part",
    [
        "bytes=0-0",
        "bytes=5-9",
        "bytes=100-",
        "bytes=-10",
        "bytes=0-999999999",
        "bytes=999999998-999999999",
        "bytes=9-5",
        "bytes=x",
        "lines=1-2",
    ],
)
@pytest.mark.parametrize("name", ["sound.wav", "page.html"])
def test_a_part_of_a_file_is_label_studios_own(
    studio: LabelStudioClient,
    directly: LabelStudioSocket,
    uploaded: dict[str, str],
    name: str,
    part: str,
) -> None:
    headers = {"Range": part}
    through = studio.get(uploaded[name], headers=PLAIN | headers)
    direct = directly.get(uploaded[name], headers=headers)
    assert_same(through, direct)
    if part == "bytes=5-9":
        assert through.status_code == 206
        assert through.content == UPLOADS[name][5:10]
        assert through.headers["Content-Length"] == "5"


@pytest.mark.parametrize("name", ["picture.png", "page.html"])
def test_the_head_of_a_file_is_label_studios_own(
    studio: LabelStudioClient, directly: LabelStudioSocket, uploaded: dict[str, str], name: str
) -> None:
    through = studio.request("HEAD", uploaded[name], headers=PLAIN)
    direct = directly.request("HEAD", uploaded[name])
    assert_same(through, direct)
    assert through.content == b""
    assert through.headers.get("Content-Length") == direct.headers.get("Content-Length")
