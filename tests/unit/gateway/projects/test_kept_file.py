"""The file with the labels of a project: what is made again, and what happens to the file."""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterable
from pathlib import Path

import pytest

from labelstudio_proxy.data_directory.annotations import Version
from labelstudio_proxy.gateway.projects.kept_file import KeptFile
from labelstudio_proxy.labelling.json_lines import Lines


class Labels:
    """Annotations: their number, task, version and text; and the tasks that were read."""

    def __init__(self, *annotations: tuple[int, int, str, str]) -> None:
        self.annotations = list(annotations)
        self.read_tasks: list[Collection[int] | None] = []

    def update(self, file: KeptFile) -> None:
        versions = [Version(number, task, at) for number, task, at, _ in self.annotations]
        file.update(versions, self.read)

    def read(self, tasks: Collection[int] | None) -> Iterable[Lines]:
        self.read_tasks.append(tasks)
        for number, task, at, text in self.annotations:
            if tasks is None or task in tasks:
                yield Lines(number, at, text.encode() + b"\n")


@pytest.fixture
def file(tmp_path: Path) -> KeptFile:
    return KeptFile(tmp_path / "labels.jsonl", 0o027)


def test_only_changed_annotations_are_read_again(file: KeptFile) -> None:
    labels = Labels((1, 1, "t1", "a"), (2, 2, "t1", "b"), (5, 3, "t1", "c\nd"))
    labels.update(file)
    assert file.path.read_text() == "a\nb\nc\nd\n"
    labels.annotations[1] = (2, 2, "t2", "B")
    labels.annotations.insert(1, (7, 1, "t2", "x"))
    labels.update(file)
    assert file.path.read_text() == "a\nx\nB\nc\nd\n"
    del labels.annotations[0]
    labels.update(file)
    assert file.path.read_text() == "x\nB\nc\nd\n"
    assert labels.read_tasks == [None, {1, 2}, set()]


def test_the_file_is_left_alone_if_nothing_has_changed(file: KeptFile) -> None:
    labels = Labels((1, 1, "t1", "a"))
    labels.update(file)
    before = file.path.stat()
    labels.update(file)
    labels.update(KeptFile(file.path, 0))  # after a restart
    file.write([Lines(1, "t1", b"a\n")])
    assert file.path.stat() == before
    assert labels.read_tasks == [None, None]


def test_what_another_program_did_to_the_file_is_undone(file: KeptFile) -> None:
    labels = Labels((1, 1, "t1", "a"))
    labels.update(file)
    file.path.write_text("b\n")
    labels.update(file)
    assert file.path.read_text() == "a\n"
    file.path.unlink()
    labels.update(file)
    assert file.path.read_text() == "a\n"


def test_a_project_without_labels_has_an_empty_file(file: KeptFile) -> None:
    labels = Labels()
    for _ in range(2):
        labels.update(file)
        assert file.path.read_bytes() == b""
        file.path.unlink()


def test_an_annotation_that_went_meanwhile_is_left_out(file: KeptFile) -> None:
    versions = [Version(1, 1, "t1"), Version(2, 1, "t1"), Version(3, 2, "t1")]
    file.update(versions, lambda tasks: [Lines(1, "t1", b"a\n"), Lines(3, "t1", b"c\n")])
    assert file.path.read_bytes() == b"a\nc\n"


def test_a_failed_write_changes_nothing_and_is_made_up_for(file: KeptFile) -> None:
    labels = Labels((1, 1, "t1", "a"))
    labels.update(file)
    labels.annotations = [(1, 1, "t2", "b")]
    folder = file.path.parent
    folder.rename(folder.with_name("away"))
    with pytest.raises(FileNotFoundError):
        labels.update(file)
    assert not folder.exists()
    folder.with_name("away").rename(folder)
    assert file.path.read_text() == "a\n"
    labels.update(file)
    assert file.path.read_text() == "b\n"


def test_a_new_file_follows_the_umask_and_another_keeps_its_mode(file: KeptFile) -> None:
    labels = Labels((1, 1, "t1", "a"))
    labels.update(file)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o640
    file.path.chmod(0o664)
    labels.annotations = [(1, 1, "t2", "b")]
    labels.update(file)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o664


def test_a_link_gives_way_and_what_it_names_stays(file: KeptFile) -> None:
    """As DVC and git-annex link a file to their store, whose files must not change."""
    stored = file.path.with_name("stored")
    stored.write_text("a\n")
    stored.chmod(0o444)
    file.path.symlink_to(stored)
    labels = Labels((1, 1, "t1", "b"))
    labels.update(file)
    assert stored.read_text() == "a\n"
    assert not file.path.is_symlink()
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o640


def test_what_a_killed_gateway_has_left_is_removed(file: KeptFile) -> None:
    left, other = (
        file.path.with_name(f".new-{name}-0123abcd") for name in ("labels.jsonl", "other.jsonl")
    )
    left.touch()
    other.touch()
    Labels().update(file)
    assert sorted(file.path.parent.iterdir()) == [other, file.path]
