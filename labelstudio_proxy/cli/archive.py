"""A data directory as one file: a zip archive with a manifest, written whole and read with suspicion.

Zip, not tar: what is in it, and how much, is known before anything is unpacked, and a file that was
cut off is known by its missing end.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .._version import __version__
from ..data_directory.directory import DATABASE
from ..problem import Problem

FORMAT = 1
MANIFEST = "labelstudio-proxy.json"
MANIFEST_BYTES = 64 * 1024 * 1024  # some 400,000 files
BLOCK_BYTES = 1024 * 1024
FILE_BYTES = 4096  # what a file takes on a disk at least
# Deflate makes a thousandth of zeros; what people make gets nowhere near a 250th.
MOST_COMPRESSED = 250
UNSUSPECTED_BYTES = 100 * 1024 * 1024
# Compressed already, as most media are.
STORED = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".png",
        ".gif",
        ".webp",
        ".mp3",
        ".mp4",
        ".m4a",
        ".ogg",
        ".flac",
        ".webm",
        ".zip",
        ".gz",
        ".xz",
        ".pdf",
        ".avi",
        ".mov",
        ".mkv",
    ]
)
# SQLite's own beside the database: of no use without that very file.
JOURNALS = tuple(f"{DATABASE}{end}" for end in ("-journal", "-wal", "-shm"))

Progress = Callable[[int, int], None]  # bytes done, bytes in all


class Unfit(Problem):
    """An archive that is refused."""

    def __init__(self, archive: Path, why: str) -> None:
        super().__init__(
            f"{archive} is not restored.",
            f"{why} Nothing was changed.",
            "Use an archive that `labelstudio-proxy backup` has made, whole.",
        )


@dataclass(frozen=True)
class File:
    """What the manifest says of a file."""

    size: int  # bytes
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What an archive says of itself."""

    made_by: str
    made_at: str
    database: bool  # whether the labels are in it, or in a database elsewhere
    files: dict[str, File]


def write(archive: Path, sources: Iterable[tuple[str, Path]], progress: Progress) -> None:
    """Put files, by their names in the archive, into the empty file `archive`.

    One that has gone in the meantime is left out. Raises OSError, ValueError for a name that cannot
    be kept, and Unfit for what could not be restored.
    """
    listed = list(sources)
    total, done = sum(_size(path) for _, path in listed), 0
    files: dict[str, File] = {}
    with archive.open("r+b") as file:
        with zipfile.ZipFile(file, "w", compresslevel=1) as packed:
            for name, path in listed:
                try:
                    source = path.open("rb")
                except FileNotFoundError:
                    continue
                digest, size = hashlib.sha256(), 0
                # Room for a file that grows while it is read.
                with source, packed.open(_entry(name), "w", force_zip64=True) as entry:
                    while block := source.read(BLOCK_BYTES):
                        entry.write(block)
                        digest.update(block)
                        size += len(block)
                        done += len(block)
                        progress(done, max(done, total))
                files[name] = File(size, digest.hexdigest())
            manifest = {
                "format": FORMAT,
                "made_by": f"labelstudio-proxy {__version__}",
                "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "database": DATABASE in files,
                "files": {name: vars(each) for name, each in files.items()},
            }
            packed.writestr(_entry(MANIFEST), json.dumps(manifest, indent=1))
        file.flush()
        os.fsync(file.fileno())
    with zipfile.ZipFile(archive) as written:
        _checked(archive, written, _manifest(archive, written))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, time.localtime()[:6])
    info.external_attr = (stat.S_IFREG | 0o600) << 16
    stored = PurePosixPath(name).suffix.lower() in STORED
    info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    return info


def unpack(archive: Path, target: Path, progress: Progress) -> Manifest:
    """Unpack into the empty folder `target`, which is the caller's to remove where this fails.

    Raises Unfit for an archive that is not one of ours, not whole, or not well-meant, Problem where
    there is no room, and OSError. The database in it is not looked into.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            manifest = _manifest(archive, packed)
            entries = _checked(archive, packed, manifest)
            total, done = sum(info.file_size for info in entries), 0
            _check_room(archive, target, total + len(entries) * FILE_BYTES)
            for info in entries:
                file = target / info.filename
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                digest = hashlib.sha256()
                with os.fdopen(descriptor, "wb") as copy, packed.open(info) as source:
                    while block := source.read(BLOCK_BYTES):
                        copy.write(block)
                        digest.update(block)
                        done += len(block)
                        progress(done, total)
                    copy.flush()
                    os.fsync(copy.fileno())
                if digest.hexdigest() != manifest.files[info.filename].sha256:
                    raise Unfit(archive, f"{info.filename!r} in it is damaged.")
    except (FileExistsError, NotADirectoryError) as error:
        raise Unfit(archive, f"Two files in it have one place here: {error}.") from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        raise Unfit(archive, f"It is no archive, or not a whole one: {error}.") from error
    return manifest


def _check_room(archive: Path, target: Path, needed: int) -> None:
    free = shutil.disk_usage(target).free
    if needed > free:
        raise Problem(
            f"There is no room to restore {archive}.",
            f"It needs {needed >> 20} MB, and {free >> 20} MB are free at {target.parent}. "
            "Nothing was changed.",
            "Free some space, or restore it into a folder on another disk, with `--data-dir`.",
        )


def _manifest(path: Path, packed: zipfile.ZipFile) -> Manifest:
    try:
        info = packed.getinfo(MANIFEST)
        if info.file_size > MANIFEST_BYTES:
            raise Unfit(path, "Its list of files is too long.")
        data = json.loads(packed.read(info))
        number = data["format"]
        if isinstance(number, int) and number > FORMAT:
            raise Unfit(path, f"A newer labelstudio-proxy made it ({data['made_by']!r}).")
        files = {name: File(**each) for name, each in data["files"].items()}
        plain = all(type(each.size) is int and type(each.sha256) is str for each in files.values())
        texts = type(data["made_by"]) is str and type(data["made_at"]) is str
        if number != FORMAT or not plain or not texts or type(data["database"]) is not bool:
            raise ValueError
        return Manifest(data["made_by"], data["made_at"], data["database"], files)
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        raise Unfit(path, "It was not made by `labelstudio-proxy backup`.") from None


def _checked(path: Path, packed: zipfile.ZipFile, manifest: Manifest) -> list[zipfile.ZipInfo]:
    """The entries, once all of them are known to be plain files that stay inside."""
    names = [info.filename for info in packed.infolist()]
    if len(names) != len(set(names)):
        raise Unfit(path, "It holds two files of one name.")
    entries = [info for info in packed.infolist() if info.filename != MANIFEST]
    for info in entries:
        name, kind = info.filename, stat.S_IFMT(info.external_attr >> 16)
        if kind not in {0, stat.S_IFREG} or info.is_dir():
            raise Unfit(path, f"It holds something that is no plain file: {name!r}.")
        if not stays_inside(name) or name in JOURNALS:
            raise Unfit(path, f"It holds a file that has no place in the folder: {name!r}.")
        if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise Unfit(path, f"{name!r} in it is packed in a way that no backup is.")
    if {info.filename for info in entries} != set(manifest.files):
        raise Unfit(path, "It holds other files than its list says.")
    for info in entries:
        if info.file_size != manifest.files[info.filename].size:
            raise Unfit(path, f"{info.filename!r} in it has another size than its list says.")
    if manifest.database != (DATABASE in manifest.files):
        raise Unfit(path, "There is no database in it.")
    small = sum(info.compress_size for info in entries)
    whole = sum(info.file_size for info in entries)
    # More than the file has: its entries share their bytes, as those of a zip bomb do.
    if small > path.stat().st_size or whole > UNSUSPECTED_BYTES + MOST_COMPRESSED * small:
        raise Unfit(path, f"It would become {whole >> 20} MB, far more than fits its size.")
    return entries


def stays_inside(name: str) -> bool:
    """Whether a file of this name, put into a folder, is in that folder."""
    plain = str(PurePosixPath(name)) == name and "\0" not in name
    return plain and not name.startswith("/") and not {"..", "."} & set(name.split("/"))
