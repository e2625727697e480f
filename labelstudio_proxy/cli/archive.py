"""A data directory as one zip file with a note on what made it.

Zip, not tar: the end of the file says what is in it and how large that is, before anything is
unpacked; a file that was cut off has no such end. Each entry has a checksum (CRC-32).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from .. import private_file
from .._version import __version__
from ..data_directory.directory import DATABASE
from ..problem import Problem
from ..shell_command import shell_command

FORMAT = 2  # format 1 lists the files as well, with sizes and checksums
MANIFEST = "labelstudio-proxy.json"
MANIFEST_BYTES = 64 * 1024 * 1024
BLOCK_BYTES = 1024 * 1024
FILE_BYTES = 4096  # what a file takes on a disk at least
# Compressing these again only takes time.
COMPRESSED = re.compile(
    r"\.(jpe?g|png|gif|webp|mp[34]|m4a|og[gv]|flac|webm|avi|mov|mkv|pdf|zip|gz|xz)"
)
# SQLite's own files beside the database, useless with any other copy of it.
JOURNALS = tuple(f"{DATABASE}{end}" for end in ("-journal", "-wal", "-shm"))

Progress = Callable[..., None]  # bytes done, bytes in all, and a `label`


class RefusedArchive(Problem):
    """Raised for an archive that cannot be restored."""

    def __init__(self, archive: Path, why: str) -> None:
        super().__init__(
            f"{archive} is not restored.",
            f"{why} Nothing was changed.",
            f"Use a complete file that `{shell_command('labelstudio-proxy backup')}` has made.",
        )


def write(archive: Path, sources: Iterable[tuple[str, Path]], progress: Progress) -> None:
    """Write files, under their names in the archive, into the empty file `archive`.

    Leaves out a file that was deleted in the meantime. Raises OSError, ValueError for a name that
    a zip file cannot have, and RefusedArchive for what could not be restored.
    """
    listed = list(sources)
    total, done = sum(_size(path) for _, path in listed), 0
    with archive.open("r+b") as file:
        with zipfile.ZipFile(file, "w", compresslevel=1) as packed:
            for name, path in listed:
                try:
                    source = path.open("rb")
                except FileNotFoundError:
                    continue
                # A file may grow beyond 4 GB while it is read.
                with source, packed.open(_entry(name), "w", force_zip64=True) as entry:
                    for count in _copy(source, entry):
                        done += count
                        progress(done, max(done, total))
            manifest = {
                "format": FORMAT,
                "made_by": f"labelstudio-proxy {__version__}",
                "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "database": DATABASE in packed.namelist(),
            }
            packed.writestr(_entry(MANIFEST), json.dumps(manifest, indent=1))
        file.flush()
        os.fsync(file.fileno())
    with zipfile.ZipFile(archive) as written:
        _checked_entries(archive, written)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, time.localtime()[:6])
    info.external_attr = (stat.S_IFREG | 0o600) << 16
    compressed = COMPRESSED.fullmatch(PurePosixPath(name).suffix.lower())
    info.compress_type = zipfile.ZIP_STORED if compressed else zipfile.ZIP_DEFLATED
    return info


def _copy(source: IO[bytes], target: IO[bytes]) -> Iterator[int]:
    """Copy a file in blocks and yield the size of each."""
    while block := source.read(BLOCK_BYTES):
        target.write(block)
        yield len(block)


def unpack(archive: Path, target: Path, progress: Progress) -> bool:
    """Unpack into the empty folder `target`; return True if the database is in the archive.

    Does not look into the database. The caller removes what is in `target` after an error. Raises
    RefusedArchive for an archive that is foreign, damaged or hostile, Problem if the disk has not
    enough room, and OSError.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            has_database = _has_database(archive, packed)
            entries = _checked_entries(archive, packed)
            total, done = sum(info.file_size for info in entries), 0
            _check_room(archive, target, total + len(entries) * FILE_BYTES)
            for info in entries:
                path = target / os.fsdecode(info.filename.encode())  # whatever the locale
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with private_file.create(path) as file, packed.open(info) as source:
                    for count in _copy(source, file):  # BadZipFile: wrong size or checksum
                        done += count
                        progress(done, total)
                    file.flush()
                    os.fsync(file.fileno())
    except (FileExistsError, NotADirectoryError) as error:
        raise RefusedArchive(archive, f"Two files in it have the same place: {error}.") from error
    # What zipfile raises for damaged files, unknown compression and encryption.
    except (
        *(zipfile.BadZipFile, zlib.error, EOFError),
        *(NotImplementedError, RuntimeError, ValueError),
    ) as error:
        raise RefusedArchive(archive, f"It is no archive, or a damaged one: {error}.") from error
    return has_database


def _check_room(archive: Path, target: Path, needed: int) -> None:
    free = shutil.disk_usage(target).free
    if needed > free:
        raise Problem(
            f"The disk has not enough room to restore {archive}.",
            f"It needs {needed >> 20} MB, and {free >> 20} MB are free at {target.parent}. "
            "Nothing was changed.",
            "Free some space, or restore into a folder on another disk with `--data-dir`.",
        )


def _has_database(path: Path, packed: zipfile.ZipFile) -> bool:
    """Return what the manifest says; raises RefusedArchive if there is none that this can read."""
    try:
        info = packed.getinfo(MANIFEST)
        if info.file_size > MANIFEST_BYTES:
            raise RefusedArchive(path, "Its manifest is too long.")
        manifest = json.loads(packed.read(info))
        number, has_database = manifest["format"], manifest["database"]
        if type(number) is int and number > FORMAT:
            raise RefusedArchive(
                path, f"A newer labelstudio-proxy made it ({manifest['made_by']!r})."
            )
        if number not in {1, FORMAT} or type(has_database) is not bool:
            raise ValueError
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        raise RefusedArchive(path, "labelstudio-proxy did not make it.") from None
    if has_database != (DATABASE in packed.namelist()):
        raise RefusedArchive(path, "Its database is missing.")
    return has_database


def _checked_entries(path: Path, packed: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the entries but the manifest if all are plain files that stay inside the folder."""
    names = [info.filename for info in packed.infolist()]
    if len(names) != len(set(names)):
        raise RefusedArchive(path, "It has two files of the same name.")
    entries = [info for info in packed.infolist() if info.filename != MANIFEST]
    for info in entries:
        name, kind = info.filename, stat.S_IFMT(info.external_attr >> 16)
        if kind not in {0, stat.S_IFREG} or info.is_dir():
            raise RefusedArchive(path, f"It has an entry that is no plain file: {name!r}.")
        if not _stays_inside(name) or name in JOURNALS:
            raise RefusedArchive(path, f"It has a file that does not belong in it: {name!r}.")
        if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise RefusedArchive(path, f"It has a file with an unknown compression: {name!r}.")
    return entries


def _stays_inside(name: str) -> bool:
    """Return True if a file of this name, put into a folder, is in that folder."""
    plain = str(PurePosixPath(name)) == name and "\0" not in name
    return plain and not name.startswith("/") and not {"..", "."} & set(name.split("/"))
