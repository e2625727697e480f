"""What a request names as the source of a project: its items, and the folders that they are in."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...config.notebook_files import NotebookFiles
from ...label_studio import paths
from ...labelling.interface import Interface
from ...labelling.tasks import Task, guess_task, task_named
from ...problem import Problem
from .folders import folders_of
from .s3 import Location

# The key of the items with an own labelling interface, and of texts.
TEXT = "text"
TABLE_TITLE = "Table"
LIST_TITLE = "List"
MOST_BYTES_OF_TEXT = 10 * 1024 * 1024


@dataclass(frozen=True)
class Source:
    """The items of a source, as Label Studio imports them, and where they are."""

    identity: dict[str, Any]  # recorded, so that the same source finds its project
    title: str  # of a project whose user chose none
    task: Task | None  # None: with an own labelling interface
    items: list[dict[str, Any]] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)  # of local files
    left_out: list[str] = field(default_factory=list)  # sentences for the user
    location: Location | None = None  # of objects in S3

    @property
    def task_name(self) -> str:
        """The name of the task; "" with an own labelling interface."""
        return self.task.name if self.task else ""


@dataclass(frozen=True)
class Context:
    """What a source is read with."""

    base: str  # the folder of relative paths
    task: Task | None  # None: guessed
    own_key: str  # of the items, with an own labelling interface; "" without
    files: NotebookFiles | None


def read_source(source: Any, context: Context) -> Source:
    """Return what is in `source`, as the client sends it; raises Problem. Blocks."""
    kinds = {"path": _path, "list": _list, "table": _table}
    kind = source.get("kind") if isinstance(source, dict) else None
    if kind not in kinds:
        raise Problem("The source of the project is not known.", f"It is {source!r:.200}.", "")
    return kinds[kind](source, context)


def own_key(config: str) -> str:
    """Return the key of the task data that an own labelling interface shows; raises Problem."""
    interface = Interface.parse(config)
    return next((key for _, key in interface.objects.values() if key), TEXT)


def _path(source: dict[str, Any], context: Context) -> Source:
    path = _absolute(str(source["path"]), context)
    if glob.has_magic(str(path)) and not path.exists():
        found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207
        identity, title = {"kind": "glob", "path": str(path)}, path.parent.name
    else:
        found = sorted(each for each in path.rglob("*") if each.is_file())
        identity, title = {"kind": "folder", "path": str(path)}, path.name
    return replace(_files(found, context), identity=identity, title=title)


def _list(source: dict[str, Any], context: Context) -> Source:
    values: list[str] = source["values"]
    found = [_absolute(value, context) for value in values]
    if values and all(each.is_file() for each in found):
        return replace(_files(found, context), identity={"kind": "list"}, title=LIST_TITLE)
    task = context.task or task_named("text-classification")
    key = context.own_key or task.key
    items = [{"data": {key: value}, "meta": {"column": key}} for value in values]
    return Source({"kind": "list"}, LIST_TITLE, None if context.own_key else task, items)


def _table(source: dict[str, Any], context: Context) -> Source:
    raise NotImplementedError


def _files(found: Iterable[Path], context: Context) -> Source:
    found = list(found)
    task = context.task or guess_task(str(each) for each in found)
    chosen = [each for each in found if each.suffix.lower() in task.suffixes]
    key = context.own_key or task.key
    folders = folders_of(chosen, context.files)
    root = context.files.root if context.files else Path("/")
    items = [
        {
            "data": {key: _content(each, task, root)},
            "meta": {"file": str(each)},
        }
        for each in chosen
    ]
    return Source({}, "", None if context.own_key else task, items, folders)


def _content(file: Path, task: Task, root: Path) -> str:
    if task.medium == "text":
        return file.read_text(encoding="utf-8", errors="replace")[:MOST_BYTES_OF_TEXT]
    return paths.local_file(str(file.relative_to(root)))


def _absolute(path: str, context: Context) -> Path:
    return Path(os.path.abspath(os.path.join(context.base, path)))  # noqa: PTH100, PTH118
