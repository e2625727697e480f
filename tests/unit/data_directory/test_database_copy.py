from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from labelstudio_proxy.data_directory import database_copy
from labelstudio_proxy.data_directory.database_copy import (
    back_up,
    backups,
    copy_database,
    replace_database,
)
from labelstudio_proxy.data_directory.directory import DataDirectory
from labelstudio_proxy.problem import Problem


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    made = DataDirectory(tmp_path / "ü %?#")
    made.prepare()
    write(made.database, "first")
    return made


def write(database: Path, text: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        for table in ("htx_user", "django_migrations", "words"):
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table} (word TEXT)")
        connection.execute("INSERT INTO words VALUES (?)", (text,))


def words(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM words")]


def test_three_backups_are_kept(directory: DataDirectory) -> None:
    made = [back_up(directory, f"1.{number}") for number in range(5)]
    assert backups(directory) == made[-3:]
    assert {stat.S_IMODE(path.stat().st_mode) for path in backups(directory)} == {0o600}


def test_no_write_happens_during_a_copy(directory: DataDirectory, tmp_path: Path) -> None:
    def write_meanwhile(done: int, total: int) -> None:
        with (
            closing(sqlite3.connect(directory.database, timeout=0)) as connection,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            connection.execute("PRAGMA user_version = 7")

    copy_database(directory.database, tmp_path / "copy", write_meanwhile)
    assert words(tmp_path / "copy") == ["first"]


def test_damaged_database_is_not_backed_up(directory: DataDirectory) -> None:
    for number in range(50):
        write(directory.database, f"{number} " * 20)
    data = bytearray(directory.database.read_bytes())
    data[4096:8192] = b"\xff" * 4096
    directory.database.write_bytes(data)
    with pytest.raises(Problem, match="could not be backed up"):
        back_up(directory, "1.0")
    assert backups(directory) == []
    assert [path.name for path in (directory.proxy_folder / "backups").iterdir()] == []


@pytest.mark.parametrize("content", [b"", b"no database", None])
def test_file_that_is_not_label_studios_database_is_not_copied(
    directory: DataDirectory, tmp_path: Path, content: bytes | None
) -> None:
    directory.database.unlink()
    if content is not None:
        directory.database.write_bytes(content)
    with pytest.raises(sqlite3.Error):
        copy_database(directory.database, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    assert directory.database.exists() is (content is not None)


def test_copy_of_a_database_with_a_write_ahead_log_is_a_single_file(
    directory: DataDirectory, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(directory.database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        write(directory.database, "second")
        (tmp_path / "copies").mkdir()
        copy_database(directory.database, tmp_path / "copies" / "copy")
    assert [path.name for path in (tmp_path / "copies").iterdir()] == ["copy"]
    assert words(tmp_path / "copies" / "copy") == ["first", "second"]


def test_no_backup_is_made_without_enough_free_space(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_copy, "SPARE_BYTES", 1 << 60)
    with pytest.raises(Problem, match="could not be backed up") as told:
        back_up(directory, "1.0")
    assert "are free" in told.value.why
    assert backups(directory) == []


def test_replaced_database_takes_its_journal_along(directory: DataDirectory) -> None:
    kept = back_up(directory, "1.0")
    write(directory.database, "second")
    journal = Path(f"{directory.database}-journal")
    journal.write_bytes(b"of the other")
    aside = replace_database(directory, kept)
    assert words(directory.database) == ["first"]
    assert stat.S_IMODE(directory.database.stat().st_mode) == 0o600
    assert not journal.exists()
    assert aside is not None
    assert Path(f"{aside}-journal").read_bytes() == b"of the other"
