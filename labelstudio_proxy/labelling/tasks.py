"""The kinds of labelling, by the names that Hugging Face uses."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from ..api_types import Medium
from ..problem import Problem

# What browsers show, and so Label Studio. By medium; lower case, with the dot.
SUFFIXES: Mapping[Medium, frozenset[str]] = {
    "image": frozenset(
        (".jpg", ".jpeg", ".jfif", ".png", ".apng", ".gif", ".webp", ".bmp", ".svg", ".avif")
    ),
    "text": frozenset((".txt", ".text", ".md")),
    "audio": frozenset((".wav", ".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".aac")),
    "video": frozenset((".mp4", ".m4v", ".mov", ".webm", ".ogv")),
    "time-series": frozenset((".csv", ".tsv")),
}

# The key of the task data that holds the item. By medium.
_KEYS: Mapping[Medium, str] = {
    "image": "image",
    "text": "text",
    "audio": "audio",
    "video": "video",
    "time-series": "csv",
}


@dataclass(frozen=True)
class Task:
    """A kind of labelling.

    name:    Hugging Face's name, such as "image-classification".
    medium:  "image", "text", "audio", "video" or "time-series".
    regions: True if labels belong to a part of an item: a box, mask, key point or span.
    """

    name: str
    medium: Medium
    regions: bool = False
    key: str = field(init=False)
    suffixes: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", _KEYS[self.medium])
        object.__setattr__(self, "suffixes", SUFFIXES[self.medium])


TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task("image-classification", "image"),
        Task("object-detection", "image", regions=True),
        Task("image-segmentation", "image", regions=True),
        Task("keypoint-detection", "image", regions=True),
        Task("text-classification", "text"),
        Task("token-classification", "text", regions=True),
        Task("audio-classification", "audio"),
        Task("automatic-speech-recognition", "audio"),
        Task("video-classification", "video"),
        Task("time-series-classification", "time-series"),
    )
}


def task_named(name: str) -> Task:
    """Return the task called `name`, or raise Problem."""
    if task := TASKS.get(str(name)):
        return task
    usual = str(name).strip().lower().replace("_", "-").replace(" ", "-")
    if usual in TASKS:
        close = [usual]
    else:
        close = [each for each in TASKS if usual and usual in each]
        close = close or difflib.get_close_matches(usual, TASKS)
    names = [f"`task={each!r}`" for each in close]
    remedy = f"Write {_either(names)}." if names else f"Use one of {', '.join(TASKS)}."
    raise Problem(f"There is no task {name!r}.", "", remedy)


def medium_of(name: str) -> Medium | None:
    """Return the medium of the file `name`, or None for a file that no task is for."""
    suffix = PurePath(name).suffix.lower()
    return next((medium for medium, suffixes in SUFFIXES.items() if suffix in suffixes), None)


def guess_task(names: Iterable[str]) -> Task:
    """Return the classification of the medium that most of the files `names` have.

    Raises Problem if no file can be labelled, or if two media are equally frequent.
    """
    found = Counter(medium for name in names if (medium := medium_of(name)))
    if not found:
        raise Problem(
            "None of these files can be labelled.",
            f"Label Studio shows {', '.join(SUFFIXES)}, by the file's suffix.",
            "Choose other files, or convert them, for example to .jpg, .txt, .wav, .mp4 or .csv.",
        )
    (first, count), *others = found.most_common()
    tied = [first, *(medium for medium, number in others if number == count)]
    tasks = [f"{medium}-classification" for medium in tied]
    if len(tied) > 1:
        raise Problem(
            f"There are as many files of one kind as of the other: {count} each of "
            f"{' and '.join(tied)}.",
            "",
            f"Say which to label: {_either([f'`task={name!r}`' for name in tasks])}.",
        )
    return TASKS[tasks[0]]


def _either(names: list[str]) -> str:
    return " or ".join(names)
