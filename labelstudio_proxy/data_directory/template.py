"""A migrated database without accounts, which a first start begins with.

Label Studio builds an empty database by some 260 migrations, most of the time that a first start
takes. The package brings one template; `labelstudio-proxy prepare` makes one for another version.
"""

from __future__ import annotations

import contextlib
import lzma
import os
import re
import sqlite3
import tempfile
from importlib.resources import files
from pathlib import Path

from jupyter_core.paths import ENV_JUPYTER_PATH, jupyter_data_dir, jupyter_path
from packaging.version import InvalidVersion, Version

from .._version import LABEL_STUDIO_VERSION
from .directory import DataDirectory
from .migrations import Brought, applied_to

# The Label Studio that the package's own was migrated by.
VERSION = LABEL_STUDIO_VERSION
FOLDER = "labelstudio-proxy/templates"  # in each of Jupyter's data folders


def find(label_studio: str) -> tuple[Version, Path] | None:
    """The best template for this version of Label Studio: the newest that is not newer than it.

    Migrations only go forward: Label Studio applies those that an older template lacks, and could
    not use a newer one. None where the version is not known, or older than all.
    """
    try:
        wanted = Version(label_studio)
    except InvalidVersion:
        return None
    found: list[tuple[Version, Path]] = []
    for folder in (files(__package__) / "templates", *map(Path, jupyter_path(FOLDER))):
        for path in Path(str(folder)).glob("label_studio-*.sqlite3.xz"):
            match = re.fullmatch(r"label_studio-(.+)\.sqlite3\.xz", path.name)
            with contextlib.suppress(InvalidVersion):
                if match and (version := Version(match[1])) <= wanted:
                    found.append((version, path))
    return max(found, key=lambda each: each[0], default=None)


def place(directory: DataDirectory, label_studio: str) -> bool:
    """Put a template where `directory` has no database; `label_studio`: the installed version.

    Gives whether it did: not where `find` finds none. Raises OSError or lzma.LZMAError, and leaves
    no half of it then.
    """
    found = None if directory.database.exists() else find(label_studio)
    if found is None:
        return False
    data = lzma.decompress(found[1].read_bytes())
    descriptor, temporary = tempfile.mkstemp(dir=directory.path, prefix=".template-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # Never over a database that has appeared in the meantime.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, directory.database)
            return True
    finally:
        os.unlink(temporary)  # noqa: PTH108 - a name from mkstemp
    return False


def brought_by_version(*, at_least: str) -> Brought | None:
    """All migrations of the package's own Label Studio, if that is at least the one given."""
    try:
        if Version(at_least) > Version(VERSION) or (found := find(VERSION)) is None:
            return None
    except InvalidVersion:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "template.sqlite3")
        path.write_bytes(lzma.decompress(found[1].read_bytes()))
        return Brought(applied_to(path))


def compress(database: Path) -> bytes:
    """A freshly migrated database as a template; ValueError where somebody has an account in it."""
    with tempfile.TemporaryDirectory() as folder:
        compact = Path(folder) / "compact.sqlite3"
        with contextlib.closing(sqlite3.connect(database)) as connection:
            (users,) = connection.execute("SELECT count(*) FROM htx_user").fetchone()
            if users:
                msg = f"there is an account in {database}"
                raise ValueError(msg)
            connection.execute("VACUUM INTO ?", (str(compact),))
        return lzma.compress(compact.read_bytes(), preset=9 | lzma.PRESET_EXTREME)


def keep(template: bytes, label_studio: str) -> Path:
    """Keep a template for all users of this Python environment, else for this user; the file."""
    name = f"label_studio-{Version(label_studio)}.sqlite3.xz"
    for share in (ENV_JUPYTER_PATH[0], jupyter_data_dir()):
        path = Path(share, FOLDER, name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(f".{os.getpid()}")
            temporary.write_bytes(template)
        except PermissionError:
            continue
        temporary.chmod(0o644)  # there is nothing secret in it, whoever is to use it
        return temporary.replace(path)
    msg = f"{share} cannot be written"
    raise PermissionError(msg)
