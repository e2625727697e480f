"""Large files of users are sent from disk, and only the requested part is read."""

from __future__ import annotations

import hashlib
import io
import itertools
import random
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from support import media
from support.containers import on
from support.engine import Engine
from support.jupyter import JupyterLab, LabelStudioClient
from support.label_studio_socket import LabelStudioSocket
from support.processes import pids_that_mention

SIZE = 6 * 1024 * 1024
pytestmark = pytest.mark.measures

# More than Label Studio may need for it, if it reads none of it into memory; nothing is on disk.
HUGE = 2 * 1024**3
MEMORY = 100 * 1024 * 1024
VIDEO = random.Random(1).randbytes(SIZE)
NAME = "a clip, später (1).mp4"
ASCII_LOCALE = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
VIDEOS = "notebooks/videos/"  # in the home folder


@pytest.fixture(scope="module")
def data_dir_of(new_data_dir: Callable[[], Path]) -> Path:
    return new_data_dir()


@pytest.fixture(scope="module")
def jupyter(module_jupyter_lab: Callable[..., JupyterLab], data_dir_of: Path) -> JupyterLab:
    jupyter = module_jupyter_lab(
        base_url="/user/alice/", config={"data_dir": str(data_dir_of)}, env=ASCII_LOCALE
    )
    fill(jupyter.root_dir)
    return jupyter


def fill(notebooks: Path) -> None:
    (notebooks / "videos").mkdir()
    (notebooks / "videos" / NAME).write_bytes(VIDEO)
    with (notebooks / "videos" / "huge.mp4").open("wb") as file:
        file.truncate(HUGE)
        file.seek(HUGE // 2)
        file.write(b"the middle")
    (notebooks / "elsewhere.mp4").write_bytes(VIDEO)


@pytest.fixture(scope="module")
def directly(
    studio: LabelStudioClient, jupyter: JupyterLab, data_dir_of: Path
) -> LabelStudioSocket:
    return LabelStudioSocket(jupyter, data_dir_of)


def new_project(studio: LabelStudioClient, notebooks: Path) -> int:
    made = studio.post("api/projects", json={"title": "Videos", "label_config": media.BOXES})
    number: int = made.json()["id"]
    storage = {"project": number, "path": str(notebooks / "videos"), "use_blob_urls": True}
    added = studio.post("api/storages/localfiles", json=storage)
    assert added.status_code == 201, added.text
    return number


def upload(studio: LabelStudioClient, project: int) -> str:
    answer = studio.post(
        f"api/projects/{project}/import?commit_to_project=false",
        files={"clip.mp4": ("clip.mp4", VIDEO)},
    )
    assert answer.status_code == 201, answer.text
    number = answer.json()["file_upload_ids"][0]
    file: str = studio.get(f"api/import/file-upload/{number}").json()["file"]
    return f"data/{file}"


class LargeUpload(io.RawIOBase):
    """The body of an upload of one file of zeros, made while it is sent."""

    HEAD = b'--B\r\nContent-Disposition: form-data; name="f"; filename="large.mp4"\r\n\r\n'
    TAIL = b"\r\n--B--\r\n"

    def __init__(self, size: int) -> None:
        self.parts = [self.HEAD, *[bytes(1024 * 1024)] * (size // 1024**2), self.TAIL]
        self.len = sum(map(len, self.parts))  # requests sends it as the length
        self.body = itertools.chain.from_iterable([self.parts])

    def read(self, size: int = -1) -> bytes:
        return next(self.body, b"")


@pytest.fixture(scope="module")
def project(studio: LabelStudioClient, jupyter: JupyterLab) -> int:
    return new_project(studio, jupyter.root_dir)


@pytest.fixture(scope="module", params=["upload", "local file"])
def path(request: pytest.FixtureRequest, studio: LabelStudioClient, project: int) -> str:
    if request.param == "upload":
        return upload(studio, project)
    return f"data/local-files/?d={quote(VIDEOS + NAME)}"


def resident(jupyter: JupyterLab) -> int:
    """Return the peak memory of all processes of this Jupyter in bytes, see proc(5)."""
    total = 0
    for pid in pids_that_mention(jupyter.home):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                total += int(line.split()[1]) * 1024
    return total


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=5000000-5000009", 5_000_000, 5_000_009),
        ("bytes=5000000-", 5_000_000, SIZE - 1),
        ("bytes=-10", SIZE - 10, SIZE - 1),
        (f"bytes=10-{10 * SIZE}", 10, SIZE - 1),
    ],
)
def test_a_part_is_the_same_as_label_studios(
    studio: LabelStudioClient,
    directly: LabelStudioSocket,
    path: str,
    asked: str,
    first: int,
    last: int,
) -> None:
    part = studio.get(path, headers={"Range": asked})
    assert (part.status_code, part.content) == (206, VIDEO[first : last + 1])
    assert part.headers["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
    assert part.headers["Content-Type"] == "video/mp4"
    assert part.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in part.headers["Content-Security-Policy"]
    own = directly.get(path, headers={"Range": asked})
    assert (own.status_code, own.content) == (part.status_code, part.content)
    for name in ("Content-Type", "Content-Range", "Content-Length"):
        assert own.headers[name] == part.headers[name]


@pytest.mark.parametrize(
    "asked", [None, "bytes=0-1,5-6", "bytes=0-0, -1", "bytes=5-2", "bytes=-", "lines=1-2", "5"]
)
def test_the_complete_file_is_sent_unless_one_range_is_asked_for(
    studio: LabelStudioClient, path: str, asked: str | None
) -> None:
    whole = studio.get(path, headers={"Range": asked} if asked else {})
    assert (whole.status_code, whole.content) == (200, VIDEO)
    assert int(whole.headers["Content-Length"]) == SIZE


def test_an_unchanged_file_is_not_sent_again(studio: LabelStudioClient, path: str) -> None:
    etag = studio.get(path, headers={"Range": "bytes=0-0"}).headers["ETag"]
    assert studio.get(path, headers={"If-None-Match": etag}).status_code == 304
    part = {"Range": "bytes=1-2"}
    assert studio.get(path, headers={**part, "If-Range": etag}).status_code == 206
    changed = studio.get(path, headers={**part, "If-Range": '"another"'})
    assert (changed.status_code, changed.content) == (200, VIDEO)
    assert studio.get(path, headers={"Range": f"bytes={SIZE}-"}).status_code == 416


def test_a_gz_file_with_the_same_name_is_another_file(
    studio: LabelStudioClient, jupyter: JupyterLab, project: int
) -> None:
    beside = jupyter.root_dir / "videos" / f"{NAME}.gz"
    beside.write_bytes(b"something else")
    local = f"data/local-files/?d={quote(VIDEOS + NAME)}"
    whole = studio.get(local, headers={"Accept-Encoding": "gzip"})
    assert whole.content == VIDEO
    assert "Content-Encoding" not in whole.headers


def test_a_seek_in_a_huge_file_reads_the_part_only(
    studio: LabelStudioClient, jupyter: JupyterLab, project: int
) -> None:
    before = resident(jupyter)
    local = "data/local-files/?d=notebooks/videos/huge.mp4"
    part = studio.get(local, headers={"Range": f"bytes={HUGE // 2}-{HUGE // 2 + 9}"})
    assert part.content == b"the middle"
    with studio.get(local, stream=True) as whole:
        assert int(whole.headers["Content-Length"]) == HUGE
        digest = hashlib.sha256(next(whole.iter_content(1024 * 1024)))
    assert digest.hexdigest() == hashlib.sha256(bytes(1024 * 1024)).hexdigest()
    assert resident(jupyter) - before < MEMORY


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_a_large_upload_needs_no_memory(
    studio: LabelStudioClient, jupyter: JupyterLab, data_dir_of: Path, project: int
) -> None:
    size, before = 3 * MEMORY, resident(jupyter)
    sent = studio.post(
        f"api/projects/{project}/import?commit_to_project=false",
        data=LargeUpload(size),
        headers={"Content-Type": "multipart/form-data; boundary=B"},
    )
    assert sent.status_code == 201, sent.text
    assert resident(jupyter) - before < MEMORY
    (file,) = (data_dir_of / "media" / "upload").rglob("*large.mp4")
    assert file.stat().st_size == size
    assert not list((data_dir_of / ".labelstudio-proxy" / "temporary").glob("*.upload*"))
    file.unlink()


def test_a_request_that_would_not_fit_into_memory_is_refused_in_words(
    studio: LabelStudioClient, project: int, tmp_path: Path
) -> None:
    tasks = tmp_path / "tasks.json"
    with tasks.open("wb") as file:
        file.truncate(270 * 1024 * 1024)  # Label Studio accepts 250
    with tasks.open("rb") as body:
        sent = studio.post(
            f"api/projects/{project}/import",
            data=body,
            headers={"Content-Type": "application/json"},
        )
    assert sent.status_code == 413, sent.text
    assert "at most 262 MB. Send the data in several parts." in sent.json()["detail"]


@pytest.mark.parametrize(
    "name",
    [
        "notebooks/elsewhere.mp4",  # in no storage
        "elsewhere.mp4",
        "notebooks/videos/../elsewhere.mp4",
        "videos/../elsewhere.mp4",
        "videos/absent.mp4",
        "../../etc/passwd",
    ],
)
def test_a_file_that_label_studio_does_not_allow_is_not_sent(
    studio: LabelStudioClient, project: int, name: str
) -> None:
    answer = studio.get(f"data/local-files/?d={quote(name)}", headers={"Range": "bytes=0-9"})
    assert answer.status_code not in {200, 206}


def test_a_link_out_of_the_files_root_is_not_followed_by_the_gateway(
    studio: LabelStudioClient, jupyter: JupyterLab, project: int
) -> None:
    target = jupyter.home / "elsewhere.mp4"
    target.write_bytes(VIDEO)
    (jupyter.root_dir / "videos" / "link.mp4").symlink_to(target)
    for path in (f"{VIDEOS}link.mp4", "videos/link.mp4"):
        answer = studio.get(f"data/local-files/?d={path}", headers={"Range": "bytes=0-9"})
        assert answer.status_code == 403


def test_a_file_of_a_deleted_project_is_not_sent(
    studio: LabelStudioClient, jupyter: JupyterLab
) -> None:
    project = new_project(studio, jupyter.root_dir)
    file = upload(studio, project)
    assert studio.get(file, headers={"Range": "bytes=0-9"}).status_code == 206
    assert studio.delete(f"api/projects/{project}").status_code == 204
    assert studio.get(file, headers={"Range": "bytes=0-9"}).status_code not in {200, 206}


def test_large_files_are_sent_with_a_container(
    docker_engine: Engine,
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    data_dir: Path,
) -> None:
    jupyter = jupyter_lab(**on(docker_engine, data_dir))
    fill(jupyter.root_dir)
    client = label_studio_client(jupyter)
    client.wait_ready()
    project = new_project(client, jupyter.root_dir)
    for path in (upload(client, project), f"data/local-files/?d={quote(VIDEOS + NAME)}"):
        part = client.get(path, headers={"Range": "bytes=100-109"})
        assert (part.status_code, part.content) == (206, VIDEO[100:110])
        assert not part.headers["ETag"].startswith("W/")  # the gateway's own


def test_without_credentials_jupyter_answers(studio: LabelStudioClient, path: str) -> None:
    answer: requests.Response = studio.get(path, anonymous=True, allow_redirects=False)
    assert answer.status_code in {302, 403}
    assert "Content-Range" not in answer.headers
