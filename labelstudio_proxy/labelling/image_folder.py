"""A folder for each label with the files that have it, as torchvision and Hugging Face read it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath

from ..problem import Problem
from .interface import Control, Interface
from .rows import Labelled

NAME_BYTES = 255
MEDIA = ("Image", "Audio", "Video")
FORMAT = "imagefolder"


@dataclass(frozen=True)
class Entry:
    """A file of a labelled item, and what it is labelled."""

    task_id: int
    url: str  # in the task data
    file: str  # where `label()` found it; "" if that is not known
    labels: tuple[str, ...]


def fits(interface: Interface) -> bool:
    """Return True if the interface has one file for each item, and choices for it."""
    return _control(interface) is not None


def entries(labelled: Iterable[Labelled], interface: Interface) -> Iterator[Entry]:
    """Yield the labelled items. The annotation counts that was changed last; skipped ones do not.

    labelled: the annotations of an item follow each other.
    """
    control = _control(interface)
    if control is None:
        raise Problem(f"This project has no labels for the format {FORMAT!r}.", "", "")
    key = interface.objects[control.to_name][1]
    last: dict[int, Labelled] = {}
    for each in labelled:
        known = last.get(each.task_id)
        if each.annotation_id is None or each.skipped:
            continue
        if known is None or (each.updated_at, each.annotation_id) > (
            known.updated_at,
            known.annotation_id or 0,
        ):
            last[each.task_id] = each
    for task, each in last.items():
        labels = tuple(
            dict.fromkeys(
                label
                for entry in each.result
                if entry.get("from_name") == control.name
                for label in entry["value"].get("choices", ())
            )
        )
        if labels:
            yield Entry(task, str(each.data.get(key, "")), str(each.meta.get("file", "")), labels)


def folder_names(labels: Iterable[str]) -> dict[str, str]:
    """Return a name of a folder for each label: itself, where a folder can have that name."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for label in labels:
        name = label.replace("/", "_").replace("\0", "_")
        if name.startswith("."):  # hidden, or a folder above
            name = f"_{name}"
        names[label] = _free(name, taken)
    return names


def file_name(source: str, folder: str, taken: set[str]) -> str:
    """Return a path in `folder` for a copy of `source`, other than those in `taken`.

    `source`: a path, or the URI of an object. The name of an object may be anything, such as `..`.
    """
    name = PurePath(source).name.replace("\0", "_")
    if name == "..":
        name = "_.."
    return f"{folder}/{_free(name, taken, folder)}"


def _free(name: str, taken: set[str], folder: str = "") -> str:
    """Return `name`, or one with a number before its suffix that is free; add it to `taken`."""
    number, candidate = 1, shortened(name)
    while f"{folder}/{candidate}" in taken:
        number += 1
        path = PurePath(name)
        candidate = shortened(f"{path.stem}-{number}{path.suffix}", keep=f"-{number}{path.suffix}")
    taken.add(f"{folder}/{candidate}")
    return candidate


def shortened(name: str, keep: str = "") -> str:
    """Return `name` with at most 255 bytes, its end `keep` included."""
    if len(name.encode(errors="surrogateescape")) <= NAME_BYTES:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8]
    end = f"-{digest}{keep}"
    begin = name.encode(errors="surrogateescape")[: NAME_BYTES - len(end.encode())]
    return begin.decode(errors="ignore") + end


def _control(interface: Interface) -> Control | None:
    found = [
        each
        for each in interface.controls
        if each.tag == "Choices"
        and not each.per_region
        and interface.objects.get(each.to_name, ("", ""))[0] in MEDIA
    ]
    named = [each for each in found if each.name == "label"]
    return next(iter(named or found), None)
