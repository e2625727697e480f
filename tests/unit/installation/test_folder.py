"""The folder of the installed Label Studio."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from labelstudio_proxy.installation.folder import InstallFolder


def make_environments(folder: InstallFolder) -> None:
    for version in ("1.0", "2.0"):
        with folder.new_environment(version) as environment:
            folder.switch(environment)


def test_only_the_current_environment_stays(tmp_path: Path) -> None:
    folder = InstallFolder(tmp_path)
    make_environments(folder)
    folder.remove_unused()
    assert [each.resolve() for each in folder.environments()] == [folder.current()]


def test_without_locks_an_environment_that_may_be_in_use_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    folder = InstallFolder(tmp_path)
    with folder.lock():
        make_environments(folder)
        folder.remove_unused()
        assert len(folder.environments()) == 2
        folder.remove()
    assert folder.environments() == []
