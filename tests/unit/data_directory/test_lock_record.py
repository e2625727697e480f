"""The record of who holds a data directory: it may contain anything when it is read."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from labelstudio_proxy.data_directory.lock_record import (
    MAXIMUM_BYTES,
    RECORD,
    REQUEST,
    Holder,
    LockRecord,
)

ADA = replace(Holder.of_this_process("the Jupyter server at /user/ada/", ""), key="k1")
BOB = replace(ADA, key="k2", server="the Jupyter server at /user/bob/")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "hidden"
    path.mkdir()
    return path


@pytest.fixture
def records(folder: Path) -> LockRecord:
    return LockRecord(folder)


@pytest.fixture
def file(folder: Path) -> Path:
    return folder / RECORD


def test_written_record_is_read_again_and_private(records: LockRecord, folder: Path) -> None:
    assert records.read() == Holder()
    records.write(ADA)
    records.write(BOB)
    assert records.read() == BOB
    assert {path.name for path in folder.iterdir()} == {RECORD, REQUEST}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    records.clear()
    records.clear()
    assert not list(folder.iterdir())


def as_text(**changes: Any) -> str:
    return json.dumps(asdict(ADA) | changes)


GARBAGE = {
    "empty": "",
    "half": as_text()[:40],
    "no object": "[1]",
    "deep": "[" * 10_000,
    "a field is missing": '{"key": "k1"}',
    "no text": as_text(server=7),
    "no number": as_text(since="now"),
    "no moment": as_text(since=float("nan")),
    "past all calendars": as_text(since=1e300),
    "a process id that is a text": as_text(pid="1"),
    "a process id that is a truth value": as_text(pid=True),
    "a large process id": as_text(pid=2**80),
    "a negative process id": as_text(pid=-1),
    "large": as_text(more="x" * MAXIMUM_BYTES),
    "binary": "\x00\udcff",
}


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE)
def test_invalid_record_is_an_unknown_holder_and_can_be_removed(
    records: LockRecord, file: Path, text: str
) -> None:
    file.write_text(text, errors="surrogateescape")
    assert records.read() == Holder()
    records.clear()
    assert not file.exists()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["fifo", "link", "link to nowhere", "folder"])
def test_record_that_is_not_a_plain_file_is_not_read(
    records: LockRecord, file: Path, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "elsewhere").write_text(as_text())
    if kind == "fifo":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        file.symlink_to(tmp_path / ("elsewhere" if kind == "link" else "nowhere"))
    assert records.read() == Holder()
    if kind != "folder":
        records.clear()
        records.write(BOB)
        assert records.read() == BOB
    assert (tmp_path / "elsewhere").read_text() == as_text()


def test_control_characters_and_long_texts_are_removed(records: LockRecord, file: Path) -> None:
    file.write_text(as_text(server="a\nb\x1b\udcff" + "c" * 10_000))
    server = records.read().server
    assert server.startswith("a b  c")
    assert len(server.encode()) == 500


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://hub.example/user/ada/labelstudio/", True),
        ("http://127.0.0.1:8888/labelstudio/", True),
        ("http://[::1]:8888/labelstudio/", True),
        ("javascript:alert(1)//http://x/", False),
        ("data:text/html,x", False),
        ("//hub.example/", False),
        ("https://ada@evil.example/", False),
        ('https://hub.example/"onclick="x', False),
        ("https://hub.example", False),
    ],
)
def test_only_an_address_of_the_web_is_read(
    records: LockRecord, file: Path, address: str, kept: bool
) -> None:
    file.write_text(as_text(address=address))
    assert records.read() == replace(ADA, address=address if kept else "")


def test_request_reaches_only_the_holder_that_it_names(records: LockRecord) -> None:
    records.write(ADA)
    assert records.request_to(ADA.key) is None
    records.ask(ADA.key, BOB)
    assert records.request_to(ADA.key) == BOB
    assert records.request_to("another") is None
    records.write(replace(ADA, address="https://hub.example/"))
    assert records.request_to(ADA.key) == BOB
    records.clear()
    assert records.request_to(ADA.key) is None


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["", "[", '{"to": "k1"}', '{"to": "k1", "by": {"server": 1}}', None]
)
def test_invalid_request_is_ignored(records: LockRecord, folder: Path, text: str | None) -> None:
    request = folder / REQUEST
    if text is None:
        os.mkfifo(request)
    else:
        request.write_text(text)
    assert records.request_to(ADA.key) is None


def test_request_is_not_written_through_a_link(
    records: LockRecord, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "precious").write_text("precious")
    (folder / REQUEST).symlink_to(tmp_path / "precious")
    with pytest.raises(OSError):  # noqa: PT011 - it is the file that matters
        records.ask(ADA.key, BOB)
    assert (tmp_path / "precious").read_text() == "precious"


def test_process_is_distinguished_from_a_later_one_and_one_on_another_host() -> None:
    assert ADA.runs_here()
    assert not replace(ADA, host="node-seven").runs_here()
    assert not replace(ADA, started=ADA.started - 5).runs_here()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = psutil.Process(process.pid).create_time()
        holder = replace(ADA, pid=process.pid, started=started)
        assert holder.runs_here()
    assert not holder.runs_here()
