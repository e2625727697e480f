"""What `label()` was given for each project: its source, its labels, and the file that keeps them.

A record is a small JSON file beside the database. Without it, a project is an ordinary one of Label
Studio's.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .. import private_file
from .directory import DataDirectory

FOLDER = "projects"  # in the proxy folder


@dataclass(frozen=True)
class ProjectRecord:
    """What is known of a project beside what Label Studio knows."""

    id: int
    title: str
    task: str = ""  # a name of `labelling.tasks`; "" for an own labelling interface
    config: str = ""  # the labelling interface that `label` set last
    source: dict[str, Any] = field(default_factory=dict)  # {"kind": "folder", "path": …}, …
    keep: str = ""  # absolute path of the file with the labels; "": none


class ProjectRecords:
    """Reads and writes the records. Every method blocks."""

    def __init__(self, directory: DataDirectory) -> None:
        self._folder = directory.proxy_folder / FOLDER

    def all(self) -> list[ProjectRecord]:
        """Return the readable records, in the order of the projects' numbers."""
        found = [record for file in self._folder.glob("*.json") if (record := _read(file))]
        return sorted(found, key=lambda record: record.id)

    def of(self, project: int) -> ProjectRecord | None:
        """Return the record of a project; None if there is none."""
        return _read(self._file(project))

    def write(self, record: ProjectRecord) -> None:
        """Replace the record of a project; raises OSError."""
        data = json.dumps(asdict(record), indent=1).encode()
        private_file.write(self._file(record.id), data)

    def change(self, project: int, title: str, **changes: Any) -> None:
        """Change some fields of a record, which need not exist; raises OSError."""
        self.write(replace(self.of(project) or ProjectRecord(project, title), **changes))

    def remove(self, project: int) -> None:
        """Remove the record of a project that was deleted; raises OSError."""
        self._file(project).unlink(missing_ok=True)

    def _file(self, project: int) -> Path:
        return self._folder / f"{project}.json"


def _read(file: Path) -> ProjectRecord | None:
    """Return the record in a file; None if there is none, or it cannot be read."""
    try:
        return ProjectRecord(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
