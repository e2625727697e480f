"""Label Studio's assets on disk, as they are sent: a folder for each build of Label Studio.

An asset is a record, which names its content by a digest, and a file of that content for each coding.
Several gateways may use a folder at once: a file is renamed into place when it is complete, and its
digest is checked when it is read. Callers must work without the cache if it fails.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_cache_path

from ..._version import __version__
from ..proxy.compression import BEST, BROTLI, GZIP, IDENTITY, KEPT

# Larger assets are not kept; Label Studio's largest has 5 MB.
LARGEST_BYTES = 16 * 1024 * 1024
# A folder of another build is removed if this many others were used later, or after this time.
OTHER_BUILDS = 3
UNUSED_SECONDS = 30 * 24 * 3600.0
# The folder of a build without a fingerprint serves one run of Label Studio.
ONCE = "once-"
ONCE_SECONDS = 24 * 3600.0

SEAL_BYTES = 65  # the length of a file's first line

# The levels that content may be kept in, the best first.
_LEVELS = {
    BROTLI: (BEST[BROTLI], KEPT[BROTLI]),
    GZIP: (BEST[GZIP], KEPT[GZIP]),
    IDENTITY: (0,),
}


@dataclass(frozen=True)
class Asset:
    """An asset in one coding."""

    media_type: str  # Content-Type, with its parameters
    content: str  # the digest of the uncompressed content
    body: bytes = field(repr=False)
    coding: str = IDENTITY
    level: int = 0  # of the compression
    compressible: bool = False

    @property
    def etag(self) -> str:
        """Return a strong validator: another coding or level has other bytes."""
        return f'"{_content_file(self.content, self.coding, self.level)}"'


def digest(data: bytes) -> str:
    """Return a digest of `data` for names and validators."""
    return hashlib.sha256(data).hexdigest()[:32]


def name_of(path: str, prefix: str) -> str:
    """Return the cache's name of the asset at `path` (encoded, without a query) under `prefix`.

    The name of a style sheet depends on the prefix that it is mapped to.
    """
    return digest(f"{path}\n{prefix if is_style_sheet(path) else ''}".encode())


def is_style_sheet(path: str) -> bool:
    """Return True if the name is that of a style sheet. Nothing else is known before the fetch."""
    return path.endswith(".css")


@dataclass(frozen=True)
class AssetFolder:
    """The assets of one build of Label Studio. All methods block; those that save raise OSError."""

    path: Path
    prepared: Path | None = None  # a second folder to read content from: assets/prepared.py

    def load(self, name: str, coding: str) -> Asset | None:
        """Return the asset in `coding`, or uncompressed if it is not compressible; None if missing."""
        record = self._read(name)
        if record is None:
            return None
        known = json.loads(record)
        if not known["compressible"]:
            coding = IDENTITY
        for level in _LEVELS[coding]:
            body = self._read(_content_file(known["content"], coding, level))
            if body is not None:
                return Asset(body=body, coding=coding, level=level, **known)
        return None

    def save(self, name: str, asset: Asset) -> None:
        """Keep the asset."""
        self.save_content(asset.content, asset.coding, asset.level, asset.body)
        known = {
            "media_type": asset.media_type,
            "content": asset.content,
            "compressible": asset.compressible,
        }
        self._write(name, json.dumps(known).encode())

    def save_content(self, content: str, coding: str, level: int, body: bytes) -> None:
        """Keep the content with the digest `content` in a coding, whatever assets have it."""
        self._write(_content_file(content, coding, level), body)

    def has_content(self, content: str, coding: str, level: int) -> bool:
        """Return True if `save_content` was called for this."""
        name = _content_file(content, coding, level)
        return any((folder / name).exists() for folder in self._folders)

    def content_file(self, content: str, coding: str, level: int) -> Path:
        """Return the file that `save_content` makes for this."""
        return self.path / _content_file(content, coding, level)

    @property
    def _folders(self) -> tuple[Path, ...]:
        return (self.path, self.prepared) if self.prepared is not None else (self.path,)

    def _read(self, file_name: str) -> bytes | None:
        for folder in self._folders:
            file = folder / file_name
            try:
                with file.open("rb", buffering=0) as stream:  # unbuffered: no copy of the body
                    head, body = stream.read(SEAL_BYTES), stream.readall()
            except OSError:
                continue
            if head == _seal(file_name, body):
                return body
            with contextlib.suppress(OSError):
                file.unlink()
        return None

    def _write(self, file_name: str, body: bytes) -> None:
        if not self.path.name.startswith(ONCE):  # a closed one must not come back
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.path)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(_seal(file_name, body))
                stream.write(body)
            Path(temporary).replace(self.path / file_name)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise


def _content_file(content: str, coding: str, level: int) -> str:
    return f"{content}-{coding}{level}"


def _seal(file_name: str, body: bytes) -> bytes:
    """Return the first line of a file, which tells a damaged or renamed file."""
    found = hashlib.sha256(f"{file_name}\n".encode())
    found.update(body)
    return found.hexdigest().encode() + b"\n"


def open_folder(version: str, fingerprint: str, prepared: Path | None = None) -> AssetFolder:
    """Return the folder for a build of Label Studio; a new one if `fingerprint` is empty.

    `prepared`: a folder with content of this build that was compressed in advance.

    Removes folders of other builds that are no longer used. Raises OSError if there can be no cache,
    or if other users may write to it: the browser runs what is in it.
    """
    root = user_cache_path("labelstudio-proxy") / "assets"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = root.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise PermissionError(f"other users can write to {root}")
    if fingerprint:
        # Another version of this package may map or compress differently.
        folder = root / digest(f"{__version__}\n{version}\n{fingerprint}".encode())
        folder.mkdir(mode=0o700, exist_ok=True)
        os.utime(folder)
    else:
        folder = Path(tempfile.mkdtemp(prefix=ONCE, dir=root))
    _remove_unused(root, folder)
    return AssetFolder(folder, prepared)


def close_folder(folder: AssetFolder) -> None:
    """Remove the folder if no other run of Label Studio can use it."""
    if folder.path.name.startswith(ONCE):
        shutil.rmtree(folder.path, ignore_errors=True)


def _remove_unused(root: Path, used: Path) -> None:
    others: list[tuple[float, Path]] = []
    for path in root.iterdir():
        with contextlib.suppress(OSError):  # another gateway removes it, too
            if path != used:
                others.append((path.stat().st_mtime, path))
    now, kept = time.time(), 0
    for changed, path in sorted(others, reverse=True):
        once = path.name.startswith(ONCE)
        kept += not once
        if changed < now - (ONCE_SECONDS if once else UNUSED_SECONDS) or kept > OTHER_BUILDS:
            shutil.rmtree(path, ignore_errors=True)
