from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from labelstudio_proxy.doctor.redaction import redacted
from labelstudio_proxy.lifecycle import log
from labelstudio_proxy.lifecycle.log import LabelStudioLog


def test_a_reader_gets_what_came_since(tmp_path: Path) -> None:
    book = LabelStudioLog(tmp_path / "log")
    book.add("one")
    seen = book.last
    book.add("two")
    assert book.since(seen) == [(2, "two")]
    assert book.since(0) == [(1, "one"), (2, "two")]
    assert book.tail(1) == ["two"]
    book.close()


def test_every_line_is_kept_in_a_private_file_that_does_not_grow_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "FILE_BYTES", 10_000)
    path = tmp_path / "logs" / "log"
    book = LabelStudioLog(path)
    for number in range(3000):
        book.add(f"line {number} 100% {{}} %s")
    book.close()
    kept = sorted(path.parent.iterdir())
    assert [file.name for file in kept] == ["log", "log.1", "log.2", "log.3"]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in kept)
    assert all(file.stat().st_size <= 10_000 for file in kept)
    assert path.read_text().endswith("line 2999 100% {} %s\n")
    assert len(book.since(0)) == log.TAIL_LINES


def test_a_disk_that_hangs_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write to a pipe blocks until a program reads it."""
    monkeypatch.setattr(log, "CLOSE_SECONDS", 0.1)
    os.mkfifo(tmp_path / "log")
    book = LabelStudioLog(tmp_path / "log")
    book.add("still here")
    assert book.tail(1) == ["still here"]
    book.close()
    with (tmp_path / "log").open() as pipe:  # the disk responds again
        assert pipe.read().endswith(" still here\n")


def test_a_full_disk_stops_nobody() -> None:
    book = LabelStudioLog(Path("/dev/full"))
    book.add("still here")
    book.close()
    assert book.tail(1) == ["still here"]


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer s3cr3t-value",
        "authorization: token s3cr3t-value",
        "POSTGRE_PASSWORD=s3cr3t-value",
        '{"api_key": "s3cr3t-value"}',
        "postgres://ada:s3cr3t-value@db/labels",
        "GET /x?token=s3cr3t-value&a=b",
        "the key is s3cr3t-value.",
    ],
)
def test_diagnostics_show_no_secret(text: str) -> None:
    assert "s3cr3t-value" not in redacted(text, ["s3cr3t-value"] if "the key" in text else [])


def test_diagnostics_leave_the_rest_as_it_is() -> None:
    text = "Applying authtoken.0001_initial... OK\nhttp://localhost:8080/a@b\ntokens: 3"
    assert redacted(text, ["1", ""]) == text
