"""Archives that are whole, and those that are cut off, foreign or hostile.

Each refusal is checked to leave the data directory, and the folder around it, as they were.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import sqlite3
import stat
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from labelstudio_proxy.cli import archive
from labelstudio_proxy.cli import restore as restoring
from labelstudio_proxy.cli.archive import MANIFEST
from labelstudio_proxy.cli.backup import backup
from labelstudio_proxy.cli.restore import restore
from labelstudio_proxy.data_directory import database_copy
from labelstudio_proxy.data_directory.directory import DATABASE, DataDirectory
from labelstudio_proxy.data_directory.lock import DirectoryLock
from labelstudio_proxy.problem import Problem

PICTURE = "media/upload/1/ä b\\c\n.png"


def quiet(done: int, total: int) -> None:
    assert 0 <= done <= total


def tree(folder: Path) -> dict[str, bytes | None]:
    """All that is below a folder, by name; None: a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def make_database(path: Path, label: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE htx_user (id); CREATE TABLE django_migrations (id);"
            f"CREATE TABLE label (text); INSERT INTO label VALUES ('{label}')"
        )


def label_in(directory: Path) -> str:
    with contextlib.closing(sqlite3.connect(directory / DATABASE)) as connection:
        return str(connection.execute("SELECT text FROM label").fetchone()[0])


def fill(folder: Path, label: str) -> Path:
    (folder / PICTURE).parent.mkdir(parents=True)
    make_database(folder / DATABASE, label)
    (folder / ".env").write_text(f"SECRET_KEY={label}")
    (folder / PICTURE).write_bytes(b"\x89PNG" * 1000)
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return fill(tmp_path / "source" / "data", "mine")


@pytest.fixture
def whole(source: Path, tmp_path: Path) -> Path:
    """An archive of `source`."""
    (tmp_path / "archives").mkdir()
    made = tmp_path / "archives" / "whole.zip"
    backup(DataDirectory(source), made, quiet)
    return made


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """Another data directory, that a restore would replace."""
    return fill(tmp_path / "used" / "data", "theirs")


@pytest.fixture
def unchanged(used: Path) -> Iterator[None]:
    before, inode = tree(used.parent), used.stat().st_ino
    yield
    assert tree(used.parent) == before
    assert used.stat().st_ino == inode


def kept(used: Path) -> Path:
    (found,) = used.parent.glob("data.before-restore-*")
    return found


# ---- whole ones


def test_a_backup_is_private_and_alone_in_its_folder(whole: Path) -> None:
    assert stat.S_IMODE(whole.stat().st_mode) == 0o600
    assert list(whole.parent.iterdir()) == [whole]


def test_a_backup_changes_nothing(source: Path, tmp_path: Path) -> None:
    before = tree(source.parent)
    backup(DataDirectory(source), tmp_path / "a.zip", quiet)
    assert tree(source.parent) == before


def test_a_backup_is_restored_into_a_new_folder(whole: Path, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder"
    said = restore(whole, DataDirectory(target), quiet)
    assert said == [f"{whole} is restored in {target}."]
    assert label_in(target) == "mine"
    assert tree(target).keys() == tree(source).keys()
    assert (target / ".env").read_text() == "SECRET_KEY=mine"
    assert (target / PICTURE).read_bytes() == (source / PICTURE).read_bytes()
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in target.rglob("*") if p.is_file()} == {0o600}
    assert list(target.parent.iterdir()) == [target]


def test_an_empty_folder_is_replaced_and_not_kept(whole: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder"
    target.mkdir(parents=True)
    restore(whole, DataDirectory(target), quiet)
    assert label_in(target) == "mine"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("exchange", [True, False])
def test_what_was_there_is_kept_and_told(
    whole: Path, used: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    if not exchange:
        monkeypatch.setattr(restoring, "_exchange", lambda *_: False)
    before = tree(used)
    said = restore(whole, DataDirectory(used), quiet)
    assert label_in(used) == "mine"
    assert tree(kept(used)) == before
    assert str(kept(used)) in said[1]
    assert len(list(used.parent.iterdir())) == 2


def test_a_link_to_a_data_directory_stays_a_link(whole: Path, used: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(used)
    restore(whole, DataDirectory(link), quiet)
    assert link.is_symlink()
    assert label_in(used) == "mine"


def test_a_database_that_is_written_to_is_backed_up_as_of_one_moment(
    source: Path, tmp_path: Path
) -> None:
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


def test_no_write_makes_a_copy_begin_anew(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who goes on writing would keep it from ever coming to its end."""
    monkeypatch.setattr(database_copy, "PAGES", 1)
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


def test_what_is_no_plain_file_is_left_out_and_told(source: Path, tmp_path: Path) -> None:
    (source / "media" / "link").symlink_to("/etc")
    os.mkfifo(source / "pipe")
    said = backup(DataDirectory(source), tmp_path / "a.zip", quiet)
    assert "media/link, pipe" in said[1] or "pipe, media/link" in said[1]
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        assert not {"pipe", "media/link"} & set(packed.namelist())


def test_without_the_database_both_commands_say_so(source: Path, tmp_path: Path) -> None:
    said = backup(DataDirectory(source), tmp_path / "a.zip", quiet, database=False)
    assert "NOT in it" in said[-1]
    target = tmp_path / "target"
    assert "NOT in this backup" in restore(tmp_path / "a.zip", DataDirectory(target), quiet)[-1]
    assert not (target / DATABASE).exists()
    assert (target / ".env").exists()


# ---- backups that fail


def refused(run: Callable[[], object], what: str) -> Problem:
    with pytest.raises(Problem) as told:
        run()
    problem = told.value
    assert what in f"{problem.what} {problem.why}", f"{problem.what} {problem.why}"
    assert problem.remedy
    return problem


def test_a_damaged_database_is_not_backed_up(source: Path, tmp_path: Path) -> None:
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


def test_a_disk_that_is_full_leaves_no_half_of_an_archive(source: Path, tmp_path: Path) -> None:
    (source / "media" / "large").write_bytes(os.urandom(1_000_000))
    output = tmp_path / "out" / "a.zip"
    output.parent.mkdir()
    command = [sys.executable, "-c", FULL_DISK, str(source), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert os.strerror(errno.EFBIG) in done.stdout
    assert list(output.parent.iterdir()) == []


def test_nothing_is_overwritten(source: Path, whole: Path) -> None:
    before = whole.read_bytes()
    refused(lambda: backup(DataDirectory(source), whole, quiet), "exists already")
    assert whole.read_bytes() == before


def test_no_backup_is_made_inside_of_the_data_directory(source: Path) -> None:
    refused(lambda: backup(DataDirectory(source), source / "a.zip", quiet), "in the data directory")


def test_a_folder_without_a_database_is_told(tmp_path: Path) -> None:
    refused(
        lambda: backup(DataDirectory(tmp_path), tmp_path.with_name("a.zip"), quiet),
        "nothing to back up",
    )


# ---- archives that are refused


def packed(
    path: Path,
    files: Mapping[str, bytes] | None = None,
    *,
    change: Callable[[dict[str, Any]], object] = lambda _: None,
) -> Path:
    """An archive as `backup` would make it, of a database and more; `change` the manifest."""
    database = path.with_suffix(".sqlite3")
    make_database(database, "foreign")
    contents = {DATABASE: database.read_bytes(), **(files or {})}
    database.unlink()
    manifest = {
        "format": 1,
        "made_by": "x",
        "made_at": "x",
        "database": True,
        "files": {
            name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in contents.items()
        },
    }
    change(manifest)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in contents.items():
            made.writestr(name, data)
        made.writestr(MANIFEST, json.dumps(manifest))
    return path


def rewritten(path: Path, change: Callable[[zipfile.ZipInfo], object], name: str) -> Path:
    """The same archive, with one entry's description changed."""
    with zipfile.ZipFile(path) as before:
        entries = [(info, before.read(info)) for info in before.infolist()]
    with zipfile.ZipFile(path, "w") as after:
        for info, data in entries:
            if info.filename == name:
                change(info)
            after.writestr(info, data)
    return path


def test_the_maker_of_hostile_archives_can_make_a_good_one(tmp_path: Path, used: Path) -> None:
    restore(packed(tmp_path / "a.zip", {"media/x": b"x"}), DataDirectory(used), quiet)
    assert label_in(used) == "foreign"


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("left", [0, 1, 100, 0.5, 0.99, -1, -22, -100])
def test_one_that_was_cut_off(whole: Path, used: Path, left: float) -> None:
    content = whole.read_bytes()
    end = int(left * len(content)) if 0 < left < 1 else int(left)
    whole.write_bytes(content[:end])
    refused(lambda: restore(whole, DataDirectory(used), quiet), "is not restored")


@pytest.mark.usefixtures("unchanged")
def test_one_with_any_byte_of_a_file_changed(whole: Path, used: Path) -> None:
    content = bytearray(whole.read_bytes())
    content[content.index(b"\x89PNG" * 10)] ^= 1
    whole.write_bytes(content)
    refused(lambda: restore(whole, DataDirectory(used), quiet), "is not restored")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "name",
    [
        *("../evil", "media/../../evil", "/tmp/evil", "//tmp/evil", "./evil", "media//evil"),
        *("media/./evil", "..", f"{DATABASE}-journal", f"{DATABASE}-wal", "media/"),
    ],
)
def test_one_with_a_name_that_leads_out(tmp_path: Path, used: Path, name: str) -> None:
    made = packed(tmp_path / "a.zip", {name: b"" if name.endswith("/") else b"evil"})
    refused(lambda: restore(made, DataDirectory(used), quiet), "It holds")
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO])
def test_one_with_a_link_or_a_device(tmp_path: Path, used: Path, kind: int) -> None:
    made = packed(tmp_path / "a.zip", {"media": b"/etc/passwd"})

    def change(info: zipfile.ZipInfo) -> None:
        info.external_attr = (kind | 0o777) << 16

    rewritten(made, change, "media")
    refused(lambda: restore(made, DataDirectory(used), quiet), "no plain file")


@pytest.mark.usefixtures("unchanged")
def test_one_with_two_files_of_one_name(tmp_path: Path, used: Path) -> None:
    made = packed(tmp_path / "a.zip", {"media": b"one"})
    with zipfile.ZipFile(made, "a") as more, pytest.warns(UserWarning, match="Duplicate"):
        more.writestr("media", b"two")
    refused(lambda: restore(made, DataDirectory(used), quiet), "two files of one name")


@pytest.mark.usefixtures("unchanged")
def test_one_with_a_file_where_another_needs_a_folder(tmp_path: Path, used: Path) -> None:
    made = packed(tmp_path / "a.zip", {"media": b"one", "media/x": b"two"})
    refused(lambda: restore(made, DataDirectory(used), quiet), "one place")


@pytest.mark.usefixtures("unchanged")
def test_a_zip_bomb(tmp_path: Path, used: Path) -> None:
    made = packed(tmp_path / "a.zip", {"media": bytes(150 << 20)})
    assert made.stat().st_size < 1 << 20
    refused(lambda: restore(made, DataDirectory(used), quiet), "far more than fits")


@pytest.mark.usefixtures("unchanged")
def test_a_file_that_becomes_larger_than_it_says(tmp_path: Path, used: Path) -> None:
    made = packed(
        tmp_path / "a.zip",
        {"media": bytes(1 << 20)},
        change=lambda manifest: manifest["files"]["media"].update(size=10),
    )
    content = bytearray(made.read_bytes())
    # the size in the central directory, which is what readers believe
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(MANIFEST.encode()) - 46)
    assert content[at + 46 : at + 51] == b"media"
    content[at + 24 : at + 28] = struct.pack("<I", 10)
    made.write_bytes(content)
    refused(lambda: restore(made, DataDirectory(used), quiet), "is not restored")


@pytest.mark.usefixtures("unchanged")
def test_one_for_which_there_is_no_room(
    whole: Path, used: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "FILE_BYTES", 1 << 60)
    refused(lambda: restore(whole, DataDirectory(used), quiet), "no room")


@pytest.mark.usefixtures("unchanged")
def test_a_disk_that_fills_up_meanwhile(whole: Path, used: Path) -> None:
    def full(done: int, total: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    refused(lambda: restore(whole, DataDirectory(used), full), "No space left")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("exchange", [True, False])
def test_a_new_one_that_cannot_be_put_in_place(
    whole: Path, used: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    rename = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if ".restoring-" in path.name:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(path, target)

    if exchange:

        def broken(*_: Path) -> bool:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(restoring, "_exchange", broken)
    else:
        monkeypatch.setattr(restoring, "_exchange", lambda *_: False)
        monkeypatch.setattr(Path, "rename", failing)
    refused(lambda: restore(whole, DataDirectory(used), quiet), os.strerror(errno.EIO))


MANIFESTS: list[Callable[[dict[str, Any]], object]] = [
    lambda manifest: manifest.pop("format"),
    lambda manifest: manifest.update(format=2),
    lambda manifest: manifest.update(files=[]),
    lambda manifest: manifest.update(database="yes"),
    lambda manifest: manifest.update(database=False),
    lambda manifest: manifest["files"].update(x={"size": 1, "sha256": "x"}),
    lambda manifest: manifest["files"].pop(DATABASE),
    lambda manifest: manifest["files"][DATABASE].update(size="1"),
    lambda manifest: manifest["files"][DATABASE].update(size=1),
    lambda manifest: manifest["files"][DATABASE].update(sha256="0" * 64),
    lambda manifest: manifest["files"][DATABASE].update(more=1),
]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("change", MANIFESTS)
def test_one_whose_manifest_does_not_fit(
    tmp_path: Path, used: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    made = packed(tmp_path / "a.zip", change=change)
    refused(lambda: restore(made, DataDirectory(used), quiet), "is not restored")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("content", [b"", b"not a zip", b"SQLite format 3\0" + bytes(5000)])
def test_a_file_that_is_no_archive(tmp_path: Path, used: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    refused(lambda: restore(tmp_path / "a.zip", DataDirectory(used), quiet), "no archive")


@pytest.mark.usefixtures("unchanged")
def test_another_programs_zip(tmp_path: Path, used: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr(DATABASE, "x")
    refused(lambda: restore(tmp_path / "a.zip", DataDirectory(used), quiet), "was not made by")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("content", [b"no database", b""])
def test_one_with_a_database_that_is_not_label_studios(
    tmp_path: Path, used: Path, content: bytes
) -> None:
    made = packed(tmp_path / "a.zip", {DATABASE: content})
    refused(lambda: restore(made, DataDirectory(used), quiet), "damaged, or foreign")


# ---- places that are refused


@pytest.mark.usefixtures("unchanged")
def test_a_directory_in_use_is_refused(whole: Path, used: Path) -> None:
    descriptor = os.open(used, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        refused(lambda: restore(whole, DataDirectory(used), quiet), "is in use")
    finally:
        os.close(descriptor)


def test_who_waits_for_the_directory_gets_the_restored_one(
    whole: Path, used: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened before the swap, locked after: that lock would be on what was put aside."""
    lock, real = DirectoryLock(used), fcntl.flock

    def slow(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real)
        restore(whole, DataDirectory(used), quiet)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", slow)
    assert lock._try() is not None
    assert lock._try() is None
    descriptor = os.open(used, os.O_RDONLY)
    try:
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)
        lock.release()


def test_a_folder_of_other_things_is_not_moved_away(whole: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("x")
    refused(lambda: restore(whole, DataDirectory(home), quiet), "no data directory")
    assert tree(home) == {"thesis.tex": b"x"}


def test_a_failed_restore_leaves_no_new_folder(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"x")
    refused(
        lambda: restore(tmp_path / "a.zip", DataDirectory(tmp_path / "new" / "x"), quiet),
        "no archive",
    )
    assert not (tmp_path / "new").exists()
