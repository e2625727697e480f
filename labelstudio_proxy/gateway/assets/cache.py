"""Label Studio's assets as they are sent, on disk: a folder for each build, a file for each coding.

Any number of gateways may use it at once: files come into being whole, by a rename, and what is
read is checked. Whoever uses it must do without where it fails.
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
from ..proxy.compression import IDENTITY

# More than this is not kept; Label Studio's largest asset has 5 MB.
LARGEST_BYTES = 16 * 1024 * 1024
# Folders of other builds go when so many others were used after them, or nobody has used them for so long.
OTHER_BUILDS = 3
UNUSED_SECONDS = 30 * 24 * 3600.0
# A build that nothing tells from others has a folder for one life of Label Studio only.
ONCE = "once-"
ONCE_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class Asset:
    """An asset in one coding."""

    kind: str  # Content-Type, with its parameters
    content: str  # a digest of what it is when it is unpacked
    body: bytes = field(repr=False)
    coding: str = IDENTITY
    level: int = 0  # how hard it was packed
    varies: bool = False  # whether there are other codings of it

    @property
    def etag(self) -> str:
        """Strong: another coding or another level are other bytes."""
        return f'"{self.content}-{self.coding}{self.level}"'


def digest(data: bytes) -> str:
    """For names and validators."""
    return hashlib.sha256(data).hexdigest()[:32]


def name_of(path: str, prefix: str) -> str:
    """The name of the asset at `path` (as requested, without a query) under `prefix`.

    Style sheets are kept as they are mapped to the prefix.
    """
    return digest(f"{path}\n{prefix if is_style_sheet(path) else ''}".encode())


def is_style_sheet(path: str) -> bool:
    """By its name, which is all that is known before it is fetched."""
    return path.endswith(".css")


@dataclass(frozen=True)
class AssetFolder:
    """The assets of one build of Label Studio. Both methods block."""

    path: Path

    def load(self, name: str, coding: str) -> Asset | None:
        """The asset, if it is there and whole."""
        file = self._file(name, coding)
        try:
            with file.open("rb") as stream:
                raw = stream.read(2 * LARGEST_BYTES)
        except OSError:
            return None
        head, _, body = raw.partition(b"\n")
        try:
            record = json.loads(head)
            if record.pop("digest") != digest(body) or record["coding"] != coding:
                raise ValueError
            return Asset(body=body, **record)
        except (ValueError, TypeError, KeyError, AttributeError):
            with contextlib.suppress(OSError):
                file.unlink()
            return None

    def save(self, name: str, asset: Asset) -> None:
        """Keep the asset; raises OSError."""
        record = {
            "kind": asset.kind,
            "content": asset.content,
            "coding": asset.coding,
            "level": asset.level,
            "varies": asset.varies,
            "digest": digest(asset.body),
        }
        if not self.path.name.startswith(ONCE):  # nobody would remove it again
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.path)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(json.dumps(record).encode() + b"\n" + asset.body)
            Path(temporary).replace(self._file(name, asset.coding))
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise

    def _file(self, name: str, coding: str) -> Path:
        return self.path / f"{name}.{coding}"


def open_folder(version: str, fingerprint: str) -> AssetFolder:
    """The folder for a build of Label Studio; without a `fingerprint` a new one, see `close_folder`.

    Removes folders of other builds that nobody uses any more. Raises OSError where there can be no
    cache, or where it is not this user's alone: what is in it runs in the browser.
    """
    root = user_cache_path("labelstudio-proxy") / "assets"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = root.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise PermissionError(f"{root} is not this user's alone")
    if fingerprint:
        # What we make of an asset changes with our own version.
        folder = root / digest(f"{__version__}\n{version}\n{fingerprint}".encode())
        folder.mkdir(mode=0o700, exist_ok=True)
        os.utime(folder)
    else:
        folder = Path(tempfile.mkdtemp(prefix=ONCE, dir=root))
    _remove_unused(root, folder)
    return AssetFolder(folder)


def close_folder(folder: AssetFolder) -> None:
    """Remove the folder if it is of no use to anybody else."""
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
