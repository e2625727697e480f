"""Local files of tasks: which file on disk the parameter `d` of a request means, if the account may read it.

Label Studio writes paths into task data that are relative to its document root of that day, and
serves them relative to the one of today. The gateway finds the others by the folders that people have
added to projects: a task's path leads into one of them, whatever the document root was.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from ...config.notebook_files import NotebookFiles
from ...data_directory.directory import DataDirectory
from ...data_directory.local_storages import LocalStorage, readable_storages
from ...label_studio import paths
from .files_on_disk import is_file, is_outside, path_in

ASK_ADMIN = "An admin can set LabelStudioProxy.files_root to a folder that contains both."
LINK = (
    f"This file is a link to a file outside of the folder that Label Studio may read. {ASK_ADMIN}"
)


@dataclass(frozen=True)
class LocalFile:
    """A file that the owner may read, in the folder of a storage."""

    path: Path


@dataclass(frozen=True)
class NoFile:
    """A file that cannot be sent; `detail` tells people why."""

    status: int
    detail: str


@dataclass(frozen=True)
class _Candidate:
    path: Path
    storage: LocalStorage


class LocalFiles:
    """Finds the local files of tasks."""

    def __init__(
        self, directory: DataDirectory, files: NotebookFiles | None, *, external_database: bool
    ) -> None:
        """`external_database`: the folders of projects are not known; only today's root counts."""
        self._directory = directory
        self._files = files
        self._external_database = external_database

    def find(self, query: str, referer: str, account: int) -> LocalFile | NoFile | None:
        """Return the file that `query` means; None if only Label Studio may know it.

        `referer`: the address of the page, with the project. `account`: the one that reads the file.
        Blocks: reads the disk and the database.
        """
        files = self._files
        names = parse_qs(query, errors="surrogateescape").get("d")
        if files is None or not names:
            return None
        if any(_leads_out(files, path_in(files.root, each)) for each in names[:-1]):
            return NoFile(403, LINK)
        storages = [] if self._external_database else readable_storages(self._directory, account)
        name = names[-1]  # as Label Studio chooses
        here = path_in(files.root, name)
        found = _choose(candidates(name, storages), here, project_of(referer))
        if found is None:
            return NoFile(403, LINK) if _leads_out(files, here) else None
        path, folder = found.path, found.storage.path
        if files.fixed and not path.is_relative_to(files.root):
            detail = (
                f"Label Studio may read files in {files.root} only, not in {folder}. {ASK_ADMIN}"
            )
            return NoFile(403, detail)
        if not is_file(path):
            return NoFile(404, _why_missing(path, folder))
        if _leads_out(files, path, folder):
            return NoFile(403, LINK)
        return LocalFile(path)


def candidates(name: str, storages: Iterable[LocalStorage]) -> list[_Candidate]:
    """Return each file that `name` may mean, relative to any folder above one of the storages."""
    wanted = posixpath.normpath(name).lstrip("/").split("/")
    found = []
    for storage in storages:
        parts = storage.path.parts[1:]
        for start in range(len(parts)):
            length = len(parts) - start
            if len(wanted) > length and tuple(wanted[:length]) == parts[start:]:
                found.append(_Candidate(storage.path.joinpath(*wanted[length:]), storage))
    return found


def _choose(found: list[_Candidate], here: Path, project: int | None) -> _Candidate | None:
    """Return the file that exists; if several do, that of the project, or that of today's root.

    None if it is not clear: a wrong picture is worse than none.
    """
    existing = [each for each in found if is_file(each.path)] or found
    own = [each for each in existing if each.storage.project == project] or existing
    today = [each for each in own if each.path == here]
    if today or len({each.path for each in own}) == 1:
        return (today or own)[0]
    return None


def project_of(referer: str) -> int | None:
    """Return the project whose page sent a request."""
    numbers = paths.PROJECT.findall(referer)
    return int(numbers[-1]) if numbers else None


def _leads_out(files: NotebookFiles, path: Path, storage: Path | None = None) -> bool:
    """Return True if a link leads out of the folder that Jupyter shows and of `storage`'s own.

    Label Studio accepts only subfolders of its root: the folder around `storage` was in the root of
    that day.
    """
    roots = [files.shown] if path.is_relative_to(files.shown) else []
    if storage is not None and not files.fixed:
        roots.append(storage if storage.parent == Path("/") else storage.parent)
    return all(is_outside(root, path) for root in roots or [files.root])


def _why_missing(path: Path, folder: Path) -> str:
    if os.access(folder, os.X_OK):
        return f"The file {path} does not exist. Put it back, then reload the page."
    return (
        f"The folder {folder} does not exist. It was moved or deleted, or its disk is not mounted. "
        "Put it back, then reload the page."
    )
