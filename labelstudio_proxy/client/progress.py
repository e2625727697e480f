"""Progress for a person who waits: a bar in a notebook, a line on a terminal, else nothing."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import Any, Protocol

from . import card, notebook

# Short work shows nothing.
PATIENCE_SECONDS = 0.5
UPDATE_SECONDS = 0.1
WIDTH = 30  # characters of the bar on a terminal


class Show(Protocol):
    """Shows how much is done."""

    def __call__(self, done: float, total: float, what: str) -> None:
        """`total` 0: not known."""


@contextlib.contextmanager
def progress() -> Iterator[Show]:
    """Yield a function that shows progress; removes what it showed at the end."""
    shown: _Notebook | _Terminal | None
    if notebook.is_here():
        shown = _Notebook()
    elif sys.stderr.isatty():
        shown = _Terminal()
    else:
        shown = None
    begin = time.monotonic()
    last = 0.0

    def show(done: float, total: float, what: str) -> None:
        nonlocal last
        now = time.monotonic()
        if shown is None or now - begin < PATIENCE_SECONDS or now - last < UPDATE_SECONDS:
            return
        last = now
        shown.show(done, total, what)

    try:
        yield show
    finally:
        if shown is not None and last:
            shown.clear()


class _Notebook:
    def __init__(self) -> None:
        self._handle: Any = None
        self._shown = ""

    def show(self, done: float, total: float, what: str) -> None:
        html = card.progress_html(done, total, what)
        if html == self._shown:  # every message stays in the front end's memory
            return
        self._shown = html
        if self._handle is None:
            self._handle = notebook.show(html)
        else:
            notebook.replace(self._handle, html)

    def clear(self) -> None:
        if self._handle is not None:
            notebook.replace(self._handle, "")


class _Terminal:
    def show(self, done: float, total: float, what: str) -> None:
        # As click's bars, which the commands have.
        share = min(1.0, done / total) if total else 0.0
        filled = round(WIDTH * share)
        bar = f"  [{'#' * filled}{'-' * (WIDTH - filled)}]  {share:4.0%}" if total else ""
        columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
        room = max(0, columns - len(bar) - 1)  # a longer line could not be removed
        sys.stderr.write(f"\r\033[K{what[:room]}{bar}")
        sys.stderr.flush()

    def clear(self) -> None:
        sys.stderr.write("\r\033[K")
        sys.stderr.flush()
