"""Two versions of Label Studio on one database: backups, interrupted upgrades, refusals."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from support import older
from support.gateway import PROGRAM, Gateway, stand_in
from support.label_studio import EXECUTABLE
from support.processes import pids_that_mention, wait_for

from labelstudio_proxy.data_directory.migrations import migrations_of

NEW = version("label-studio")
TITLE = "Made by the old one"


@pytest.fixture(scope="module")
def old() -> tuple[Path, Path]:
    try:
        return older.install()
    except older.CannotInstall as error:
        pytest.skip(f"Label Studio {older.VERSION} cannot be installed: {error}")


@pytest.fixture
def run() -> Iterator[Callable[[Path, Path], Gateway]]:
    """Make a gateway: `run(executable, data_dir)`."""
    with contextlib.ExitStack() as stack:

        def run(executable: Path, data_dir: Path) -> Gateway:
            gateway = Gateway(data_dir, settings={"label_studio": str(executable)})
            stack.callback(gateway.stop)
            return gateway

        yield run


@pytest.fixture
def used(old: tuple[Path, Path], run: Callable[[Path, Path], Gateway], tmp_path: Path) -> Path:
    """A data directory that the old version has used, and no longer uses."""
    executable, migrated = old
    data_dir = shutil.copytree(migrated, tmp_path / "data")
    gateway = run(executable, data_dir)
    gateway.start()
    body = json.dumps({"title": TITLE}).encode()
    headers = [PROGRAM, ("Content-Type", "application/json")]
    assert gateway.ask("POST", "/api/projects", headers, body).status == 201
    gateway.stop()
    return data_dir


def content(database: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return list(connection.iterdump())


def migrations(database: Path) -> set[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return set(connection.execute("SELECT app, name FROM django_migrations"))


def backups(data_dir: Path) -> list[Path]:
    return sorted((data_dir / ".labelstudio-proxy" / "backups").iterdir())


def failure(gateway: Gateway) -> dict[str, str]:
    gateway.ask("POST", "/_proxy/start", [PROGRAM])

    def failed() -> dict[str, str] | None:
        found = gateway.ask("GET", "/_proxy/state").json()
        assert found["state"] != "ready"
        error: dict[str, str] | None = found["error"]
        return error

    return wait_for(failed, what="a refusal")


def titles(gateway: Gateway) -> list[str]:
    found = gateway.ask("GET", "/api/projects", [PROGRAM]).json()["results"]
    return [project["title"] for project in found]


def package(executable: Path) -> Path:
    (found,) = executable.parent.parent.glob("lib/python*/site-packages/label_studio")
    return found


def test_versions_differ_by_their_migrations(old: tuple[Path, Path], data_dir: Path) -> None:
    executable, old_data_dir = old
    brought = {
        "old": migrations_of(package(executable)),
        "new": migrations_of(package(EXECUTABLE)),
    }
    applied = {
        "old": frozenset(migrations(old_data_dir / "label_studio.sqlite3")),
        "new": frozenset(migrations(data_dir / "label_studio.sqlite3")),
    }
    for name in ("old", "new"):
        assert not brought[name].pending(applied[name])
        assert not brought[name].unknown(applied[name])
    assert brought["new"].pending(applied["old"])
    assert brought["old"].unknown(applied["new"])


def test_database_is_backed_up_before_another_version_uses_it(
    used: Path, run: Callable[[Path, Path], Gateway]
) -> None:
    before = content(used / "label_studio.sqlite3")
    new = run(EXECUTABLE, used)
    new.start()
    assert titles(new) == [TITLE]
    (backup,) = [path for path in backups(used) if older.VERSION in path.name]
    assert content(backup) == before
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert stat.S_IMODE(backup.parent.stat().st_mode) == 0o700
    with contextlib.closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert migrations(used / "label_studio.sqlite3") > migrations(backup)
    # The same version again is no upgrade.
    known = backups(used)
    new.stop_label_studio()
    new.start()
    assert backups(used) == known


def test_killed_upgrade_is_undone_exactly(
    used: Path, run: Callable[[Path, Path], Gateway], tmp_path: Path
) -> None:
    database = used / "label_studio.sqlite3"
    before = content(database)
    new = run(EXECUTABLE, used)
    new.ask("POST", "/_proxy/start", [PROGRAM])
    begun = migrations(database)

    def in_the_middle() -> bool:
        with contextlib.suppress(sqlite3.OperationalError):  # being written
            return migrations(database) > begun
        return False

    wait_for(in_the_middle, what="the first migrations", pause=0.05)
    for pid in (*pids_that_mention(used), new.process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not pids_that_mention(used), what="the end of all processes")
    half = migrations(database)
    assert begun < half
    assert migrations_of(package(EXECUTABLE)).pending(frozenset(half)), "the upgrade was finished"

    # The backup is restored before Label Studio starts: this one does nothing.
    idle = run(stand_in(tmp_path / "idle", "exit 3"), used)
    failure(idle)
    assert content(database) == before
    told = idle.ask("GET", "/_proxy/state").json()["notices"]
    assert f"The upgrade to Label Studio {NEW} was interrupted" in " ".join(told)
    idle.stop()
    assert len([path for path in backups(used) if older.VERSION in path.name]) == 1

    again = run(EXECUTABLE, used)
    again.start()
    assert titles(again) == [TITLE]
    assert not migrations_of(package(EXECUTABLE)).pending(frozenset(migrations(database)))


def test_older_version_is_refused_with_both_ways_out(
    used: Path, run: Callable[[Path, Path], Gateway], old: tuple[Path, Path]
) -> None:
    new = run(EXECUTABLE, used)
    new.start()
    new.stop()
    database = used / "label_studio.sqlite3"
    before = database.read_bytes()
    refused = run(old[0], used)
    error = failure(refused)
    assert error["what"] == f"Label Studio {older.VERSION} is older than the database."
    assert NEW in error["why"]
    assert f" -m pip install label-studio=={NEW}`" in error["remedy"]
    (backup,) = [path for path in backups(used) if older.VERSION in path.name]
    assert f"copy `{backup}` over" in error["remedy"]
    assert database.read_bytes() == before


def test_older_version_is_refused_without_a_record_of_the_newer_one(
    data_dir: Path, run: Callable[[Path, Path], Gateway], old: tuple[Path, Path]
) -> None:
    new = run(EXECUTABLE, data_dir)
    new.start()
    new.stop()
    shutil.rmtree(data_dir / ".labelstudio-proxy")
    error = failure(run(old[0], data_dir))
    assert error["what"] == f"Label Studio {older.VERSION} is older than the database."
    assert " -m pip install --upgrade label-studio`" in error["remedy"]


def test_upgrade_of_a_large_database_shows_its_progress(
    used: Path, run: Callable[[Path, Path], Gateway]
) -> None:
    with contextlib.closing(sqlite3.connect(used / "label_studio.sqlite3")) as connection:
        connection.execute("CREATE TABLE padding (data BLOB)")
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)"
            " INSERT INTO padding SELECT randomblob(1000000) FROM n"
        )
        connection.commit()
    new = run(EXECUTABLE, used)
    began = time.monotonic()
    new.ask("POST", "/_proxy/start", [PROGRAM])

    def details() -> str:
        steps = new.ask("GET", "/_proxy/state").json()["steps"]
        return " ".join(step["detail"] for step in steps)

    wait_for(lambda: "backing up the database first" in details(), what="progress", pause=0.05)
    assert time.monotonic() - began < 60
    new.start()
    assert titles(new) == [TITLE]
