"""Large files of people's data, sent from disk by the gateway once Label Studio has allowed it.

Label Studio reads a file from its beginning to its end, into memory, for each request of a part of
it (ranged_fileresponse's RangedFileReader): a seek into a video of 2 GB takes seconds, and 2 GB.
Whose a file is, Label Studio is asked each time, by requests that make it read nothing.
"""

from __future__ import annotations

import asyncio
import mimetypes
import os
import posixpath
import sqlite3
import stat
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

# What is smaller Label Studio reads as quickly as it is asked.
LARGE_BYTES = 4 * 1024 * 1024
CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class _Found:
    """A file on disk that a request may mean, and the request by which Label Studio tells."""

    path: Path
    ask: str  # a path of Label Studio's
    headers: dict[str, str]
    allowed: int  # the status that says yes


class Media:
    """The large files that a request may be answered with."""

    def __init__(
        self, directory: DataDirectory, files_root: Path | None, *, external_database: bool
    ) -> None:
        """`external_database`: uploads are looked up in SQLite, and pass through where there is none."""
        self._directory = directory
        self._files_root = files_root
        self._external_database = external_database

    async def answer(
        self, request: web.BaseRequest, target: str, upstream: Upstream, *, ancestors: str
    ) -> web.StreamResponse | None:
        """Answer a request for `target` (encoded, with its query); None: not to be done here.

        Raises aiohttp.ClientError where Label Studio cannot be reached.
        """
        if request.method != hdrs.METH_GET:
            return None
        found = await asyncio.to_thread(self._find, target)
        if found is None or not await _is_allowed(found, upstream):
            return None
        kind, _ = mimetypes.guess_type(found.path)
        headers = {
            hdrs.CONTENT_TYPE: kind or "application/octet-stream",
            "Content-Security-Policy": data_policy(ancestors),
            "X-Content-Type-Options": "nosniff",
        }
        return _File(found.path, CHUNK_BYTES, headers=headers)

    def _find(self, target: str) -> _Found | None:
        path, _, query = target.partition("?")
        plain = unquote(path)
        try:
            if match := paths.UPLOAD.fullmatch(plain):
                return self._upload(match[1], int(match[2]))
            if paths.LOCAL_FILE.fullmatch(plain):
                return self._local_file(target, parse_qs(query).get("d", [""])[-1])
        except (OSError, ValueError, sqlite3.Error):
            pass  # whatever is wrong, Label Studio is to say it
        return None

    def _upload(self, name: str, project: int) -> _Found | None:
        if self._external_database:
            return None
        uploads = self._directory.path / "media" / "upload"
        number = self._directory.upload_id(f"upload/{name}", project)
        if number is None:
            return None
        file = _large(uploads / name, uploads)
        return file and _Found(file[0], paths.upload_record(number), {}, 200)

    def _local_file(self, target: str, name: str) -> _Found | None:
        if self._files_root is None or not name:
            return None
        # As Label Studio does, so that it is the same file.
        path = self._files_root / posixpath.normpath(name).lstrip("/")
        ask = paths.local_file(name)
        file = _large(path, self._files_root)
        return file and _Found(file[0], ask, {hdrs.IF_NONE_MATCH: f"W/{file[1]}"}, 304)


def _large(path: Path, within: Path) -> tuple[Path, str] | None:
    """The file and its validator, if it is a large one in the folder, and not elsewhere by a link.

    Raises OSError where there is none.
    """
    real = path.resolve(strict=True)
    status = real.stat()
    if not real.is_relative_to(within.resolve()) or not stat.S_ISREG(status.st_mode):
        return None
    if status.st_size < LARGE_BYTES or not os.access(real, os.R_OK):
        return None
    return real, _validator(status)


def _validator(status: os.stat_result) -> str:
    """As Label Studio makes it (there, a weak one), and aiohttp."""
    return f'"{status.st_mtime_ns:x}-{status.st_size:x}"'


async def _is_allowed(found: _Found, upstream: Upstream) -> bool:
    headers = {"Host": HOST, "Authorization": upstream.identity.authorization(), **found.headers}
    url = URL(url_of(upstream.endpoint, found.ask), encoded=True)
    async with upstream.session.get(url, headers=headers, allow_redirects=False) as answer:
        if answer.status != found.allowed:
            # Of another Label Studio, say, which knows no such validator: it is not to send it all.
            answer.close()
            return False
        return True


class _File(web.FileResponse):
    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        headers = CIMultiDict(request.headers)
        # aiohttp would take a file beside this one for its packed form.
        headers.popall(hdrs.ACCEPT_ENCODING, None)
        # It knows `If-Range` with a date only.
        condition = headers.get(hdrs.IF_RANGE, "")
        if '"' in condition:
            headers.popall(hdrs.IF_RANGE)
            if condition != _validator(await asyncio.to_thread(self._path.stat)):
                headers.popall(hdrs.RANGE, None)
        return await super().prepare(request.clone(headers=headers))
