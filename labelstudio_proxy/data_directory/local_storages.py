"""The folders of the notebook that people have added to Label Studio's projects."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .directory import DataDirectory, sqlite_uri

_QUERY = (
    "SELECT m.id, s.project_id, m.path FROM {} s"
    " JOIN io_storages_localfilesmixin m ON m.id = s.localfilesmixin_ptr_id"
)
_SOURCES = _QUERY.format("io_storages_localfilesimportstorage")
_NOT_REMOVED = (
    "LEFT JOIN project p ON p.id = s.project_id WHERE NOT EXISTS (SELECT 1"
    " FROM organizations_organizationmember o WHERE o.organization_id = p.organization_id"
    " AND o.user_id = ? AND o.deleted_at IS NOT NULL)"
)
_TARGETS = _QUERY.format("io_storages_localfilesexportstorage")


@dataclass(frozen=True)
class LocalStorage:
    """A folder of a project."""

    id: int
    project: int
    path: Path  # absolute


def source_storages(directory: DataDirectory) -> list[LocalStorage]:
    """Return the folders that projects read files from; none if the database cannot be read."""
    return _read(directory, _SOURCES)


def readable_storages(directory: DataDirectory, account: int) -> list[LocalStorage]:
    """Return the folders whose files Label Studio lets `account` read, as `source_storages` does.

    Folders of an organization from which the account was removed are missing (`has_permission` in
    Label Studio's `projects/mixins.py`).
    """
    return _read(directory, f"{_SOURCES} {_NOT_REMOVED}", account)


def all_storages(directory: DataDirectory) -> list[LocalStorage]:
    """Return the folders that projects read from or export to, as `source_storages` does."""
    return _read(directory, f"{_SOURCES} UNION ALL {_TARGETS}")


def _read(directory: DataDirectory, query: str, *values: int) -> list[LocalStorage]:
    try:
        uri = sqlite_uri(directory.database, "ro")
        with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
            rows = connection.execute(query, values).fetchall()
    except sqlite3.Error:
        return []
    return [
        LocalStorage(number, project, Path(os.path.normpath(path)))
        for number, project, path in rows
        if path and path.startswith("/") and "\0" not in path
    ]
