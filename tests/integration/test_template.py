"""The migrated database in the package, compared with one that Label Studio migrates now."""

from __future__ import annotations

import contextlib
import importlib.metadata
import sqlite3
from pathlib import Path

from support import label_studio

from labelstudio_proxy.data_directory import template

DATABASE = "label_studio.sqlite3"
SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
MIGRATIONS = "SELECT app, name FROM django_migrations ORDER BY app, name"
COLUMNS = """SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c
    WHERE m.type = 'table' ORDER BY m.name, c.name"""


def rows(database: Path, query: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def test_the_template_is_what_a_fresh_migration_makes(tmp_path: Path) -> None:
    placed = label_studio.new_data_dir(tmp_path / "placed")
    fresh = tmp_path / "fresh"
    label_studio.migrate(fresh, tmp_path / "home")
    queries = [MIGRATIONS, COLUMNS, SCHEMA]
    if importlib.metadata.version("label-studio") != template.VERSION:
        # A newer Label Studio adds its migrations; the schema's text then depends on the way.
        label_studio.migrate(placed, tmp_path / "home")
        queries.remove(SCHEMA)
    for query in queries:
        expected = rows(fresh / DATABASE, query)
        assert len(expected) > 100
        assert rows(placed / DATABASE, query) == expected
