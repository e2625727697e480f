"""The kinds of labelling."""

from __future__ import annotations

import pytest

from labelstudio_proxy.labelling import tasks
from labelstudio_proxy.problem import Problem

NAMES = (
    *("image-classification", "object-detection", "image-segmentation", "keypoint-detection"),
    *("text-classification", "token-classification", "audio-classification"),
    *("automatic-speech-recognition", "video-classification", "time-series-classification"),
)


@pytest.mark.parametrize("name", NAMES)
def test_every_task_has_a_key_and_suffixes(name: str) -> None:
    task = tasks.task_named(name)

    assert task.name == name
    assert task.key
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in task.suffixes)


def test_there_are_no_others() -> None:
    assert set(tasks.TASKS) == set(NAMES)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("Image_Classification", "Write `task='image-classification'`."),
        ("object detection", "Write `task='object-detection'`."),
        ("segmentation", "Write `task='image-segmentation'`."),
        ("token-clasification", "Write `task='token-classification'`"),
    ],
)
def test_an_unknown_task_is_named_with_what_is_meant(name: str, remedy: str) -> None:
    with pytest.raises(Problem) as error:
        tasks.task_named(name)

    assert repr(name) in error.value.what
    assert error.value.remedy.startswith(remedy)


def test_a_task_like_none_lists_them_all() -> None:
    with pytest.raises(Problem) as error:
        tasks.task_named("chess")

    assert all(name in error.value.remedy for name in NAMES)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.JPG", "b.png", "labels.csv", "README"], "image-classification"),
        (["sub.folder/a.wav"], "audio-classification"),
        (["a.txt", "b.txt", "c.jpg"], "text-classification"),
        (["a.mp4"], "video-classification"),
        (["a.csv", "b.tsv"], "time-series-classification"),
    ],
)
def test_the_most_frequent_kind_of_file_decides(names: list[str], expected: str) -> None:
    assert tasks.guess_task(names).name == expected


def test_a_tie_asks_for_the_task() -> None:
    with pytest.raises(Problem) as error:
        tasks.guess_task(["a.jpg", "a.wav", "b.jpg", "b.wav", "c.mp4"])

    assert "2 each of image and audio" in error.value.what
    assert "task='audio-classification'" in error.value.remedy


@pytest.mark.parametrize("names", [[], ["README", "a.exe", ".jpg"]])
def test_files_of_no_kind_cannot_be_labelled(names: list[str]) -> None:
    with pytest.raises(Problem, match="can be labelled"):
        tasks.guess_task(names)
