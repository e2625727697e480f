from __future__ import annotations

from pathlib import Path

import pytest

from labelstudio_proxy.data_directory.directory import DATABASE, DataDirectory
from labelstudio_proxy.data_directory.earlier_data import FOLDER, Choice, EarlierData, Offer
from labelstudio_proxy.problem import Problem


@pytest.fixture
def earlier(tmp_path: Path) -> EarlierData:
    folder = tmp_path / "notebooks" / FOLDER
    folder.mkdir(parents=True)
    (folder / DATABASE).write_bytes(b"")
    return EarlierData(tmp_path / "share" / "data", folder)


@pytest.mark.parametrize("exists", [False, True])
def test_a_first_start_waits_for_a_choice_and_makes_nothing(
    earlier: EarlierData, exists: bool
) -> None:
    if exists:
        earlier.path.mkdir(parents=True)
    for _ in range(2):
        with pytest.raises(Offer) as caught:
            earlier.settle(None)
        assert caught.value.details_as_json() == {"offer": {"folder": str(earlier.folder)}}
    assert earlier.path.exists() == exists


@pytest.mark.parametrize("exists", [False, True])
def test_the_data_directory_becomes_a_link_to_the_earlier_data(
    earlier: EarlierData, exists: bool
) -> None:
    if exists:
        earlier.path.mkdir(parents=True)
    earlier.settle(Choice.USE)
    assert earlier.path.resolve() == earlier.folder
    earlier.settle(None)
    earlier.settle(Choice.NONE)
    assert DataDirectory(earlier.path).database.exists()


def test_who_starts_with_no_data_is_not_asked_again(earlier: EarlierData) -> None:
    earlier.settle(Choice.NONE)
    assert earlier.path.is_dir()
    assert not earlier.path.is_symlink()
    assert not DataDirectory(earlier.path).database.exists()
    earlier.settle(None)
    earlier.settle(Choice.USE)
    assert not earlier.path.is_symlink()


def test_nothing_is_offered_without_earlier_data_or_beside_own_data(earlier: EarlierData) -> None:
    EarlierData(earlier.path, earlier.folder.parent).settle(None)
    assert not earlier.path.exists()
    earlier.path.mkdir(parents=True)
    (earlier.path / ".env").write_text("")
    earlier.settle(None)
    earlier.settle(Choice.USE)
    assert not earlier.path.is_symlink()


def test_an_interrupted_restore_comes_first(earlier: EarlierData) -> None:
    for name in ("data.restored-1", "data.before-restore-1"):
        (earlier.path.parent / name).mkdir(parents=True)
    with pytest.raises(Problem, match="was interrupted"):
        earlier.settle(Choice.USE)
    assert not earlier.path.is_symlink()
