"""What is in a folder or a selection of files, and its project if there is one: the contents of the dialog.

Label Studio need not run. Names and suffixes are enough; only files that are new in an existing project are
opened.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import api_types
from ...config.notebook_files import NotebookFiles
from ...data_directory import annotations as database
from ...data_directory.annotations import StoredProject
from ...data_directory.directory import DataDirectory
from ...data_directory.project_records import ProjectRecord, ProjectRecords
from ...label_studio import paths
from ...labelling import files as found_files
from ...labelling import items
from ...labelling.files import Files
from ...labelling.interface import Interface
from ...labelling.tasks import TASKS, Task, medium_of
from ...labelling.templates import TRANSCRIPTION, checked_labels
from ...problem import Problem
from . import listing
from .folders import absolute, checked_files, folders_of
from .sources import guessed, shown_by, title_of

logger = logging.getLogger(__name__)

# The folders of a data set that is split. Each of them has a folder for each label.
_SPLITS = frozenset(("train", "training", "test", "testing", "val", "valid", "validation"))
# A larger number of folders is more likely one for each user or day than one for each label.
MOST_LABELS = 100


@dataclass(frozen=True)
class Looker:
    """Looks at folders and files.

    root:   Jupyter's root folder, where relative paths start.
    files:  the folders that Label Studio may read; None for none.
    prefix: of Label Studio's pages in browsers.
    keep:   the setting `keep_labels`.
    """

    directory: DataDirectory
    records: ProjectRecords
    root: str
    files: NotebookFiles | None
    prefix: str
    keep: str
    external_database: bool

    def look(self, body: Mapping[str, Any]) -> api_types.Look:
        """Return what is in the folder or the files of a request; raises Problem. Blocks."""
        folder, names = body.get("path"), body.get("paths")
        if names is None:
            if folder is None:
                raise Problem("The request names no files.", "", "Send `path` or `paths`.")
            return self._folder(absolute(self.root, folder))
        chosen = [absolute(self.root, each) for each in names]
        if len(chosen) == 1 and is_folder(chosen[0]):
            return self._folder(chosen[0])
        return self._selection(chosen)

    def _folder(self, folder: str) -> api_types.Look:
        if is_folder(folder):
            checked_files([Path(folder)], self.files)  # first: the folder may have many files
        found = found_files.in_folder(folder, within=self._within)
        identity = {"kind": "folder", "path": folder}
        return self._look(found, folder, {"kind": "path", "path": folder}, identity)

    def _selection(self, chosen: list[str]) -> api_types.Look:
        found = found_files.in_list(chosen, within=self._within)
        folder = os.path.commonpath([os.path.dirname(path) for path in chosen])  # noqa: PTH120 - faster
        return self._look(found, folder, {"kind": "list", "values": chosen}, {"kind": "list"})

    @property
    def _within(self) -> str | None:
        return str(self.files.root) if self.files else None

    def _look(
        self,
        found: Files,
        folder: str,
        source: api_types.FolderSource | api_types.FilesSource,
        identity: Mapping[str, Any],
    ) -> api_types.Look:
        media = Counter(medium for path in found.paths if (medium := medium_of(path)))
        if not media:
            guessed(found)  # raises the Problem of such files
        in_order = [medium for medium, _ in media.most_common()]
        first = in_order[0]
        of_first = [path for path in found.paths if medium_of(path) == first]
        folders_of(of_first, self.files)
        stored = self._stored()
        project = self._project(stored or [], identity, found)
        return {
            "source": source,
            "base": folder,
            "title": listing.free_title(
                title_of(folder), ({"title": each.title} for each in stored or [])
            ),
            "media": dict(media.most_common()),
            "others": len(found.paths) - media.total(),
            "tasks": [
                _choice(task, media[each])
                for each in in_order
                for task in TASKS.values()
                if task.medium == each
            ],
            "labels": project["labels"] if project else label_folders(of_first, folder),
            "keep": self.keep,
            "project": project,
            "project_known": stored is not None,
            "notes": found.notes(),
        }

    def _stored(self) -> list[StoredProject] | None:
        """Return all projects; None if the gateway cannot read the database."""
        if self.external_database:
            return None
        if not self.directory.database.exists():
            return []
        try:
            return database.projects(self.directory)
        except (database.UnknownTables, sqlite3.Error) as error:
            logger.info("The projects cannot be read: %s", error)
            return None

    def _project(
        self, stored: Iterable[StoredProject], identity: Mapping[str, Any], found: Files
    ) -> api_types.FoundProject | None:
        """Return the newest project that was made over this source."""
        by_number = {each.id: each for each in stored}
        for record in reversed(self.records.all()):
            if record.source != identity or record.id not in by_number:
                continue
            known = database.files(self.directory, record.id)
            new = [path for path in found.paths if path not in known]
            # Two lists are the same project if they have an item in common.
            if identity["kind"] == "folder" or len(new) < len(found.paths):
                return self._found(by_number[record.id], record, Files(found.source, new, {}))
        return None

    def _found(
        self, stored: StoredProject, record: ProjectRecord, new: Files
    ) -> api_types.FoundProject:
        path = paths.labelling_page(stored.id)
        task = TASKS.get(record.task) or _task_shown(stored.label_config)
        return {
            "id": stored.id,
            "title": stored.title,
            "path": path,
            "url": self.prefix + path,
            "task": record.task,
            "labels": listing.labels_of(stored.label_config),
            "keep": record.keep,
            "new": _count_usable(new, task) if task else len(new.paths),
        }


def is_folder(path: str) -> bool:
    """Return True if `path` is a folder; False after any error."""
    return os.path.isdir(path)  # noqa: PTH112 - Path raises some


def label_folders(files: Iterable[str], folder: str) -> list[str]:
    """Return the names of the subfolders if they sort all files and can be labels; else []."""
    above = folder.rstrip("/") + "/"
    parts = [path.removeprefix(above).split("/")[:-1] for path in files]
    if all(each and each[0].lower() in _SPLITS for each in parts):
        parts = [each[1:] for each in parts]
    names = list(dict.fromkeys(each[0] for each in parts if each))
    if any(len(each) != 1 for each in parts) or not 2 <= len(names) <= MOST_LABELS:
        return []
    try:
        return checked_labels(TASKS["image-classification"], names)
    except Problem:
        return []


def _task_shown(config: str) -> Task | None:
    try:
        return shown_by(Interface.parse(config))
    except Problem:  # of a project that is not set up
        return None


def _choice(task: Task, count: int) -> api_types.TaskChoice:
    return {
        "name": task.name,
        "medium": task.medium,
        "needs_labels": task.name != TRANSCRIPTION,
        "count": count,
    }


def _count_usable(new: Files, task: Task) -> int:
    """Return how many of `new` would become items. Opens these files."""
    try:
        usable = found_files.usable(new, task)
    except Problem:
        return 0
    if task.medium == "text":
        return len(items.of_texts(usable.paths, task.key)[0])
    return len(usable.paths)
