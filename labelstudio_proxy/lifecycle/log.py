"""What Label Studio printed: a tail in memory for the start page, all of it in a rotated file."""

from __future__ import annotations

import contextlib
import logging
import os
from collections import deque
from logging.handlers import RotatingFileHandler
from pathlib import Path

TAIL_LINES = 1000
LINE_LIMIT = 4000  # characters; a longer line is cut, in memory and on disk
FILE_BYTES = 1024 * 1024
OLD_FILES = 3


class LogBook:
    """Lines with ever-growing numbers, so that a reader can ask for what came since."""

    def __init__(self, path: Path) -> None:
        """Keep the lines in `path` too (made with mode 0600)."""
        self.path = path
        self._lines: deque[tuple[int, str]] = deque(maxlen=TAIL_LINES)
        self._last = 0
        self._file: _PrivateFile | None = None

    @property
    def last(self) -> int:
        """The number of the newest line; 0 before the first."""
        return self._last

    def add(self, line: str) -> None:
        """Keep a line (without its line end)."""
        line = line.replace("\x00", "")[:LINE_LIMIT]
        self._last += 1
        self._lines.append((self._last, line))
        if self._file is None:
            self._file = _open(self.path)
        self._file.emit(logging.makeLogRecord({"msg": "%s", "args": (line,)}))

    def since(self, number: int) -> list[tuple[int, str]]:
        """The lines in memory that are newer than `number`, oldest first."""
        return [entry for entry in self._lines if entry[0] > number]

    def tail(self, count: int) -> list[str]:
        """The last `count` lines in memory."""
        return [line for _, line in list(self._lines)[-count:]]

    def close(self) -> None:
        """Close the file; a later line opens it again."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # what a full disk has kept from being written
                self._file.close()
            self._file = None


class _PrivateFile(RotatingFileHandler):
    def _open(self):  # type: ignore[no-untyped-def]  # what the base class gives back is private
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return os.fdopen(descriptor, "a", encoding="utf-8", errors="replace")

    def handleError(self, record: logging.LogRecord) -> None:
        """A log that cannot be written (a full disk) must not stop Label Studio."""


def _open(path: Path) -> _PrivateFile:
    with contextlib.suppress(OSError):  # Label Studio must not wait for a reader that has failed
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handler = _PrivateFile(path, maxBytes=FILE_BYTES, backupCount=OLD_FILES, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    return handler
