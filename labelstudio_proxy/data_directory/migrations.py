"""Which version of Label Studio a database belongs to: its migrations, and a record beside it."""

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
VERSION_RECORD = "version.json"


def applied_to(database: Path) -> Migrations:
    """Return the migrations of a database, none if it has no tables yet. Raises sqlite3.Error."""
    # Not read-only: SQLite may have to roll back a write of a program that was killed.
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
    """The migrations in a release of Label Studio."""

    own: Migrations
    replaced: Migrations = frozenset()  # by squashed ones; a database may still have them

    def pending(self, applied: Migrations) -> Migrations:
        """Return those that this release would apply."""
        return self.own - applied

    def unknown(self, applied: Migrations) -> Migrations:
        """Return those that only a newer release has. The apps of libraries are not compared."""
        apps = {app for app, _ in self.own}
        return frozenset(each for each in applied - self.own - self.replaced if each[0] in apps)


def migrations_of(package: Path) -> ReleaseMigrations:
    """Return the migrations of an installed Label Studio, without those of its libraries.

    `package`: the folder of its module. Its apps are folders, named as Django names them.
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
class VersionRecord:
    """Which Label Studio has used a data directory; a file in `DataDirectory.proxy_folder`."""

    label_studio: str = ""  # the version that was ready last; empty: not known
    # Of an unfinished upgrade: the new version, and the name of the backup from before.
    to: str = ""
    backup: str = ""

    @classmethod
    def read(cls, directory: DataDirectory) -> VersionRecord:
        """Return the record, an empty one if there is no readable file."""
        path = directory.proxy_folder / VERSION_RECORD
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return cls()

    @staticmethod
    def remove(directory: DataDirectory) -> None:
        """Remove the record; raises OSError."""
        (directory.proxy_folder / VERSION_RECORD).unlink(missing_ok=True)

    def write(self, directory: DataDirectory) -> None:
        """Replace the record; raises OSError."""
        private_file.write(
            directory.proxy_folder / VERSION_RECORD, json.dumps(asdict(self)).encode()
        )


def is_newer(one: str, other: str) -> bool:
    """Return True if version `one` is newer; False if one of them is not known."""
    try:
        return Version(one) > Version(other)
    except InvalidVersion:
        return False
