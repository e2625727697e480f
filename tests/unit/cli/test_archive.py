"""Archives that are cut off, foreign or hostile.

Each refusal leaves the data directory, and the folder around it, as they were.
"""

from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.archives import label_in, packed, quiet, refused, rewritten

from labelstudio_proxy.cli.archive import MANIFEST
from labelstudio_proxy.cli.restore import restore
from labelstudio_proxy.data_directory.directory import DATABASE, DataDirectory


def test_helper_that_makes_hostile_archives_can_make_a_good_one(
    tmp_path: Path, existing: Path
) -> None:
    restore(packed(tmp_path / "a.zip", {"media/x": b"x"}), DataDirectory(existing), quiet)
    assert label_in(existing) == "foreign"


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("left", [0, 1, 100, 0.5, 0.99, -1, -22, -100])
def test_archive_that_was_cut_off(backup_file: Path, existing: Path, left: float) -> None:
    content = backup_file.read_bytes()
    end = int(left * len(content)) if 0 < left < 1 else int(left)
    backup_file.write_bytes(content[:end])
    refused(lambda: restore(backup_file, DataDirectory(existing), quiet), "is not restored")


@pytest.mark.usefixtures("unchanged")
def test_archive_with_one_changed_byte(backup_file: Path, existing: Path) -> None:
    content = bytearray(backup_file.read_bytes())
    content[content.index(b"\x89PNG" * 10)] ^= 1
    backup_file.write_bytes(content)
    refused(lambda: restore(backup_file, DataDirectory(existing), quiet), "is not restored")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "name",
    [
        *("../evil", "media/../../evil", "/tmp/evil", "//tmp/evil", "./evil", "media//evil"),
        *("media/./evil", "..", f"{DATABASE}-journal", f"{DATABASE}-wal", "media/"),
    ],
)
def test_name_that_leads_out_of_the_folder(tmp_path: Path, existing: Path, name: str) -> None:
    made = packed(tmp_path / "a.zip", {name: b"" if name.endswith("/") else b"evil"})
    refused(lambda: restore(made, DataDirectory(existing), quiet), "It has")
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO])
def test_link_or_device(tmp_path: Path, existing: Path, kind: int) -> None:
    made = packed(tmp_path / "a.zip", {"media": b"/etc/passwd"})

    def change(info: zipfile.ZipInfo) -> None:
        info.external_attr = (kind | 0o777) << 16

    rewritten(made, change, "media")
    refused(lambda: restore(made, DataDirectory(existing), quiet), "no plain file")


@pytest.mark.usefixtures("unchanged")
def test_two_files_of_the_same_name(tmp_path: Path, existing: Path) -> None:
    made = packed(tmp_path / "a.zip", {"media": b"one"})
    with zipfile.ZipFile(made, "a") as more, pytest.warns(UserWarning, match="Duplicate"):
        more.writestr("media", b"two")
    refused(lambda: restore(made, DataDirectory(existing), quiet), "two files of the same name")


@pytest.mark.usefixtures("unchanged")
def test_file_where_another_file_needs_a_folder(tmp_path: Path, existing: Path) -> None:
    made = packed(tmp_path / "a.zip", {"media": b"one", "media/x": b"two"})
    refused(lambda: restore(made, DataDirectory(existing), quiet), "the same place")


@pytest.mark.usefixtures("unchanged")
def test_file_that_is_larger_than_its_header_says(tmp_path: Path, existing: Path) -> None:
    made = packed(tmp_path / "a.zip", {"media": bytes(1 << 20)})
    content = bytearray(made.read_bytes())
    # the size in the central directory, which is what readers believe
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(MANIFEST.encode()) - 46)
    assert content[at + 46 : at + 51] == b"media"
    content[at + 24 : at + 28] = struct.pack("<I", 10)
    made.write_bytes(content)
    refused(lambda: restore(made, DataDirectory(existing), quiet), "is not restored")


def test_archive_of_the_first_format_is_restored(tmp_path: Path, existing: Path) -> None:
    """It lists its files with sizes and checksums."""
    file = {"size": 1, "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}
    made = packed(
        tmp_path / "a.zip",
        {"media/x": b"x"},
        change=lambda manifest: manifest.update(format=1, files={"media/x": file}),
    )
    restore(made, DataDirectory(existing), quiet)
    assert label_in(existing) == "foreign"
    assert (existing / "media" / "x").read_bytes() == b"x"


MANIFESTS: list[Callable[[dict[str, Any]], object]] = [
    lambda manifest: manifest.pop("format"),
    lambda manifest: manifest.update(format=3),
    lambda manifest: manifest.update(format="2"),
    lambda manifest: manifest.update(format=[]),
    lambda manifest: manifest.pop("database"),
    lambda manifest: manifest.update(database="yes"),
    lambda manifest: manifest.update(database=False),
]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("change", MANIFESTS)
def test_manifest_that_does_not_match_the_files(
    tmp_path: Path, existing: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    made = packed(tmp_path / "a.zip", change=change)
    refused(lambda: restore(made, DataDirectory(existing), quiet), "is not restored")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("content", [b"", b"not a zip", b"SQLite format 3\0" + bytes(5000)])
def test_file_that_is_no_archive(tmp_path: Path, existing: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    refused(lambda: restore(tmp_path / "a.zip", DataDirectory(existing), quiet), "no archive")


@pytest.mark.usefixtures("unchanged")
def test_zip_file_of_another_program(tmp_path: Path, existing: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr(DATABASE, "x")
    refused(lambda: restore(tmp_path / "a.zip", DataDirectory(existing), quiet), "did not make it")
