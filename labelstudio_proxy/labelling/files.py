"""The files of a source: a folder, a pattern or a list, and which of them a task can use."""

from __future__ import annotations

import difflib
import glob
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ..problem import Problem
from . import signatures
from .tasks import Task, guess_task, medium_of

# Called with the number of files done, and of all files (0 if not known).
Progress = Callable[[int, int], None]
_STEP = 500
_EXAMPLES = 3
_READERS = 8

# Why files are left out.
BROKEN_LINK = "links that lead nowhere"
LEADS_OUT = "links that lead out of the folder that Label Studio may read"
NO_UTF8 = "names that are not UTF-8"
NOT_REGULAR = "no regular files"
CLOSED_FOLDER = "folders that are not readable"
OTHER_KIND = "of another kind"


@dataclass
class LeftOut:
    """The files that were left out for one reason: how many, and the first ones."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, path: str) -> None:
        """Count one more file."""
        self.count += 1
        if self.count <= _EXAMPLES:
            self.examples.append(_shown(path))


@dataclass(frozen=True)
class Files:
    """The files of a source.

    source:   the source, as messages name it.
    paths:    absolute; in natural order ("2.jpg" before "10.jpg"), or as they were given.
    left_out: by reason.
    """

    source: str
    paths: list[str]
    left_out: dict[str, LeftOut]

    def notes(self) -> list[str]:
        """Return a sentence for each reason why files were left out."""
        return [
            f"Left out {each.count} ({reason}): {', '.join(each.examples)}"
            f"{' …' if each.count > len(each.examples) else '.'}"
            for reason, each in self.left_out.items()
        ]


def in_folder(
    folder: str,
    *,
    recursive: bool = True,
    within: str | None = None,
    progress: Progress | None = None,
) -> Files:
    """Return the files in `folder`, without hidden ones, or raise Problem.

    within: the folder that links may lead to; None for any.
    """
    folder = os.path.abspath(folder)
    _check_folder(folder)
    found = _Found(f"the folder `{_shown(folder)}`", within, progress)
    subfolders = found.walk(folder, recursive=recursive)
    if found.paths or found.left_out:
        return found.files()
    if subfolders:
        raise Problem(
            f"The folder `{_shown(folder)}` has only subfolders.",
            "",
            "Leave out `recursive=False`.",
        )
    raise Problem(
        f"The folder `{_shown(folder)}` is empty.",
        "",
        "Copy files into it, or name another folder.",
    )


def matching(pattern: str, *, within: str | None = None, progress: Progress | None = None) -> Files:
    """Return the files that an absolute glob `pattern` matches (`**`: any subfolders)."""
    found = _Found(f"`{_shown(pattern)}`", within, progress)
    folders = 0
    for path in dict.fromkeys(glob.iglob(pattern, recursive=True)):
        if os.path.isdir(path):
            folders += 1
        else:
            found.add(path, os.path.basename(path), is_link=os.path.islink(path))
    if not found.paths and not found.left_out:
        matches = f"only folders ({folders})" if folders else "nothing"
        raise Problem(
            f"`{_shown(pattern)}` matches {matches}.",
            "",
            "Correct the pattern. `*` stands for any part of a name, `**` for any subfolders.",
        )
    found.paths.sort(key=natural)
    return found.files()


def in_list(
    paths: Iterable[str], *, within: str | None = None, progress: Progress | None = None
) -> Files:
    """Return the files of a list, in its order and each once. Raises Problem if one is missing."""
    found = _Found("the list", within, progress)
    missing = LeftOut()
    for path in dict.fromkeys(map(os.path.abspath, paths)):
        if os.path.isdir(path):
            raise Problem(
                f"`{_shown(path)}` is a folder.",
                "",
                "Name files only, or the folder instead of the list.",
            )
        if os.path.lexists(path):
            found.add(path, os.path.basename(path), is_link=os.path.islink(path))
        else:
            missing.add(path)
    if missing.count:
        raise Problem(
            f"{missing.count} of the files do not exist: {', '.join(missing.examples)}"
            f"{' …' if missing.count > len(missing.examples) else '.'}",
            "",
            "Correct the paths. They are relative to the notebook, or absolute.",
        )
    if not found.paths and not found.left_out:
        raise Problem("The list of files is empty.", "", "Name at least one file.")
    return found.files()


def usable(files: Files, task: Task, *, progress: Progress | None = None) -> Files:
    """Return those of `files` that `task` is for, by suffix and first bytes; Problem if none is."""
    left_out = dict(files.left_out)
    paths = []

    def faults(chunk: list[str]) -> list[str | None]:
        return [
            OTHER_KIND if medium_of(path) != task.medium else signatures.fault(path, task.medium)
            for path in chunk
        ]

    chunks = [files.paths[start : start + _STEP] for start in range(0, len(files.paths), _STEP)]
    # Several at a time, for network disks. On local ones it makes no difference.
    with ThreadPoolExecutor(_READERS) as readers:
        for number, found in enumerate(readers.map(faults, chunks)):
            for path, fault in zip(chunks[number], found, strict=True):
                if fault:
                    left_out.setdefault(fault, LeftOut()).add(path)
                else:
                    paths.append(path)
            if progress:
                progress(min((number + 1) * _STEP, len(files.paths)), len(files.paths))
    if not paths:
        raise _nothing_of(files, task, left_out)
    return Files(files.source, paths, left_out)


class _Found:
    """Collects files."""

    def __init__(self, source: str, within: str | None, progress: Progress | None) -> None:
        self._source = source
        self._within = None if within is None else os.path.realpath(within)
        self._progress = progress
        self.paths: list[str] = []
        self.left_out: dict[str, LeftOut] = {}

    def files(self) -> Files:
        return Files(self._source, self.paths, self.left_out)

    def leave_out(self, reason: str, path: str) -> None:
        self.left_out.setdefault(reason, LeftOut()).add(path)

    def add(self, path: str, name: str, *, is_link: bool, is_file: bool | None = None) -> None:
        """Add the file at `path` if it can be used. `is_file`: None if not known."""
        if not (os.path.isfile(path) if is_file is None else is_file):
            lost = is_link and not os.path.exists(path)
            self.leave_out(BROKEN_LINK if lost else NOT_REGULAR, path)
        elif not name.isascii() and _shown(path) != path:
            self.leave_out(NO_UTF8, path)
        elif is_link and self._leads_out(path):
            self.leave_out(LEADS_OUT, path)
        else:
            self.paths.append(path)
            if self._progress and len(self.paths) % _STEP == 0:
                self._progress(len(self.paths), 0)

    def walk(self, folder: str, *, recursive: bool) -> int:
        """Add the files below `folder` in natural order; return the number of subfolders."""
        subfolders = 0
        seen = {_identity(folder)}
        open_folders = [iter(self._entries(folder))]
        while open_folders:
            entry = next(open_folders[-1], None)
            if entry is None:
                open_folders.pop()
            elif not _leads_to(entry.is_dir):
                is_file = _leads_to(entry.is_file)
                self.add(entry.path, entry.name, is_link=entry.is_symlink(), is_file=is_file)
            else:
                subfolders += 1
                if entry.is_symlink() and self._leads_out(entry.path):
                    self.leave_out(LEADS_OUT, entry.path)
                elif recursive and (identity := _identity(entry.path)) not in seen:
                    # Links may lead to a folder above.
                    seen.add(identity)
                    open_folders.append(iter(self._entries(entry.path)))
        return subfolders

    def _entries(self, folder: str) -> Sequence[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                visible = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError:
            self.leave_out(CLOSED_FOLDER, folder)
            return ()
        visible.sort(key=lambda entry: natural(entry.name))
        return visible

    def _leads_out(self, path: str) -> bool:
        if self._within is None:
            return False
        return os.path.commonpath((self._within, os.path.realpath(path))) != self._within


_NUMBERS = re.compile(r"([0-9]+)")


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return a key that sorts "2.jpg" before "10.jpg", and whole folders together."""
    parts = _NUMBERS.split(name.casefold().replace("/", "\0"))
    return [(int(part), "") if number % 2 else (0, part) for number, part in enumerate(parts)], name


def _leads_to(check: Callable[[], bool]) -> bool:
    """Return False for a link that leads to itself, or into a folder that is not readable."""
    try:
        return check()
    except OSError:
        return False


def _identity(folder: str) -> tuple[int, int]:
    try:
        status = os.stat(folder)
    except OSError:
        return 0, 0
    return status.st_dev, status.st_ino


def _shown(path: str) -> str:
    """Return `path` as text, with a mark for each byte that is not UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace")


def _check_folder(folder: str) -> None:
    shown = _shown(folder)
    try:
        os.scandir(folder).close()
    except FileNotFoundError:
        raise Problem(f"There is no folder `{shown}`.", *_instead_of(folder)) from None
    except NotADirectoryError:
        if not os.path.exists(folder):
            raise Problem(f"There is no folder `{shown}`.", *_instead_of(folder)) from None
        raise Problem(
            f"`{shown}` is a file, not a folder.",
            "",
            _instead_of_file(shown),
        ) from None
    except OSError as error:
        raise Problem(
            f"The folder `{shown}` cannot be read.",
            f"{error.strerror}.",
            "Correct its permissions.",
        ) from None


def _instead_of_file(path: str) -> str:
    name, suffix = os.path.basename(path), os.path.splitext(path)[1].lower()
    if suffix in {".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"}:
        return "Unpack it, and name the folder."
    remedy = f"Name its folder, or put the file into a list: `[{name!r}]`."
    if suffix in {".csv", ".tsv", ".json", ".jsonl", ".parquet", ".xlsx"}:
        remedy += " If each row of it is an item, read it with pandas, and give the DataFrame."
    return remedy


def _instead_of(folder: str) -> tuple[str, str]:
    """Return what is there instead of `folder`, and the remedy."""
    above, name = os.path.split(folder)
    while not os.path.isdir(above):
        above, name = os.path.split(above)
    try:
        with os.scandir(above) as entries:
            folders = [each.name for each in entries if each.is_dir() and each.name[0] != "."]
    except OSError:
        folders = []
    close = difflib.get_close_matches(name, folders) or sorted(folders, key=natural)[:5]
    there = ", ".join(f"`{_shown(each)}`" for each in close)
    why = f"`{_shown(above)}` has {there}." if there else f"`{_shown(above)}` has no folders."
    return why, "Correct the path. It is relative to the notebook, or absolute."


def _nothing_of(files: Files, task: Task, left_out: dict[str, LeftOut]) -> Problem:
    source = files.source[0].upper() + files.source[1:]
    suffixes = Counter(os.path.splitext(path)[1].lower() or "no suffix" for path in files.paths)
    there = [f"{count} with {suffix}" for suffix, count in suffixes.most_common(5)]
    why = [f"Its files: {', '.join(there)}."] if there else []
    why += Files(files.source, [], {k: v for k, v in left_out.items() if k != OTHER_KIND}).notes()
    return Problem(
        f"{source} has no file for {task.name}, such as {', '.join(sorted(task.suffixes)[:3])}.",
        " ".join(why),
        _remedy(files, task),
    )


def _remedy(files: Files, task: Task) -> str:
    try:
        other = guess_task(files.paths)
    except Problem:
        return "Name another source."
    if other.medium == task.medium:
        return "Replace the files by ones that open in a browser."
    return f"Use `task={other.name!r}`, or name another source."


def is_pattern(source: str) -> bool:
    """Return True if `source` is a glob, and not a file or folder with `*`, `?` or `[` in its name."""
    return glob.has_magic(source) and not os.path.lexists(source)
