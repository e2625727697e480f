"""What a request names as the source of a project: its items, and the folders that they are in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...config.notebook_files import NotebookFiles
from ...labelling import files as found_files
from ...labelling import items
from ...labelling.files import Files, Progress
from ...labelling.interface import Interface
from ...labelling.items import Item, Table
from ...labelling.series import Series, read_series
from ...labelling.tasks import TASKS, Task, guess_task, medium_of
from ...problem import Problem
from .folders import absolute, checked_files, folders_of
from .label_studio_api import LONGEST_TITLE, SHORTEST_TITLE
from .s3 import SCHEME, Location
from .s3_objects import fitting

TEXTS = TASKS["text-classification"]
# What an object of a labelling interface shows.
_MEDIA = {
    "Image": TASKS["image-classification"],
    "Audio": TASKS["audio-classification"],
    "Video": TASKS["video-classification"],
    "Text": TEXTS,
    "TimeSeries": TASKS["time-series-classification"],
}
# Of a table, if it has several columns with texts and its user chose none.
_USUAL_COLUMNS = (
    *("file", "path", "filename", "file_name", "filepath", "file_path", "image", "image_path"),
    *("text", "audio", "video"),
)
_TITLES = {"list": "List", "table": "Table"}


@dataclass(frozen=True)
class Source:
    """The items of a source, and where they are.

    identity: is recorded, so that the same source finds its project.
    title:    of a project whose user chose none.
    task:     None with an own labelling interface.
    key:      of the task data that has what is labelled.
    folders:  of local files.
    series:   the columns of time series.
    locations: of objects in S3.
    notes:    sentences for the user, about what was left out.
    """

    identity: Mapping[str, Any]
    title: str
    task: Task | None
    key: str
    items: list[Item]
    folders: list[Path] = field(default_factory=list)
    series: Series | None = None
    locations: list[Location] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def task_name(self) -> str:
        """The name of the task; "" with an own labelling interface."""
        return self.task.name if self.task else ""

    @property
    def is_file_source(self) -> bool:
        """Whether the source itself, and not only its title, says which project is meant."""
        return self.identity["kind"] not in _TITLES


@dataclass(frozen=True)
class Context:
    """What a source is read with.

    base:    the folder of relative paths.
    task:    None to guess it.
    own:     the user's own labelling interface, instead of a task.
    files:   the folders that Label Studio may read; None for none.
    progress: is called while files are found and checked.
    """

    base: str
    task: Task | None
    own: Interface | None
    files: NotebookFiles | None
    progress: Progress | None = None

    def absolute(self, path: str) -> str:
        """Return a path of the user's as an absolute one."""
        return absolute(self.base, path)

    @property
    def within(self) -> str | None:
        """The folder that links in a source may lead to."""
        return str(self.files.root) if self.files else None


def read_source(source: Any, context: Context) -> Source:
    """Return what is in `source`, as the client sends it; raises Problem. Blocks."""
    kinds = {"path": _path, "list": _list, "table": _table}
    kind = source.get("kind") if isinstance(source, dict) else None
    if kind not in kinds:
        raise Problem("The source of the project is not known.", f"It is {source!r:.200}.", "")
    return kinds[kind](source, context)


def _path(source: Mapping[str, Any], context: Context) -> Source:
    path = context.absolute(str(source["path"]))
    if found_files.is_pattern(path):
        # Before a look at a whole disk.
        checked_files([Path(re.split(r"[*?\[]", path)[0] + "x").parent], context.files)
        found = found_files.matching(path, within=context.within, progress=context.progress)
        kind, name = "glob", str(Path(path.partition("*")[0] + "x").parent)
    else:
        if os.path.isdir(path):  # noqa: PTH112 - False for every error
            # Before a look at its files, which may be many.
            checked_files([Path(path)], context.files)
        found = found_files.in_folder(
            path,
            recursive=bool(source.get("recursive", True)),
            within=context.within,
            progress=context.progress,
        )
        kind, name = "folder", path
    read = _of_files(found, context)
    # The folder itself, so that Label Studio shows what is added to it later.
    # Label Studio does not accept its document root.
    is_root = context.files is not None and Path(path) == context.files.root
    folders = [Path(path)] if kind == "folder" and not is_root else read.folders
    return replace(
        read, identity={"kind": kind, "path": path}, title=title_of(name), folders=folders
    )


def _list(source: Mapping[str, Any], context: Context) -> Source:
    values: list[str] = source["values"]
    identity = {"kind": "list"}
    if not values:
        raise Problem("The source is an empty list.", "", "Give at least one text or path.")
    if _are_objects(values):
        return replace(_of_objects(values, context), identity=identity)
    if _are_paths(values, context):
        found = found_files.in_list(
            map(context.absolute, values), within=context.within, progress=context.progress
        )
        return replace(_of_files(found, context), identity=identity)
    task, key = _task_of_texts(context)
    return Source(identity, _TITLES["list"], task, key, [Item({key: each}, {}) for each in values])


def _table(source: Mapping[str, Any], context: Context) -> Source:
    table = Table(source["columns"], source["index"], source["rows"])
    if not table.rows:
        raise Problem("The table has no rows.", "", "Give a table with at least one row.")
    wanted = source.get("column")
    if wanted is None:
        wanted = next((name for name in _USUAL_COLUMNS if name in table.columns), None)
    column = items.column_of(table, context.task or TEXTS, wanted)
    place = table.columns.index(column)
    values = [row[place] for row in table.rows]
    index = {name: source.get(name, []) for name in ("index_names", "index_types")}
    identity = {"kind": "table", "column": column, **index}
    read: Source | None = None
    if _are_objects(values):
        paths, read = values, _of_objects(values, context)
    elif _are_paths(values, context):
        paths = [context.absolute(value) for value in values]
        found = found_files.in_list(paths, within=context.within, progress=context.progress)
        read = _of_files(found, context)
    if read is not None:
        contents = {each.meta["file"]: each.data[read.key] for each in read.items}
        rows = [
            [*row[:place], path, *row[place + 1 :]]
            for row, path in zip(table.rows, paths, strict=True)
        ]
        made = items.of_table(replace(table, rows=rows), column, read.key, contents)
        return replace(read, identity=identity, title=_TITLES["table"], items=made)
    task, key = _task_of_texts(context)
    if task is not None:
        key = items.key_of(table.columns, column, task)
    made = items.of_table(table, column, key)
    return Source(identity, _TITLES["table"], task, key, made)


def _are_objects(values: Sequence[str]) -> bool:
    """Return True if all values are URIs of objects in S3; raises Problem if only some are."""
    uris = [value for value in values if value.startswith(SCHEME)]
    if uris and len(uris) < len(values) and medium_of(uris[0]):
        other = next(value for value in values if not value.startswith(SCHEME))
        raise Problem(
            "The source has objects in S3 and other items.",
            f"It has {uris[0]} and {other!r:.200}.",
            "Make a project over the objects, and `add` the others to it.",
        )
    return len(uris) == len(values)


def _are_paths(values: Sequence[str], context: Context) -> bool:
    """Return True if the values are paths of files, False if they are texts."""
    if context.task is not None and context.task.medium != "text":
        return True
    return all(medium_of(value) and len(value) < 4096 and "\n" not in value for value in values)


def _task_of_texts(context: Context) -> tuple[Task | None, str]:
    if context.own is not None:
        return None, own_key(context.own)
    task = context.task or TEXTS
    return task, task.key


def _of_files(found: Files, context: Context) -> Source:
    """Return the items of files, without identity."""
    shown = shown_by(context.own) if context.own else None
    task = context.task or shown or guessed(found)
    usable = found_files.usable(found, task, progress=context.progress)
    key = own_key(context.own) if context.own else task.key
    folders = folders_of(usable.paths, context.files)
    notes = usable.notes()
    if task.medium == "text" and not (context.own and 'valueType="url"' in context.own.xml):
        made, left_out = items.of_texts(usable.paths, key)
        notes += Files(found.source, [], left_out).notes()
        if not made:
            raise Problem(f"No file of {found.source} has a text.", " ".join(notes), "")
    else:
        made = items.of_files(usable.paths, key, str(context.files.root if context.files else "/"))
    series = read_series(usable.paths[0]) if task.medium == "time-series" else None
    return Source(
        identity={},
        title=_TITLES["list"],
        task=None if context.own else task,
        key=key,
        items=made,
        folders=folders,
        series=None if context.own else series,
        notes=notes,
    )


def _of_objects(uris: Sequence[str], context: Context) -> Source:
    """Return the items of objects in S3, without identity."""
    task, found = fitting(
        list(dict.fromkeys(uris)),
        "the source",
        context.task or (shown_by(context.own) if context.own else None),
        own_interface=context.own is not None,
    )
    key = own_key(context.own) if context.own else task.key
    return Source(
        identity={},
        title=_TITLES["list"],
        task=None if context.own else task,
        key=key,
        items=[Item({key: uri}, {"file": uri}) for uri in found.paths],
        locations=Location.around(found.paths),
        notes=found.notes(),
    )


def guessed(found: Files) -> Task:
    """Return the task that most of the files are for, or raise Problem."""
    try:
        return guess_task(found.paths)
    except Problem as problem:
        there = ", ".join(Path(path).name for path in found.paths[:3])
        raise Problem(
            f"It is not clear what to label in {found.source}: {problem.what}",
            f"{problem.why} It has {there}{' …' if len(found.paths) > 3 else ''}.",
            problem.remedy,
        ) from None


def own_key(interface: Interface) -> str:
    """Return the key of the task data that an own labelling interface shows."""
    return next((key for _, key in interface.objects.values() if key), TEXTS.key)


def shown_by(interface: Interface) -> Task | None:
    """Return a task for the same medium; None if the interface shows none of ours."""
    tags = [tag for tag, key in interface.objects.values() if key]
    return next((_MEDIA[tag] for tag in tags if tag in _MEDIA), None)


def title_of(folder: str) -> str:
    """Return a title of a project over `folder`: its name, as long as Label Studio wants."""
    above, name = os.path.split(folder.rstrip("/"))
    if len(name) < SHORTEST_TITLE:
        name = f"{Path(above).name}/{name}".lstrip("/")
    return name[:LONGEST_TITLE] if len(name) >= SHORTEST_TITLE else f"Folder {name}"
