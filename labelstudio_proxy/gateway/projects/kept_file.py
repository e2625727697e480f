"""The file with the labels of one project: replaced as a whole, and only what has changed is made again."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ... import private_file
from ...data_directory.annotations import Version
from ...labelling.json_lines import Lines

# Returns the lines of some tasks; with None, of all.
Read = Callable[["Collection[int] | None"], Iterable[Lines]]


class _Place(NamedTuple):
    """The lines of an annotation in the file: bytes from `begin` to `end`."""

    updated_at: str
    begin: int
    end: int


_Places = Mapping[int, _Place]  # by the number of the annotation
# Changes whenever another program writes the file; () without a file.
_Stamp = tuple[int, ...]


class KeptFile:
    """Writes the labels of one project into the file at `path`. Its methods block, and raise OSError."""

    def __init__(self, path: Path, umask: int) -> None:
        """`umask`: for a new file. One that exists keeps its mode."""
        self.path = path
        self._umask = umask
        # The file as this object has left it.
        self._stamp: _Stamp = ()
        self._places: _Places = {}

    def update(self, versions: Sequence[Version], read: Read) -> None:
        """Bring the file up to date with a project's annotations, in this order.

        `read` may return newer versions: the change that made them causes another update.
        """
        is_same = len(versions) == len(self._places) and not _stale(versions, self._places)
        if is_same and self._stamp and self._stamp == self._stamp_now():
            return
        old, stamp = self._content()
        places = self._places if stamp and stamp == self._stamp else {}
        stale = _stale(versions, places)
        fresh = {each.annotation_id: each for each in read(stale if places else None)}
        lines: list[Lines] = []
        for number, task, _ in versions:
            if number in fresh:
                lines.append(fresh[number])
            elif task not in stale:
                place = places[number]
                lines.append(Lines(number, place.updated_at, old[place.begin : place.end]))
        self._write(lines, old, stamp)

    def write(self, lines: Iterable[Lines]) -> None:
        """Let the file consist of `lines`."""
        self._write(lines, *self._content())

    def _write(self, lines: Iterable[Lines], old: bytes, stamp: _Stamp) -> None:
        lines = list(lines)
        data = b"".join(each.text for each in lines)
        if not self._stamp:
            self._remove_unfinished()
        if data != old or not stamp:
            private_file.replace(self.path, data, self._mode())
        places, begin = {}, 0
        for number, updated, text in lines:
            places[number] = _Place(updated, begin, begin + len(text))
            begin += len(text)
        self._places, self._stamp = places, self._stamp_now()

    def _content(self) -> tuple[bytes, _Stamp]:
        try:
            with self.path.open("rb") as file:
                return file.read(), _stamp(os.fstat(file.fileno()))
        except FileNotFoundError:
            return b"", ()

    def _stamp_now(self) -> _Stamp:
        try:
            return _stamp(self.path.stat())
        except FileNotFoundError:
            return ()

    def _mode(self) -> int:
        try:
            found = self.path.lstat().st_mode
        except FileNotFoundError:
            found = 0
        return stat.S_IMODE(found) if stat.S_ISREG(found) else 0o666 & ~self._umask

    def _remove_unfinished(self) -> None:
        """Remove what a gateway that was killed has left."""
        begin = f"{private_file.UNFINISHED}{self.path.name}-"
        for each in self.path.parent.iterdir():
            if each.name.startswith(begin):
                each.unlink(missing_ok=True)


def _stale(versions: Iterable[Version], places: _Places) -> set[int]:
    """Return the tasks with an annotation that is not in the file in this version."""
    return {
        each.task_id
        for each in versions
        if (place := places.get(each.annotation_id)) is None or place.updated_at != each.updated_at
    }


def _stamp(found: os.stat_result) -> _Stamp:
    return found.st_ino, found.st_size, found.st_mtime_ns
