"""Files of users on disk: large ones are sent from here, and links out of the files root are refused.

Label Studio reads a file from its start into memory for each request of a part of it
(ranged_fileresponse's RangedFileReader): a seek in a video of 2 GB takes seconds, and 2 GB. So the
gateway sends large files. It asks Label Studio each time whether the owner may read the file, by
requests for which Label Studio reads no content. `local_files` serves most local files without asking it.
"""

from __future__ import annotations

import asyncio
import mimetypes
import os
import posixpath
import re
import sqlite3
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict
from yarl import URL

from ...data_directory.directory import DataDirectory
from ...label_studio import paths
from ...label_studio.upstream import HOST, url_of
from .content_security_policy import data_policy
from .forward import Upstream

# Label Studio sends a smaller file as fast as it responds to the question.
LARGE_BYTES = 4 * 1024 * 1024
CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class Found:
    """A file that a request may mean, and the question to Label Studio whether it may be read."""

    file: Path
    path: str  # of the request to Label Studio
    headers: dict[str, str]
    allowed: int  # the status that means yes
    by_page: bool = False  # another page may mean another file by the same URL


class LargeFiles:
    """Sends large files of users."""

    def __init__(
        self, directory: DataDirectory, files_root: Path | None, *, external_database: bool
    ) -> None:
        """`external_database`: without the SQLite database, uploads cannot be found and pass through."""
        self._directory = directory
        self._files_root = files_root
        self._external_database = external_database

    async def respond(
        self, request: web.BaseRequest, target: str, upstream: Upstream, *, ancestors: str
    ) -> web.StreamResponse | None:
        """Respond to a request for `target` (encoded, with its query); None if Label Studio must.

        Raises aiohttp.ClientError if Label Studio cannot be reached.
        """
        if request.method != hdrs.METH_GET:
            return None
        found = await asyncio.to_thread(self._find, target)
        if found is None or not await _is_allowed(found, upstream):
            return None
        return response_with(found.file, ancestors, by_page=found.by_page)

    def _find(self, target: str) -> Found | None:
        path, _, query = target.partition("?")
        plain = unquote(path)
        try:
            if match := paths.UPLOAD.fullmatch(plain):
                return self._upload(match[1], int(match[2]))
            if paths.LOCAL_FILE.fullmatch(plain):
                return self._local_file(parse_qs(query).get("d", [""])[-1])
        except (OSError, ValueError, sqlite3.Error):
            pass  # Label Studio says what is wrong
        return None

    def _upload(self, name: str, project: int) -> Found | None:
        if self._external_database:
            return None
        uploads = self._directory.path / "media" / "upload"
        number = self._directory.upload_id(f"upload/{name}", project)
        if number is None:
            return None
        found = _large(uploads / name, uploads)
        return found and Found(found[0], paths.upload_record(number), {}, 200)

    def _local_file(self, name: str) -> Found | None:
        if self._files_root is None or not name:
            return None
        found = _large(path_in(self._files_root, name), self._files_root)
        if found is None:
            return None
        headers: dict[str, str] = {hdrs.IF_NONE_MATCH: f"W/{found[1]}"}
        return Found(found[0], paths.local_file(name), headers, 304, by_page=True)


def is_outside(root: Path, path: Path) -> bool:
    """Return True if the file at `path` is outside of `root`, links followed, or cannot be one.

    Label Studio checks the name only, and follows links. Blocks: reads the disk.
    """
    inside = os.path.realpath(_encoded(root))
    try:
        return os.path.commonpath([inside, os.path.realpath(_encoded(path))]) != inside
    except ValueError:  # a name that no file can have
        return True


def is_file(path: Path) -> bool:
    """Return True if this user can see a file there."""
    try:
        return stat.S_ISREG(os.stat(_encoded(path)).st_mode)  # noqa: PTH116 - bytes
    except (OSError, ValueError):
        return False


def _encoded(path: Path) -> bytes:
    """Return the path in UTF-8, whatever the locale: an ASCII one could not encode each name."""
    return str(path).encode(errors="surrogateescape")


def path_in(root: Path, name: str) -> Path:
    """Return the path of the local file `name`, as Label Studio computes it."""
    return root / posixpath.normpath(name).lstrip("/")


def _large(path: Path, folder: Path) -> tuple[Path, str] | None:
    """Return the real path and the validator of a large file in `folder`, or None.

    Raises OSError if there is no such file.
    """
    real = path.resolve(strict=True)
    status = real.stat()
    if not real.is_relative_to(folder.resolve()) or not stat.S_ISREG(status.st_mode):
        return None
    if status.st_size < LARGE_BYTES or not os.access(real, os.R_OK):
        return None
    return real, _validator(status)


def _validator(status: os.stat_result) -> str:
    """Return the file's validator. Label Studio and aiohttp compute the same (the former weak)."""
    return f'"{status.st_mtime_ns:x}-{status.st_size:x}"'


def response_with(file: Path, ancestors: str, *, by_page: bool) -> web.FileResponse:
    """Return the response with a file that the owner may read; `by_page`: see `Found`."""
    media_type, _ = mimetypes.guess_type(file)
    headers: dict[str, str] = {
        hdrs.CONTENT_TYPE: media_type or "application/octet-stream",
        "Content-Security-Policy": data_policy(ancestors),
        "X-Content-Type-Options": "nosniff",
    }
    if by_page:
        headers[hdrs.CACHE_CONTROL] = "no-cache"  # the browser asks before it uses its copy
    return _FileResponse(file, headers)


async def _is_allowed(found: Found, upstream: Upstream) -> bool:
    headers = {"Host": HOST, "Authorization": upstream.identity.authorization(), **found.headers}
    url = URL(url_of(upstream.endpoint, found.path), encoded=True)
    async with upstream.session.get(url, headers=headers, allow_redirects=False) as response:
        if response.status != found.allowed:
            # A Label Studio with other validators would send the file.
            response.close()
            return False
        return True


def _is_one_range(value: str) -> bool:
    """Return True for a header `Range` with one valid range of bytes (RFC 9110, section 14.1.2)."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", value, re.ASCII | re.IGNORECASE)
    if found is None:
        return False
    first, last = found.groups()
    return int(first) <= int(last) if first and last else bool(first or last)


class _FileResponse(web.FileResponse):
    def __init__(self, file: Path, headers: Mapping[str, str]) -> None:
        super().__init__(file, CHUNK_BYTES, headers=headers)
        self._file = file

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        headers = CIMultiDict(request.headers)
        # aiohttp would send `name.gz` as the compressed form of `name`.
        headers.popall(hdrs.ACCEPT_ENCODING, None)
        # aiohttp refuses a range that it does not know, and several; RFC 9110 lets a server ignore them.
        if not _is_one_range(headers.get(hdrs.RANGE, "")):
            headers.popall(hdrs.RANGE, None)
        # aiohttp supports `If-Range` with a date only.
        condition = headers.get(hdrs.IF_RANGE, "")
        if '"' in condition:
            headers.popall(hdrs.IF_RANGE)
            if condition != _validator(await asyncio.to_thread(self._file.stat)):
                headers.popall(hdrs.RANGE, None)
        return await super().prepare(request.clone(headers=headers))
