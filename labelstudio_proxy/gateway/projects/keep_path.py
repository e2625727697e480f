"""The file that a project keeps its labels in: which one, and whether it can be written."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ... import private_file
from ...data_directory.project_records import ProjectRecord, ProjectRecords
from ...problem import Problem
from .folders import absolute
from .label_studio_api import LabelStudioAPI
from .writing import CheckPath

# One JSON object a line: another suffix would promise another format. And a `.txt` file would become an
# item of its own project.
SUFFIX = ".jsonl"
EXAMPLE = f"`labels{SUFFIX}`"
OTHER = f"Choose another file for `keep`, for example {EXAMPLE}"


def folder_of(source: Mapping[str, Any], base: str) -> str:
    """Return the folder of a relative `keep`: that of the source, else `base`, the notebook's."""
    return str(source["path"]) if source.get("kind") == "folder" else base


async def choose_keep(
    api: LabelStudioAPI,
    records: ProjectRecords,
    keep: object,
    *,
    default: str,
    folder: str,
    check_path: CheckPath,
    project: int | None,
) -> tuple[str | None, list[str]]:
    """Return the file to keep the labels in, and sentences for the user.

    The file is an absolute path, "" for none, and None to leave what was chosen before. Raises
    Problem if labels cannot be kept where `keep` says. With the `default`, a sentence says so.

    keep:    what the user gave: a path, False for none, or None for the default.
    default: the setting; "": none.
    folder:  of a relative path.
    check_path: whether this request may write there.
    project: its number, if it exists.
    """
    if keep is False:
        return "", []
    every = await asyncio.to_thread(records.all)
    if keep is not None:
        if not isinstance(keep, str) or not keep:
            raise Problem(
                f"`keep` must be the name of a file, for example {EXAMPLE}.", f"It is {keep!r}.", ""
            )
        path = Path(absolute(folder, keep))
        await asyncio.to_thread(check_path, path)
        return await _checked(api, records, every, path, project), []
    if not default or any(each.id == project and each.keep for each in every):
        return None, []
    try:
        path = Path(absolute(folder, default))
        await asyncio.to_thread(check_path, path)
        return await _checked(api, records, every, path, project), []
    except Problem as problem:
        return None, [f"The labels are not kept in a file. {problem.as_sentence()}"]


async def _checked(
    api: LabelStudioAPI,
    records: ProjectRecords,
    every: Iterable[ProjectRecord],
    path: Path,
    project: int | None,
) -> str:
    others = [each for each in every if each.id != project]
    for other in await asyncio.to_thread(users_of, path, others):
        if (found := await api.project(other.id)) is not None:
            raise Problem(
                f"Another project keeps its labels in {path}.",
                f"It is {found['title']!r}, number {other.id}.",
                f"{OTHER}, or `keep=False`.",
            )
        await asyncio.to_thread(records.remove, other.id)  # a user has deleted the project
    own = [each for each in every if each.id == project]
    is_own = bool(await asyncio.to_thread(users_of, path, own))
    await asyncio.to_thread(check_file, path, is_own=is_own)
    return str(path)


def users_of(path: Path, records: Iterable[ProjectRecord]) -> list[ProjectRecord]:
    """Return those of the projects that keep their labels in `path`."""
    identity = _identity(path)
    return [each for each in records if each.keep and _identity(Path(each.keep)) == identity]


def _identity(path: Path) -> tuple[str, str]:
    return os.path.realpath(path.parent), path.name


def check_file(path: Path, *, is_own: bool) -> None:
    """Raise Problem if labels cannot be kept in `path`.

    is_own: the project keeps its labels there already, so that what is there is its own.
    """
    if path.suffix != SUFFIX:
        raise Problem(
            f"Labels cannot be kept in {path.name}.",
            "The file has one JSON object a line.",
            f"Choose a name that ends in `{SUFFIX}`, for example {EXAMPLE}.",
        )
    try:
        mode = path.parent.stat().st_mode
        writable = os.access(path.parent, os.W_OK | os.X_OK)
    except (OSError, ValueError):
        mode, writable = 0, False
    if not stat.S_ISDIR(mode):
        raise Problem(
            f"There is no folder {path.parent}.",
            f"`keep` names the file {path.name} in it.",
            "Make the folder, or correct `keep`.",
        )
    if not writable:
        raise Problem(
            f"Labels cannot be kept in {path.parent}.",
            "You may not write into this folder.",
            f"{OTHER} in a folder of yours.",
        )
    try:
        # The file is written under a longer name first.
        _stat(path.with_name(f"{private_file.UNFINISHED}{path.name}-01234567"))
        found = _stat(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Problem(f"Labels cannot be kept in {path}.", f"{reason}.", f"{OTHER}.") from error
    if found is None:
        return
    if not stat.S_ISREG(found.st_mode):
        raise Problem(f"{path} is no file.", "Labels are kept in a file.", f"{OTHER}.")
    if found.st_size and not is_own:
        raise Problem(
            f"The file {path} exists, and its content is not this project's.",
            "The labels of this project would replace it.",
            "Rename or remove the file, or choose another one for `keep`.",
        )


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
