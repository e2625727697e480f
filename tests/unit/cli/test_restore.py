"""Restores, and those that fail: the data directory and the folder around it stay as they were."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.archives import PICTURE, label_in, packed, quiet, refused, tree

from labelstudio_proxy.cli import archive
from labelstudio_proxy.cli.backup import backup
from labelstudio_proxy.cli.restore import restore
from labelstudio_proxy.data_directory.directory import DATABASE, PROXY_FOLDER, DataDirectory
from labelstudio_proxy.data_directory.interrupted_restore import BEFORE, RESTORED
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


def test_previous_data_are_kept_and_the_output_names_them(
    backup_file: Path, existing: Path
) -> None:
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
    refused(lambda: restore(backup_file, DataDirectory(existing), quiet), "not enough room")


@pytest.mark.usefixtures("unchanged")
def test_disk_that_becomes_full_during_the_restore(backup_file: Path, existing: Path) -> None:
    def full(done: int, total: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    refused(lambda: restore(backup_file, DataDirectory(existing), full), "No space left")


@pytest.mark.usefixtures("unchanged")
def test_restored_folder_that_cannot_be_renamed(
    backup_file: Path, existing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if RESTORED in path.name:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    refused(lambda: restore(backup_file, DataDirectory(existing), quiet), os.strerror(errno.EIO))


# Restores, and sends itself a signal before an event with `words` in its path.
KILLED = """
import os, sys
from labelstudio_proxy.cli.main import main
archive, directory, event, words, number = sys.argv[1:]

def kill(name, arguments):
    if name == event and words in f"{arguments[event == 'os.rename']}|":
        os.kill(os.getpid(), int(number))

sys.addaudithook(kill)
main(["restore", archive, "--data-dir", directory])
"""


def killed_restore(
    backup_file: Path, existing: Path, event: str, words: str, number: int = signal.SIGKILL
) -> int:
    """Return the exit status of a restore that gets a signal."""
    command = [sys.executable, "-c", KILLED, str(backup_file), str(existing), event, words]
    return subprocess.run([*command, str(int(number))], timeout=60, check=False).returncode


@pytest.mark.parametrize(
    ("number", "status", "leftovers"),
    [(signal.SIGTERM, 128 + signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL, 1)],
)
def test_restore_that_is_killed_while_it_unpacks_changes_nothing(
    backup_file: Path, existing: Path, number: int, status: int, leftovers: int
) -> None:
    before = tree(existing)
    assert killed_restore(backup_file, existing, "open", ".png|", number) == status
    assert tree(existing) == before
    assert len(list(existing.parent.glob("data.restoring-*"))) == leftovers
    assert len(list(existing.parent.iterdir())) == 1 + leftovers


@pytest.mark.parametrize("name", [RESTORED, BEFORE])
def test_restore_that_is_killed_before_it_renames_the_data_changes_nothing(
    backup_file: Path, existing: Path, name: str
) -> None:
    before = tree(existing)
    assert killed_restore(backup_file, existing, "os.rename", name) == -signal.SIGKILL
    assert tree(existing) == before
    DataDirectory(existing).prepare()
    restore(backup_file, DataDirectory(existing), quiet)
    assert label_in(existing) == "mine"


def test_after_a_kill_between_the_renames_every_command_says_which_folder_is_which(
    backup_file: Path, existing: Path
) -> None:
    before = tree(existing)
    assert killed_restore(backup_file, existing, "os.rename", "/data|") == -signal.SIGKILL
    assert not existing.exists()
    (restored,) = existing.parent.glob(f"data{RESTORED}*")
    (previous,) = existing.parent.glob(f"data{BEFORE}*")
    assert tree(previous) == before
    assert label_in(restored) == "mine"
    directory = DataDirectory(existing)
    for command in (
        directory.prepare,
        lambda: restore(backup_file, directory, quiet),
        lambda: backup(directory, backup_file.with_name("new.zip"), quiet),
    ):
        problem = refused(command, "was interrupted")
        assert f"{restored} has the restored data" in problem.why
        assert f"{previous} the data from before" in problem.why
        assert not existing.exists()
    (move,) = re.findall("`(.*)`", problem.remedy)
    subprocess.run(move.split(), check=True)
    directory.prepare()
    assert label_in(existing) == "mine"


def test_new_data_directory_beside_an_old_restore_is_no_interrupted_one(
    backup_file: Path, existing: Path
) -> None:
    restore(backup_file, DataDirectory(existing), quiet)
    shutil.rmtree(existing)
    DataDirectory(existing).prepare()


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("content", [b"no database", b""])
def test_database_that_is_not_label_studios(tmp_path: Path, existing: Path, content: bytes) -> None:
    made = packed(tmp_path / "a.zip", {DATABASE: content})
    refused(lambda: restore(made, DataDirectory(existing), quiet), "damaged, or not Label Studio's")


@pytest.mark.usefixtures("unchanged")
def test_directory_in_use_is_refused(backup_file: Path, existing: Path) -> None:
    with (existing / PROXY_FOLDER / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        problem = refused(lambda: restore(backup_file, DataDirectory(existing), quiet), "is in use")
    assert f"labelstudio-proxy stop --data-dir {existing}`, then try again." in problem.remedy


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
    with (existing / PROXY_FOLDER / LOCK).open("w") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    lock.release()


def test_folder_with_other_files_is_refused(backup_file: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("x")
    refused(lambda: restore(backup_file, DataDirectory(home), quiet), "not a data directory")
    assert tree(home) == {"thesis.tex": b"x"}


def test_failed_restore_leaves_no_new_folder(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"x")
    refused(
        lambda: restore(tmp_path / "a.zip", DataDirectory(tmp_path / "new" / "x"), quiet),
        "no archive",
    )
    assert not (tmp_path / "new").exists()


def test_restore_into_an_empty_folder_works_after_one_that_failed(
    backup_file: Path, tmp_path: Path
) -> None:
    target, broken = tmp_path / "empty", tmp_path / "a.zip"
    target.mkdir()
    broken.write_bytes(b"x")
    refused(lambda: restore(broken, DataDirectory(target), quiet), "no archive")
    restore(backup_file, DataDirectory(target), quiet)
    assert label_in(target) == "mine"
