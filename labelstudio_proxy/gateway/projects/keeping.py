"""Keeps the labels of projects in files of the notebook, while people label.

Every change passes through the gateway, which calls `touch`. So nothing is asked regularly.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Collection, Iterable
from pathlib import Path

import aiohttp

from ...aio import begin_task
from ...config.notebook_files import NotebookFiles
from ...data_directory import annotations as database
from ...data_directory.directory import DISK_FULL, DataDirectory
from ...data_directory.project_records import ProjectRecord, ProjectRecords
from ...labelling.interface import Interface
from ...labelling.json_lines import Lines, json_lines
from ...labelling.rows import Labelled
from ...lifecycle.supervisor import Supervisor
from ...problem import Problem, unexpected
from ..connection import Connection
from . import annotations_api
from .item_paths import item_paths
from .kept_file import KeptFile
from .label_studio_api import LabelStudioAPI

logger = logging.getLogger(__name__)

# A page sends several requests for one label, and a program many. The file follows after so many
# seconds without one, or at the latest after `LONGEST` times as many, and as many again.
QUIET_SECONDS = 1.0
LONGEST = 2
RETRY_SECONDS = 5.0
# For what is not written yet when the gateway exits. The next one makes up for the rest.
FINISH_SECONDS = 5.0
WATCH_SECONDS = 60.0


class Keeper:
    """Writes the files of all projects that have one; `problem_of` says why one is not up to date."""

    def __init__(
        self,
        directory: DataDirectory,
        supervisor: Supervisor,
        connection: Connection,
        files: NotebookFiles | None,
        *,
        external_database: bool,
        umask: int,
    ) -> None:
        """`umask`: of the user, for new files."""
        self._directory = directory
        self._supervisor = supervisor
        self._connection = connection
        self._files = files
        self._external_database = external_database
        self._umask = umask
        self._records = ProjectRecords(directory)
        self._kept: dict[int, tuple[str, KeptFile]] = {}  # with the labelling interface
        self._problems: dict[int, str] = {}
        self._touched = asyncio.Event()
        self._pending = False
        self._changed = asyncio.Event()
        # How long the last time took, in seconds: all of it, and what Label Studio had to do with it.
        self._took = self._took_api = 0.0
        self._writing = asyncio.Lock()
        self._tasks = [begin_task(self._watch_starts()), begin_task(self._write_when_due())]

    def touch(self) -> None:
        """Write soon: labels may have changed, or what a project keeps them in."""
        self._pending = True
        self._touched.set()
        self._wake_readers()

    def next_change(self) -> asyncio.Event:
        """Return an event that is set at the next possible change of projects or of their files' problems."""
        return self._changed

    def problem_of(self, project: int) -> str:
        """Return why the file of a project is not up to date, in sentences; "" if it is."""
        return self._problems.get(project, "")

    async def finish(self) -> None:
        """Write what is not written yet, unless it takes long."""
        if self._pending or self._writing.locked():
            writing = begin_task(self._write_all())
            await asyncio.wait([writing], timeout=FINISH_SECONDS)

    async def close(self) -> None:
        """Write what is not written yet, and end."""
        await self.finish()
        for task in self._tasks:
            task.cancel()

    # ---- When

    async def _watch_starts(self) -> None:
        """A start makes up for what a gateway that was killed, or a full disk, has left out."""
        seen = None
        while True:
            endpoint = self._supervisor.snapshot.endpoint
            if endpoint is not None and endpoint is not seen:
                self.touch()
            seen = endpoint
            await self._supervisor.changed(WATCH_SECONDS)

    async def _write_when_due(self) -> None:
        while True:
            await self._wait_until_due()
            try:
                await self._write_all()
            except (
                Exception
            ):  # else no label would be written any more; the next change tries again
                logger.exception("Labels cannot be written into files")

    async def _wait_until_due(self) -> None:
        # Label Studio needs time for its users, too, and so does this process.
        quiet = max(QUIET_SECONDS, self._took_api)
        retries = self._problems and self._supervisor.snapshot.endpoint is not None
        retry = max(RETRY_SECONDS, 5 * self._took)
        if not await self._is_touched(retry if retries else None):
            return
        end = time.monotonic() + LONGEST * quiet
        while await self._is_touched(quiet) and time.monotonic() < end:
            pass

    async def _is_touched(self, timeout: float | None) -> bool:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._touched.wait(), timeout)
        touched = self._touched.is_set()
        self._touched.clear()
        return touched

    # ---- What

    async def _write_all(self) -> None:
        async with self._writing:
            self._pending = False
            begin, self._took_api = time.monotonic(), 0.0
            problems: dict[int, str] = {}
            for record in await asyncio.to_thread(self._records.all):
                if record.keep and (problem := await self._problem_of_writing(record)):
                    problems[record.id] = problem.as_sentence()
            self._took = time.monotonic() - begin
            self._show(problems)

    async def _problem_of_writing(self, record: ProjectRecord) -> Problem | None:
        try:
            await self._write(record)
        except Problem as problem:
            return Problem(_what(record), problem.as_sentence(), "")
        except OSError as error:
            return _not_written(record, error)
        except (sqlite3.Error, aiohttp.ClientError) as error:
            return Problem(_what(record), f"They cannot be read: {error}.", "")
        except Exception as error:
            if record.id not in self._problems:
                logger.exception("The labels of project %d cannot be written", record.id)
            return unexpected(_what(record), error)
        return None

    async def _write(self, record: ProjectRecord) -> None:
        if not self._external_database:
            try:
                await asyncio.to_thread(self._write_from_database, record)
            except database.UnknownTables as error:
                logger.info("Label Studio's API is asked for labels: %s", error)
            else:
                return
        if self._supervisor.snapshot.endpoint is not None:  # else the next start makes up for it
            begin = time.monotonic()
            await self._write_by_api(record)
            self._took_api += time.monotonic() - begin

    def _write_from_database(self, record: ProjectRecord) -> None:
        found = database.projects(self._directory, record.id)
        if not found:
            self._forget(record)
            return
        interface = Interface.parse(found[0].label_config)

        def read(tasks: Collection[int] | None) -> Iterable[Lines]:
            if tasks is None:
                return self._lines(record, interface, database.read(self._directory, record.id))
            return self._lines(record, interface, database.read_tasks(self._directory, tasks))

        versions = database.versions(self._directory, record.id)
        self._file(record, interface).update(versions, read)

    async def _write_by_api(self, record: ProjectRecord) -> None:
        api = LabelStudioAPI(await self._connection.upstream(), self._directory)
        project = await api.project(record.id)
        if project is None:
            await asyncio.to_thread(self._forget, record)
            return
        interface = Interface.parse(project["label_config"])
        labelled = [
            each async for part in annotations_api.read(api.get, record.id) for each in part
        ]

        def write() -> None:
            self._file(record, interface).write(self._lines(record, interface, labelled))

        await asyncio.to_thread(write)

    def _lines(
        self, record: ProjectRecord, interface: Interface, labelled: Iterable[Labelled]
    ) -> Iterable[Lines]:
        path_of = item_paths(
            self._directory, self._files, external_database=self._external_database
        )
        return json_lines(labelled, interface, path_of, str(Path(record.keep).parent))

    def _file(self, record: ProjectRecord, interface: Interface) -> KeptFile:
        """Return the file, which forgets its lines if they depended on another interface."""
        config, file = self._kept.get(record.id, ("", None))
        if file is None or file.path != Path(record.keep) or config != interface.xml:
            file = KeptFile(Path(record.keep), self._umask)
            self._kept[record.id] = (interface.xml, file)
        return file

    def _forget(self, record: ProjectRecord) -> None:
        """A user has deleted the project. Its labels stay in the file."""
        self._kept.pop(record.id, None)
        self._records.remove(record.id)

    # ---- What users see

    def _wake_readers(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _show(self, problems: dict[int, str]) -> None:
        for number in self._problems.keys() - problems.keys():
            logger.info("The labels of project %d are in its file again", number)
        for number in problems.keys() - self._problems.keys():
            logger.warning("%s", problems[number])
        if problems != self._problems:
            self._problems = problems
            self._wake_readers()
            self._supervisor.show_file_problems(tuple(problems.values()))


def _what(record: ProjectRecord) -> str:
    return f"The latest labels of {record.title!r} are not in {record.keep} yet."


def _not_written(record: ProjectRecord, error: OSError) -> Problem:
    folder = Path(record.keep).parent
    later = "Label Studio has them, and they are written as soon as that works."
    if error.errno in DISK_FULL:
        return Problem(_what(record), "The disk is full.", f"Free some space. {later}")
    if isinstance(error, FileNotFoundError):
        why = f"The folder {folder} does not exist."
        return Problem(
            _what(record), why, f"Put it back, or call `label` with another `keep`. {later}"
        )
    why = f"{error.strerror or error}."
    return Problem(_what(record), why, f"Make {folder} writable. {later}")
