"""The lines that Label Studio prints: the last ones in memory, all of them in rotated files."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import deque
from logging.handlers import RotatingFileHandler
from pathlib import Path
from queue import SimpleQueue

TAIL_LINES = 1000
LINE_LIMIT = 4000  # characters; longer lines are cut
FILE_BYTES = 1024 * 1024
OLD_FILES = 3
# That wait for a slow disk; if it hangs, further lines are in memory only.
WAITING_LINES = 10_000
CLOSE_SECONDS = 2.0


class LabelStudioLog:
    """Numbers the lines, so that a reader can ask for the lines since the last one it has seen."""

    def __init__(self, path: Path) -> None:
        """Also write the lines to `path`, with mode 0600, in a thread: `add` does not block."""
        self.path = path
        self._lines: deque[tuple[int, str]] = deque(maxlen=TAIL_LINES)
        self._last = 0
        self._waiting: SimpleQueue[logging.LogRecord | None] = SimpleQueue()
        self._writer: threading.Thread | None = None

    @property
    def last(self) -> int:
        """The number of the newest line; 0 before the first."""
        return self._last

    def add(self, line: str) -> None:
        """Add a line, given without its line end."""
        line = line.replace("\x00", "")[:LINE_LIMIT]
        self._last += 1
        self._lines.append((self._last, line))
        if self._writer is None:
            self._writer = threading.Thread(target=self._write, name="log", daemon=True)
            self._writer.start()
        if self._waiting.qsize() < WAITING_LINES:
            self._waiting.put(logging.makeLogRecord({"msg": "%s", "args": (line,)}))

    def since(self, number: int) -> list[tuple[int, str]]:
        """Return the lines in memory after line `number`, oldest first."""
        return [entry for entry in self._lines if entry[0] > number]

    def tail(self, count: int) -> list[str]:
        """Return the last `count` lines in memory."""
        return [line for _, line in list(self._lines)[-count:]]

    def close(self) -> None:
        """Write the lines that wait, and close the file; the next line opens it again.

        Returns after CLOSE_SECONDS if the disk hangs.
        """
        if self._writer is not None:
            self._waiting.put(None)
            self._writer.join(CLOSE_SECONDS)
            self._writer = None

    def _write(self) -> None:
        file = _open(self.path)
        while (record := self._waiting.get()) is not None:
            file.emit(record)
        with contextlib.suppress(OSError):  # a full disk
            file.close()


class _PrivateFile(RotatingFileHandler):
    def _open(self):  # type: ignore[no-untyped-def]  # the base class returns a private type
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return os.fdopen(descriptor, "a", encoding="utf-8", errors="replace")

    def handleError(self, record: logging.LogRecord) -> None:
        """Ignore the error: a full disk must not stop Label Studio."""


def _open(path: Path) -> _PrivateFile:
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handler = _PrivateFile(path, maxBytes=FILE_BYTES, backupCount=OLD_FILES, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    return handler
