"""What an upload may have, with Django's own parser, and without Label Studio."""

from __future__ import annotations

import io
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

# Label Studio brings both; `make test-fast` does not install Label Studio.
pytest.importorskip("django")
pytest.importorskip("rest_framework")

from django.conf import settings
from django.http.multipartparser import MultiPartParser
from django.test.utils import override_settings
from rest_framework.exceptions import ValidationError

from labelstudio_proxy.label_studio.programs.labelstudio_uploads import UploadHandler

if not settings.configured:
    settings.configure()

MOST = 1000  # bytes, of a file that Label Studio reads whole


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where uploads arrive; of one, at most three files."""
    path = tmp_path / ".labelstudio-proxy" / "temporary"
    limits = {"UPLOAD_MAX_FILES": 3, "DATA_UPLOAD_MAX_MEMORY_SIZE": MOST}
    with override_settings(FILE_UPLOAD_TEMP_DIR=str(path), **limits):
        yield path


def upload(*files: tuple[str, bytes]) -> Any:
    """Return the files that Django makes of an upload."""
    body = b"".join(
        b'--B\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n%s\r\n'
        % (name.encode(), name.encode(), content)
        for name, content in files
    )
    meta = {"CONTENT_TYPE": "multipart/form-data; boundary=B", "CONTENT_LENGTH": str(len(body) + 7)}
    stream = io.BytesIO(body + b"--B--\r\n")
    try:
        return MultiPartParser(meta, stream, [UploadHandler()]).parse()[1]
    finally:
        # otherwise the browser would not get the response
        assert stream.tell() == len(stream.getvalue())


def test_files_of_any_size_arrive_on_the_disk_of_the_data(folder: Path) -> None:
    given = {"small.png": b"1", "large.mp4": b"2" * 10 * MOST, "tasks.json": b"3" * MOST}
    found = upload(*given.items())
    assert {name: file.read() for name, file in found.items()} == given
    assert {Path(file.temporary_file_path()).parent for file in found.values()} == {folder}
    for file in found.values():
        file.close()
    assert list(folder.iterdir()) == []


def test_too_many_files_are_refused(folder: Path) -> None:
    with pytest.raises(ValidationError, match=r"at most 3 files\. Upload them in several parts"):
        upload(*((f"{number}.png", b"1") for number in range(4)))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["tasks.json", "TABLE.CSV", "page.html"])
def test_a_file_that_would_not_fit_into_memory_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(ValidationError, match=f"{name} is larger than .*Split it"):
        upload(("small.png", b"1"), (name, b"2" * (MOST + 1)))
    assert list(folder.iterdir()) == []


def test_an_upload_that_the_disk_cannot_hold_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 20 * 1024 * 1024 + 50))
    with pytest.raises(ValidationError, match=r"has room for 0 MB.* Free some space"):
        upload(("large.mp4", b"2" * 100))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("size", [100, 100_000])  # more or less than Python keeps before it writes
def test_an_upload_that_fills_the_disk_leaves_nothing_there(folder: Path, size: int) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, before[1]))  # of any file
    try:
        with pytest.raises(ValidationError, match=r"does not fit on the disk.* Free some space"):
            upload(("small.png", b"1"), ("large.mp4", b"2" * size), ("next.png", b"3"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(folder.iterdir()) == []
