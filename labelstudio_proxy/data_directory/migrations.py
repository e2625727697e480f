"""Which Label Studio a database is of: by its migrations, and by a record of who had it last."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from .. import private_file
from .directory import DataDirectory, sqlite_uri

Migrations = frozenset[tuple[str, str]]  # (app, name)
RECORD = "version.json"


def applied_to(database: Path) -> Migrations:
    """The migrations that a database has; raises sqlite3.Error. None at all: it is not migrated."""
    # Not read-only: what a killed program was writing has to be rolled back first.
    uri = sqlite_uri(database, "rw")
    with closing(sqlite3.connect(uri, uri=True, timeout=30)) as connection:
        try:
            return frozenset(connection.execute("SELECT app, name FROM django_migrations"))
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return frozenset()
            raise


@dataclass(frozen=True)
class ReleaseMigrations:
    """The migrations that a Label Studio brings."""

    own: Migrations
    replaced: Migrations = frozenset()  # by some of its own: a database may have them still

    def pending(self, applied: Migrations) -> Migrations:
        """Those that it would apply."""
        return self.own - applied

    def unknown(self, applied: Migrations) -> Migrations:
        """Those of the database that it does not know, being older; its libraries' are not told."""
        apps = {app for app, _ in self.own}
        return frozenset(each for each in applied - self.own - self.replaced if each[0] in apps)


def migrations_of(package: Path) -> ReleaseMigrations:
    """What an installed Label Studio brings itself, without what its libraries bring.

    `package`: the folder of its module. Its apps are folders, named as Django knows them.
    """
    own, replaced = set(), set()
    for path in package.glob("*/migrations/*.py"):
        if path.stem.startswith("_"):
            continue
        own.add((path.parent.parent.name, path.stem))
        text = path.read_text(encoding="utf-8", errors="replace")
        # https://docs.djangoproject.com/en/5.2/topics/migrations/#migration-squashing
        if listed := re.search(r"\n    replaces = (\[.*?\])", text, re.DOTALL):
            replaced.update(re.findall(r"""\(\s*["'](\w+)["'],\s*["'](\w+)["']""", listed[1]))
    return ReleaseMigrations(frozenset(own), frozenset(replaced))


@dataclass(frozen=True)
class Record:
    """What is known of a data directory's Label Studio; kept in `DataDirectory.proxy_folder`."""

    label_studio: str = ""  # the version that was ready last; empty: not known
    # Of an upgrade that has begun and not ended: the version, and the backup from before.
    to: str = ""
    backup: str = ""

    @classmethod
    def of(cls, directory: DataDirectory) -> Record:
        """The record of a directory, empty where there is none that can be read."""
        try:
            return cls(**json.loads((directory.proxy_folder / RECORD).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return cls()

    @staticmethod
    def remove(directory: DataDirectory) -> None:
        """Know nothing any more; raises OSError."""
        (directory.proxy_folder / RECORD).unlink(missing_ok=True)

    def write(self, directory: DataDirectory) -> None:
        """Keep it, whole or not at all; raises OSError."""
        private_file.write(directory.proxy_folder / RECORD, json.dumps(asdict(self)).encode())


def is_newer(one: str, other: str) -> bool:
    """Whether a version is newer than another; False where either is not known."""
    try:
        return Version(one) > Version(other)
    except InvalidVersion:
        return False
