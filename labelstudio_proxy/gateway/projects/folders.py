"""Which folders of the notebook a project reads its files from, and whether Label Studio may."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ...config.notebook_files import NotebookFiles
from ...problem import Problem
from ..proxy.files_on_disk import is_outside

ASK = "An admin can set `files_root` to a folder that contains it and restart Jupyter."


def absolute(base: str, path: str) -> str:
    """Return a path of the user's, relative to the folder `base`, as an absolute one without `..`."""
    # Not resolved: links stay as the user spells them. Not a Path: a pattern may end with a slash.
    return os.path.abspath(os.path.join(base, path))  # noqa: PTH100, PTH118 - see above


def checked_files(folders: Iterable[Path], files: NotebookFiles | None) -> NotebookFiles:
    """Return `files`; raises Problem if Label Studio may not read files in one of the folders."""
    if files is None:
        raise Problem(
            "Label Studio may not read files here.",
            "The setting `files_root` is empty.",
            "An admin can set `files_root` to a folder and restart Jupyter.",
        )
    for folder in folders:
        if not folder.is_relative_to(files.root) or is_outside(files.root, folder):
            raise Problem(
                f"Label Studio may not read files in {folder}.",
                f"They are outside of {files.root}, the folder whose files it may read.",
                f"Copy them into a folder below {files.root}. {ASK}",
            )
    return files


def folders_of(paths: Iterable[str], files: NotebookFiles | None) -> list[Path]:
    """Return the folders to add to a project, so that Label Studio serves the files at `paths`.

    That is one folder around all of them. Label Studio does not accept its document root itself, so
    there it is each folder below it. Raises Problem if Label Studio may not read a file.
    """
    # A Path for each file would take longer than all else here.
    around = {Path(each) for each in {os.path.dirname(path) for path in paths}}  # noqa: PTH120 - faster
    files = checked_files(around, files)
    if not around:
        return []
    common = Path(os.path.commonpath(around))
    if common != files.root:
        return [common]
    if files.root in around:
        raise Problem(
            f"Label Studio cannot read files directly in {files.root}.",
            "It reads only files in subfolders of that folder.",
            f"Move them into a subfolder. {ASK}",
        )
    return sorted({files.root / folder.relative_to(files.root).parts[0] for folder in around})
