"""Restores, and those that fail: the data directory and the folder around it stay as they were."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest
from support.archives import PICTURE, label_in, packed, quiet, refused, tree

from labelstudio_proxy.cli import archive
from labelstudio_proxy.cli import restore as restoring
from labelstudio_proxy.cli.restore import restore
from labelstudio_proxy.data_directory.directory import DATABASE, OURS, DataDirectory
from labelstudio_proxy.data_directory.lock import LOCK, DirectoryLock


def test_backup_is_restored_into_a_new_folder(
    backup_file: Path, source: Path, tmp_path: Path
) -> None:
    target = tmp_path / "new" / "folder"
    said = restore(backup_file, DataDirectory(target), quiet)
    assert said == [f"{backup_file} is restored in {target}."]
    assert label_in(target) == "mine"
    assert tree(target).keys() == tree(source).keys()
    assert (target / ".env").read_text() == "SECRET_KEY=mine"
    assert (target / PICTURE).read_bytes() == (source / PICTURE).read_bytes()
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in target.rglob("*") if p.is_file()} == {0o600}
    assert list(target.parent.iterdir()) == [target]


def test_empty_folder_is_replaced_and_not_kept(backup_file: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder"
    target.mkdir(parents=True)
    restore(backup_file, DataDirectory(target), quiet)
    assert label_in(target) == "mine"
    assert list(target.parent.iterdir()) == [target]


def kept(existing: Path) -> Path:
    (found,) = existing.parent.glob("data.before-restore-*")
    return found


@pytest.mark.parametrize("exchange", [True, False])
def test_previous_data_are_kept_and_the_output_names_them(
    backup_file: Path, existing: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    if not exchange:
        monkeypatch.setattr(restoring, "_exchange", lambda *_: False)
    before = tree(existing)
    said = restore(backup_file, DataDirectory(existing), quiet)
    assert label_in(existing) == "mine"
    assert tree(kept(existing)) == before
    assert str(kept(existing)) in said[1]
    assert len(list(existing.parent.iterdir())) == 2


def test_link_to_a_data_directory_stays_a_link(
    backup_file: Path, existing: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(existing)
    restore(backup_file, DataDirectory(link), quiet)
    assert link.is_symlink()
    assert label_in(existing) == "mine"


@pytest.mark.usefixtures("unchanged")
def test_not_enough_free_space(
    backup_file: Path, existing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "FILE_BYTES", 1 << 60)
    refused(lambda: restore(backup_file, DataDirectory(existing), quiet), "no room")


@pytest.mark.usefixtures("unchanged")
def test_disk_that_becomes_full_during_the_restore(backup_file: Path, existing: Path) -> None:
    def full(done: int, total: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    refused(lambda: restore(backup_file, DataDirectory(existing), full), "No space left")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("exchange", [True, False])
def test_restored_folder_that_cannot_be_renamed(
    backup_file: Path, existing: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
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
    refused(lambda: restore(backup_file, DataDirectory(existing), quiet), os.strerror(errno.EIO))


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("content", [b"no database", b""])
def test_database_that_is_not_label_studios(tmp_path: Path, existing: Path, content: bytes) -> None:
    made = packed(tmp_path / "a.zip", {DATABASE: content})
    refused(lambda: restore(made, DataDirectory(existing), quiet), "damaged, or foreign")


@pytest.mark.usefixtures("unchanged")
def test_directory_in_use_is_refused(backup_file: Path, existing: Path) -> None:
    with (existing / OURS / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused(lambda: restore(backup_file, DataDirectory(existing), quiet), "is in use")


def test_lock_that_waits_for_a_restore_locks_the_restored_folder(
    backup_file: Path, existing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened before the swap, locked after: that lock would be on what was put aside."""
    lock, real = DirectoryLock(existing), fcntl.flock

    def slow(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real)
        restore(backup_file, DataDirectory(existing), quiet)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", slow)
    assert lock._try() is not None
    assert lock._try() is None
    with (existing / OURS / LOCK).open("w") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    lock.release()


def test_folder_with_other_files_is_refused(backup_file: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("x")
    refused(lambda: restore(backup_file, DataDirectory(home), quiet), "no data directory")
    assert tree(home) == {"thesis.tex": b"x"}


def test_failed_restore_leaves_no_new_folder(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"x")
    refused(
        lambda: restore(tmp_path / "a.zip", DataDirectory(tmp_path / "new" / "x"), quiet),
        "no archive",
    )
    assert not (tmp_path / "new").exists()
