"""The list of rows, and the means that every row uses."""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

from support import label_studio
from support.label_studio import BareLabelStudio

from .results import Row, Table

T = TypeVar("T")

OWNER = "ada@localhost"
PASSWORD = "not a secret"
TEXT_CONFIG = """
<View>
  <Text name="text" value="$text"/>
  <Choices name="choice" toName="text"><Choice value="Yes"/><Choice value="No"/></Choices>
</View>
"""
TASK_TEXT = "A text to label, and this is number"


class NotPossible(Exception):
    """Raised if a way or a setting cannot be measured. The message says why."""


class Stoppable(Protocol):
    def stop(self) -> object: ...


S = TypeVar("S", bound=Stoppable)


@dataclass
class Bench:
    """The number of rounds, the size of the data, and the clean-up after a row."""

    rounds: int | None = None  # None: the row decides
    small: bool = False  # a trial of the benchmarks: little data, short runs
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    scratch: Path = field(
        default_factory=lambda: Path(tempfile.mkdtemp(prefix="lsp-bench-", dir="/var/tmp"))
    )

    def close(self) -> None:
        self.stack.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def times(self, usual: int) -> int:
        return self.rounds or (min(usual, 2) if self.small else usual)

    def seconds(self, usual: int) -> int:
        return 1 if self.small else usual

    def size(self, usual: int) -> int:
        return usual // 20 if self.small else usual

    def say(self, text: str) -> None:
        print(f"    {text}", flush=True)

    def keep(self, started: S) -> S:
        """Stop it after the row."""
        self.stack.callback(started.stop)
        return started

    def folder(self) -> Path:
        """Return a new empty folder, which is removed after the row."""
        made = Path(tempfile.mkdtemp(dir=self.scratch))
        self.stack.callback(shutil.rmtree, made, ignore_errors=True)
        return made

    @cached_property
    def _started(self) -> Path:
        """A data directory with an owner, a secret, and a project (1) with a few texts."""
        data_dir = self.scratch / "started"
        label_studio.new_data_dir(data_dir)
        bare = BareLabelStudio(data_dir, email=OWNER, env={"LABEL_STUDIO_PASSWORD": PASSWORD})
        try:
            project = bare.post(
                "api/projects", json={"title": "Texts", "label_config": TEXT_CONFIG}
            ).json()["id"]
            assert project == 1
            add_tasks(bare, project, 5)
        finally:
            bare.stop()
        return data_dir

    def started_data_dir(self) -> Path:
        """Return a copy of `_started`, the data directory of an earlier user."""
        return Path(shutil.copytree(self._started, self.folder() / "data"))

    def random_file(self, path: Path, size: int) -> Path:
        """Write `size` random bytes, all blocks different, so that a checksum finds a swapped block."""
        generator = random.Random(size)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            while size > 0:
                size -= file.write(generator.randbytes(min(size, 1 << 24)))
        return path


def add_tasks(asked: BareLabelStudio, project: int, count: int) -> None:
    """Import texts of about 150 characters each, a thousand per request."""
    for begin in range(0, count, 1000):
        tasks = [
            {"text": f"{TASK_TEXT} {n}. " + "It is as long as a sentence in a review. " * 3}
            for n in range(begin, min(begin + 1000, count))
        ]
        answer = asked.post(f"api/projects/{project}/import", json=tasks, timeout=600)
        assert answer.status_code == 201, answer.text[:1000]


Measure = Callable[[Bench], list[Row | Table]]
LIST: dict[str, Measure] = {}


def measures(key: str) -> Callable[[Measure], Measure]:
    """Register a function that measures rows, under a key for `--rows`."""

    def add(function: Measure) -> Measure:
        assert key not in LIST
        LIST[key] = function
        return function

    return add


def alternate(rounds: int, ways: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Return the values of each way, measured in turns. Raises NotPossible if a way does."""
    found = {}
    for name, values in alternate_possible(rounds, ways).items():
        if isinstance(values, str):
            raise NotPossible(f"{name}: {values}")
        found[name] = values
    return found


def alternate_possible(
    rounds: int, ways: Mapping[str, Callable[[], T]]
) -> dict[str, list[T] | str]:
    """Return the values of each way, or the reason why it cannot be measured.

    The order is A B, B A, A B, …, so that other work of the machine slows down all ways alike.
    A way that raises NotPossible is left out from then on.
    """
    found: dict[str, list[T] | str] = {name: [] for name in ways}
    for turn in range(rounds):
        names = list(ways) if turn % 2 == 0 else list(ways)[::-1]
        for name in names:
            values = found[name]
            if isinstance(values, str):
                continue
            try:
                values.append(ways[name]())
            except NotPossible as error:
                found[name] = str(error)
    return found
