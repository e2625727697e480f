"""Backups, also of a data directory in use, and backups that fail."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
from support.archives import PICTURE, quiet, refused, tree

from labelstudio_proxy.cli import backup as saving
from labelstudio_proxy.cli.backup import backup
from labelstudio_proxy.cli.restore import restore
from labelstudio_proxy.data_directory import database_copy
from labelstudio_proxy.data_directory.directory import DATABASE, PROXY_FOLDER, DataDirectory


def test_backup_is_private_and_leaves_no_other_file(backup_file: Path) -> None:
    assert stat.S_IMODE(backup_file.stat().st_mode) == 0o600
    assert list(backup_file.parent.iterdir()) == [backup_file]


def test_backup_does_not_change_the_data_directory(source: Path, tmp_path: Path) -> None:
    before = tree(source.parent)
    backup(DataDirectory(source), tmp_path / "a.zip", quiet)
    assert tree(source.parent) == before


def test_database_in_use_is_backed_up_as_of_one_moment(source: Path, tmp_path: Path) -> None:
    """Two tables that each transaction keeps equal, of many pages."""
    with contextlib.closing(sqlite3.connect(source / DATABASE)) as connection:
        connection.executescript("CREATE TABLE a (n, t); CREATE TABLE b (n, t)")
    done, written, rows = threading.Event(), threading.Event(), 0

    def go_on_writing() -> None:
        nonlocal rows
        with contextlib.closing(sqlite3.connect(source / DATABASE, timeout=60)) as writer:
            while not done.is_set():
                with writer:
                    for table in "ab":
                        writer.execute(
                            f"INSERT INTO {table} VALUES (?, ?)", (rows, os.urandom(50_000))
                        )
                rows += 1
                if rows == 20:
                    written.set()

    thread = threading.Thread(target=go_on_writing)
    thread.start()
    try:
        assert written.wait(60)
        before = rows
        backup(DataDirectory(source), tmp_path / "a.zip", quiet)
        assert rows >= before
    finally:
        done.set()
        thread.join()
    restore(tmp_path / "a.zip", DataDirectory(tmp_path / "target"), quiet)
    with contextlib.closing(sqlite3.connect(tmp_path / "target" / DATABASE)) as connection:
        a, b = (list(connection.execute(f"SELECT n FROM {t} ORDER BY n")) for t in "ab")
    assert a == b
    assert len(a) >= before


def test_writes_do_not_restart_the_copy_of_the_database(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that keeps writing would make the copy endless."""
    monkeypatch.setattr(database_copy, "STEP_PAGES", 1)
    seen: list[int] = []

    def write_meanwhile(done: int, total: int) -> None:
        seen.append(done)
        with (
            contextlib.suppress(sqlite3.OperationalError),  # it waits, here for no time
            contextlib.closing(sqlite3.connect(source / DATABASE, timeout=0)) as writer,
        ):
            writer.execute("INSERT INTO label VALUES ('more')")
            writer.commit()
        assert len(seen) < 1000

    database_copy.copy_database(source / DATABASE, tmp_path / "copy", write_meanwhile)
    pages = (tmp_path / "copy").stat().st_size // 4096
    assert pages > 2
    assert seen == sorted(set(seen))


def test_only_the_records_of_version_and_projects_are_saved_from_the_proxy_folder(
    source: Path, tmp_path: Path
) -> None:
    """The rest belongs to this machine, is unfinished, or is a copy of the database."""
    folder = source / PROXY_FOLDER
    saved = {"version.json", "projects/1.json"}
    others = {"container.json", "lock", ".new-lock.json-1", "backups/a.sqlite3"}
    for name in saved | others | {"projects/.new-1.json-2"}:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    (folder / "link").symlink_to("/etc")
    (source / ".new-abcd").write_bytes(b"half")
    (sentence,) = backup(DataDirectory(source), tmp_path / "a.zip", quiet)
    assert "Left out" not in sentence
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        hidden = {name for name in packed.namelist() if name.startswith(".")}
    assert hidden == {".env", *(f"{PROXY_FOLDER}/{name}" for name in saved)}


def test_links_and_pipes_are_left_out_and_the_output_names_them(
    source: Path, tmp_path: Path
) -> None:
    (source / "media" / "link").symlink_to("/etc")
    os.mkfifo(source / "pipe")
    said = backup(DataDirectory(source), tmp_path / "a.zip", quiet)
    assert "media/link, pipe" in said[1] or "pipe, media/link" in said[1]
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        assert not {"pipe", "media/link"} & set(packed.namelist())


def test_files_without_a_valid_name_are_left_out_and_named(source: Path, tmp_path: Path) -> None:
    (source / "media" / os.fsdecode(b"\xe4.png")).touch()
    said = backup(DataDirectory(source), tmp_path / "a.zip", quiet)
    assert "not valid UTF-8: media/\udce4.png." in said[1]
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        assert PICTURE in packed.namelist()


def test_an_ascii_locale_changes_no_name(source: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from labelstudio_proxy.cli.backup import backup\n"
        "from labelstudio_proxy.cli.restore import restore\n"
        "from labelstudio_proxy.data_directory.directory import DataDirectory\n"
        "source, archive, target = map(Path, sys.argv[1:])\n"
        "assert len(backup(DataDirectory(source), archive, lambda *_: None)) == 1\n"
        "restore(archive, DataDirectory(target), lambda *_: None)"
    )
    paths = (source, tmp_path / "a.zip", tmp_path / "target")
    ascii_locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    subprocess.run(
        [sys.executable, "-c", code, *map(str, paths)], env=os.environ | ascii_locale, check=True
    )
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        assert PICTURE in packed.namelist()
    assert (tmp_path / "target" / PICTURE).exists()


def test_both_commands_say_that_the_database_is_not_included(source: Path, tmp_path: Path) -> None:
    said = backup(DataDirectory(source), tmp_path / "a.zip", quiet, database=False)
    assert "NOT in the backup" in said[-1]
    target = tmp_path / "target"
    assert "NOT in this backup" in restore(tmp_path / "a.zip", DataDirectory(target), quiet)[-1]
    assert not (target / DATABASE).exists()
    assert (target / ".env").exists()


def test_damaged_database_is_not_backed_up(source: Path, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(source / DATABASE)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.executemany("INSERT INTO t VALUES (?)", [(os.urandom(3000),)] * 50)
        connection.commit()
    content = bytearray((source / DATABASE).read_bytes())
    content[-8 * 4096 :] = os.urandom(8 * 4096)
    (source / DATABASE).write_bytes(content)
    output = tmp_path / "out" / "a.zip"
    output.parent.mkdir()
    refused(lambda: backup(DataDirectory(source), output, quiet), "could not be backed up")
    assert list(output.parent.iterdir()) == []


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from labelstudio_proxy.cli import backup as saving
from labelstudio_proxy.cli.backup import backup
from labelstudio_proxy.data_directory.directory import DataDirectory
from labelstudio_proxy.problem import Problem
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    backup(DataDirectory(Path(sys.argv[1])), Path(sys.argv[2]), lambda *_: None)
except Problem as problem:
    print(problem.why)
"""


def test_full_disk_leaves_no_partial_archive(source: Path, tmp_path: Path) -> None:
    (source / "media" / "large").write_bytes(os.urandom(1_000_000))
    output = tmp_path / "out" / "a.zip"
    output.parent.mkdir()
    command = [sys.executable, "-c", FULL_DISK, str(source), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert os.strerror(errno.EFBIG) in done.stdout
    assert list(output.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (sqlite3.OperationalError("database or disk is full"), "Free some space"),
        (OSError(errno.ENOSPC, "full"), "Free some space"),
        (sqlite3.OperationalError("unable to open database file"), "may read and write"),
        (sqlite3.DatabaseError("database disk image is malformed"), "may be damaged"),
    ],
)
def test_remedy_fits_the_error(source: Path, tmp_path: Path, error: Exception, told: str) -> None:
    def fail(*_: object) -> None:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saving, "copy_database", fail)
        problem = refused(
            lambda: backup(DataDirectory(source), tmp_path / "a.zip", quiet), "could not be"
        )
    assert told in problem.remedy


def test_existing_file_is_not_overwritten(source: Path, backup_file: Path) -> None:
    before = backup_file.read_bytes()
    refused(lambda: backup(DataDirectory(source), backup_file, quiet), "exists already")
    assert backup_file.read_bytes() == before


def test_no_backup_is_made_inside_the_data_directory(source: Path) -> None:
    refused(
        lambda: backup(DataDirectory(source), source / "a.zip", quiet), "inside the data directory"
    )


def test_folder_without_a_database_is_refused(tmp_path: Path) -> None:
    refused(
        lambda: backup(DataDirectory(tmp_path), tmp_path.with_name("a.zip"), quiet),
        "nothing to back up",
    )
