"""A folder that is written whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from labelstudio_proxy.gateway.projects.new_folder import check_target, new_folder
from labelstudio_proxy.problem import Problem

HANGS = """
import sys, time
from pathlib import Path
from labelstudio_proxy.gateway.projects.new_folder import new_folder
with new_folder(Path(sys.argv[1])) as (content, temporary):
    (content / "half").write_text("half")
    print("writing", flush=True)
    time.sleep(600)
"""


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


@pytest.mark.parametrize("exists", [False, True])
def test_it_appears_at_the_end(tmp_path: Path, exists: bool) -> None:
    target = tmp_path / "new"
    if exists:
        target.mkdir()
    tmp_path.chmod(0o755)

    with new_folder(target) as (content, temporary):
        (content / "in").mkdir(mode=0o700)
        (content / "in" / "a").write_text("a")
        (content / "in" / "a").chmod(0o600)
        (temporary / "download").write_text("b")
        assert not target.exists() or names(target) == set()

    assert names(tmp_path) == {"new"}
    assert (target / "in").stat().st_mode & 0o777 == 0o755
    assert (target / "in" / "a").stat().st_mode & 0o777 == 0o644


def test_it_is_as_private_as_the_folder_around_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)

    with new_folder(tmp_path / "new") as (content, _):
        (content / "a").write_text("a")

    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new" / "a").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "No space left on device. Free some space"),
        (errno.EDQUOT, "Free some space"),
        (errno.EROFS, "Read-only file system. Choose another folder."),
    ],
)
def test_an_error_leaves_nothing(tmp_path: Path, number: int, words: str) -> None:
    def fail() -> None:
        with new_folder(tmp_path / "new") as (content, _):
            (content / "half").write_text("half")
            raise OSError(number, os.strerror(number))

    with pytest.raises(Problem) as caught:
        fail()

    assert words in caught.value.as_sentence()
    assert str(tmp_path / "new") in caught.value.what
    assert names(tmp_path) == set()


def test_a_killed_process_leaves_no_target_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    target = tmp_path / "new"
    with subprocess.Popen(
        [sys.executable, "-c", HANGS, str(target)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        with new_folder(tmp_path / "other"):
            assert len(names(tmp_path)) == 2  # that of a running process stays
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not target.exists()
    assert len(names(tmp_path)) == 2

    with new_folder(target):
        pass

    assert names(tmp_path) == {"new", "other"}


def test_wrong_targets_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    for target, words in (
        (tmp_path, "is not empty"),
        (tmp_path / "file", "is a file"),
        (tmp_path / "link", "is a link"),
        (tmp_path / "missing" / "new", f"The folder {tmp_path / 'missing'} does not exist."),
        (tmp_path / "file" / "new", "does not exist"),
        (tmp_path / ("n" * 256), "Choose a shorter name."),
    ):
        with pytest.raises(Problem) as caught:
            check_target(target)
        assert words in caught.value.as_sentence()
    with pytest.raises(Problem, match="could not be written"), new_folder(Path("/proc/new")):
        pass
