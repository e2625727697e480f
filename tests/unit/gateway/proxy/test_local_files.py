"""The file that a task's path means, whatever folder Jupyter was in when the task was made."""

from __future__ import annotations

import lzma
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from labelstudio_proxy.config.notebook_files import NotebookFiles
from labelstudio_proxy.data_directory.directory import DataDirectory
from labelstudio_proxy.data_directory.local_storages import LocalStorage, all_storages
from labelstudio_proxy.data_directory.template import TEMPLATE
from labelstudio_proxy.gateway.proxy.local_files import (
    LocalFile,
    LocalFiles,
    NoFile,
    project_of,
)

Add = Callable[..., int]
OWNER = 1  # the account that reads


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    directory = DataDirectory(tmp_path / "data")
    directory.path.mkdir()
    directory.database.write_bytes(lzma.decompress(TEMPLATE.read_bytes()))
    return directory


@pytest.fixture
def add(directory: DataDirectory) -> Add:
    """Add a folder to a project, and return the storage's id."""

    def add(path: Path | str, project: int = 1, kind: str = "import") -> int:
        with closing(sqlite3.connect(directory.database)) as database, database:
            mixin = database.execute(
                "INSERT INTO io_storages_localfilesmixin (path, use_blob_urls) VALUES (?, 1)",
                (str(path),),
            )
            database.execute(
                f"INSERT INTO io_storages_localfiles{kind}storage (localfilesmixin_ptr_id,"
                " project_id, created_at, status, synchronizable) VALUES (?, ?, 0, '', 1)",
                (mixin.lastrowid, project),
            )
        return int(mixin.lastrowid or 0)

    return add


def project_without(directory: DataDirectory, account: int) -> int:
    """Add an organization from which `account` was removed; return the id of a project of it."""
    with closing(sqlite3.connect(directory.database)) as database, database:
        organization = _insert(database, "organization")
        _insert(
            *(database, "organizations_organizationmember"),
            organization_id=organization,
            user_id=account,
            deleted_at="2026-01-01",
        )
        return _insert(database, "project", organization_id=organization)


def _insert(database: sqlite3.Connection, table: str, **values: object) -> int:
    """Insert a row with 0 in the other columns that must have a value; return its id."""
    for _, name, _, needed, default, is_key in database.execute(f"PRAGMA table_info({table})"):
        if needed and default is None and not is_key:
            values.setdefault(name, 0)
    marks = ", ".join("?" * len(values))
    added = database.execute(
        f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values())
    )
    return int(added.lastrowid or 0)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with a picture of the same name in two folders, and links."""
    home = tmp_path / "home"
    for folder in ("a", "b"):
        (home / folder / "pictures").mkdir(parents=True)
        (home / folder / "pictures" / "1.png").write_text(folder)
    (home / "a" / "pictures" / "2.png").write_text("a")
    (home / "a" / "all.png").write_text("all")
    (home / "a" / "pictures" / "all.png").symlink_to(home / "a" / "all.png")
    (home / "secret").write_text("secret")
    (home / "a" / "pictures" / "secret").symlink_to(home / "secret")
    return home


@pytest.fixture
def find(directory: DataDirectory) -> Callable[..., LocalFile | NoFile | None]:
    def find(
        name: str,
        root: Path,
        page: str = "",
        *,
        shown: Path | None = None,
        fixed: bool = False,
    ) -> LocalFile | NoFile | None:
        files = NotebookFiles(root, shown or root, fixed=fixed)
        local_files = LocalFiles(directory, files, external_database=False)
        return local_files.find(f"d={quote(name, safe='/&=')}", page, OWNER)

    return find


Find = Callable[..., LocalFile | NoFile | None]


def test_path_of_an_earlier_root_leads_to_the_same_file(add: Add, find: Find, home: Path) -> None:
    add(home / "a" / "pictures")
    made = LocalFile(home / "a" / "pictures" / "2.png")
    for root in (home / "b", home / "a" / "pictures", home, home / "a" / "pictures" / "deeper"):
        assert find("pictures/2.png", root) == made
    assert find("a/pictures/2.png", home / "b") == made
    assert find("/a/./pictures/../pictures/2.png", home / "b") == made


def test_path_of_the_root_of_today_leads_to_its_file(add: Add, find: Find, home: Path) -> None:
    add(home / "a" / "pictures")
    made = LocalFile(home / "a" / "pictures" / "2.png")
    assert find("pictures/2.png", home / "a") == made
    assert find("a/pictures/2.png", home) == made


def test_account_that_was_removed_reads_nothing(
    directory: DataDirectory, add: Add, find: Find, home: Path
) -> None:
    """As Label Studio's `has_permission` says."""
    add(home / "a" / "pictures", project_without(directory, OWNER + 1))
    assert find("a/pictures/2.png", home) == LocalFile(home / "a" / "pictures" / "2.png")
    add(home / "b" / "pictures", project_without(directory, OWNER))
    assert find("b/pictures/1.png", home) is None


@pytest.mark.parametrize("name", ["2.png", "a/pictures", "pictures", "b/pictures/1.png", "x", "."])
def test_only_files_in_a_folder_of_a_project_are_found(
    add: Add, find: Find, home: Path, name: str
) -> None:
    add(home / "a" / "pictures")
    assert find(name, home) is None


def test_page_of_the_project_decides_between_two_folders(add: Add, find: Find, home: Path) -> None:
    add(home / "a" / "pictures", 1)
    add(home / "b" / "pictures", 2)
    hub = "https://hub/user/x/projects/1/labelstudio"
    for root in (home, home / "a", home / "b"):
        for project, folder in ((1, "a"), (2, "b")):
            found = find("pictures/1.png", root, f"{hub}/projects/{project}/data?task=1")
            assert found == LocalFile(home / folder / "pictures" / "1.png")
    # No page: the root of today, else none, since it could be the wrong one.
    assert find("pictures/1.png", home / "b") == LocalFile(home / "b" / "pictures" / "1.png")
    assert find("pictures/1.png", home) is None


@pytest.mark.parametrize(
    ("referer", "project"),
    [
        ("", None),
        ("https://x/user/projects/7/labelstudio/", 7),
        ("https://x/projects/7/labelstudio/projects/12", 12),
        ("https://x/labelstudio/projects/12?tab=1", 12),
        ("https://x/labelstudio/projects/12x/", None),
    ],
)
def test_project_of_a_page(referer: str, project: int | None) -> None:
    assert project_of(referer) == project


def test_missing_folder_is_named(add: Add, find: Find, home: Path) -> None:
    add(home / "disk" / "pictures")
    found = find("pictures/1.png", home / "b")
    assert isinstance(found, NoFile)
    assert found.status == 404
    assert f"The folder {home / 'disk' / 'pictures'} does not exist." in found.detail


def test_missing_file_is_named(add: Add, find: Find, home: Path) -> None:
    add(home / "a" / "pictures")
    for name, root in (("pictures/9.png", home / "b"), ("a/pictures/9.png", home)):
        found = find(name, root)
        assert isinstance(found, NoFile)
        assert f"The file {home / 'a' / 'pictures' / '9.png'} does not exist." in found.detail


def test_links_stay_in_the_root_or_beside_the_folder(add: Add, find: Find, home: Path) -> None:
    add(home / "a" / "pictures")
    linked = LocalFile(home / "a" / "pictures" / "all.png")
    assert find("pictures/all.png", home / "b") == linked
    for name in ("pictures/secret", "a/pictures/secret", "home/a/pictures/secret"):
        found = find(name, home / "b")
        assert isinstance(found, NoFile)
        assert (found.status, "is a link" in found.detail) == (403, True)
        assert isinstance(find(name, home / "a"), NoFile)


@pytest.mark.parametrize("storage", [True, False])
def test_links_stay_in_the_folder_that_jupyter_shows(
    add: Add, find: Find, home: Path, *, storage: bool
) -> None:
    """Although the files root is the home folder, and whether or not the storages are known."""
    if storage:
        add(home / "a" / "pictures")
    shown = home / "a"
    linked = LocalFile(home / "a" / "pictures" / "all.png")
    assert find("a/pictures/all.png", home, shown=shown) == (linked if storage else None)
    good, bad = "a/pictures/2.png", "a/pictures/secret"
    for query in (bad, f"{good}&d={bad}", f"{bad}&d={good}"):
        assert isinstance(find(query, home, shown=shown), NoFile)
    assert isinstance(find("../outside", home, shown=shown), NoFile)
    assert isinstance(find("a/pictures/x\0", home, shown=shown), NoFile)


def test_fixed_files_root_is_the_only_one(add: Add, find: Find, home: Path) -> None:
    add(home / "a" / "pictures")
    found = find("pictures/2.png", home / "b", fixed=True)
    assert isinstance(found, NoFile)
    assert found.status == 403
    assert str(home / "a" / "pictures") in found.detail
    assert isinstance(find("pictures/2.png", home, fixed=True), LocalFile)


def test_storages_of_a_database(directory: DataDirectory, add: Add, home: Path) -> None:
    source, target = add(home / "x/../a"), add("/out", 2, "export")
    add("")
    add("C:\\pictures")
    assert all_storages(directory) == [
        LocalStorage(source, 1, home / "a"),
        LocalStorage(target, 2, Path("/out")),
    ]


@pytest.mark.parametrize("content", [None, b"", b"no database"])
def test_unreadable_database_has_no_storages(
    directory: DataDirectory, content: bytes | None
) -> None:
    directory.database.unlink()
    if content is not None:
        directory.database.write_bytes(content)
    assert all_storages(directory) == []
