"""The record of who has a data directory, which may be anything by the time it is read."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from labelstudio_proxy.data_directory.lock_record import (
    MOST_BYTES,
    RECORD,
    REQUEST,
    Holder,
    Records,
)
from labelstudio_proxy.data_directory.process_identity import this_process

ADA = Holder("k1", "the Jupyter server at /user/ada/", "", 1790000000.0, this_process())
BOB = replace(ADA, key="k2", server="the Jupyter server at /user/bob/")


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "ours")


@pytest.fixture
def record(tmp_path: Path) -> Path:
    (tmp_path / "ours").mkdir()
    return tmp_path / "ours" / RECORD


def found(records: Records) -> Holder | None:
    read = records.read()
    return read and read[0]


def test_the_first_is_placed_privately_and_the_second_is_not(
    records: Records, tmp_path: Path
) -> None:
    assert found(records) is None
    assert records.place(ADA)
    assert not records.place(BOB)
    assert found(records) == ADA
    assert [path.name for path in (tmp_path / "ours").iterdir()] == [RECORD]
    assert stat.S_IMODE((tmp_path / "ours" / RECORD).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == 0o700


def test_without_hard_links_it_is_the_same(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert records.place(ADA)
    assert not records.place(BOB)
    assert found(records) == ADA


def test_a_beat_changes_what_is_read(records: Records, record: Path) -> None:
    records.place(ADA)
    os.utime(record, (1, 1))
    before = records.read()
    records.beat()
    after = records.read()
    assert before is not None
    assert after is not None
    assert before[1] != after[1]


def test_one_that_came_in_between_is_not_cleared_away(records: Records, tmp_path: Path) -> None:
    records.place(BOB)
    records.clear(ADA.key)
    assert found(records) == BOB
    records.clear(BOB.key)
    records.clear(BOB.key)
    assert not list((tmp_path / "ours").iterdir())


def test_one_that_comes_in_at_the_last_moment_is_put_back(
    records: Records, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    records.place(BOB)
    monkeypatch.setattr(records, "_is_of", lambda _: True)  # as it was a moment ago
    records.clear(ADA.key)
    assert found(records) == BOB
    assert [path.name for path in (tmp_path / "ours").iterdir()] == [RECORD]


def test_another_holders_record_is_not_changed(records: Records) -> None:
    records.place(BOB)
    records.change(replace(ADA, address="http://x/"))
    assert found(records) == BOB
    records.change(replace(BOB, address="http://x/"))
    assert found(records) == replace(BOB, address="http://x/")


def as_text(**changes: Any) -> str:
    return json.dumps(asdict(ADA) | changes)


GARBAGE = {
    "empty": "",
    "half": as_text()[:40],
    "no object": "[1]",
    "deep": "[" * 10_000,
    "no process": as_text(process=None),
    "no text": as_text(server=7),
    "no number": as_text(since="now"),
    "no moment": as_text(since=float("nan")),
    "past all calendars": as_text(since=1e300),
    "a large process id": as_text(process={"pid": "1"}),
    "large": as_text(more="x" * MOST_BYTES),
    "binary": "\x00\udcff",
}


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_of_somebody_unknown_and_can_be_cleared(
    records: Records, record: Path, text: str
) -> None:
    record.write_text(text, errors="surrogateescape")
    assert found(records) == Holder()
    records.clear("")
    assert found(records) is None


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["fifo", "link", "link to nowhere", "folder"])
def test_what_is_no_file_is_neither_waited_for_nor_followed(
    records: Records, record: Path, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "elsewhere").write_text(as_text())
    if kind == "fifo":
        os.mkfifo(record)
    elif kind == "folder":
        record.mkdir()
    else:
        record.symlink_to(tmp_path / ("elsewhere" if kind == "link" else "nowhere"))
    assert found(records) == Holder()
    records.clear("")
    assert records.place(ADA)
    assert found(records) == ADA
    assert (tmp_path / "elsewhere").read_text() == as_text()


def test_words_are_made_fit_to_be_shown(records: Records, record: Path) -> None:
    record.write_text(as_text(server="a\nb\x1b" + "c" * 10_000))
    holder = found(records)
    assert holder is not None
    assert holder.server.startswith("a b c")
    assert len(holder.server) == 500


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
def test_an_address_is_one_of_the_web_or_none(
    records: Records, record: Path, address: str, kept: bool
) -> None:
    record.write_text(as_text(address=address))
    holder = found(records)
    assert holder is not None
    assert holder.address == (address if kept else "")


def test_a_request_reaches_whom_it_is_to_and_nobody_else(records: Records, record: Path) -> None:
    records.place(ADA)
    records.listen()
    assert records.asked(ADA.key) is None
    records.ask(ADA.key, BOB)
    assert records.asked(ADA.key) == BOB
    assert records.asked("another") is None
    records.leave(ADA.key)
    assert records.asked(ADA.key) is None


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["", "[", '{"to": "k1"}', '{"to": "k1", "by": {"server": 1}}', None]
)
def test_a_request_that_is_none_is_ignored(
    records: Records, record: Path, text: str | None
) -> None:
    request = record.with_name(REQUEST)
    if text is None:
        os.mkfifo(request)
    else:
        request.write_text(text)
    assert records.asked(ADA.key) is None


def test_a_request_does_not_go_through_a_link(
    records: Records, record: Path, tmp_path: Path
) -> None:
    (tmp_path / "precious").write_text("precious")
    record.with_name(REQUEST).symlink_to(tmp_path / "precious")
    with pytest.raises(OSError):  # noqa: PT011 - it is the file that matters
        records.ask(ADA.key, BOB)
    assert (tmp_path / "precious").read_text() == "precious"
