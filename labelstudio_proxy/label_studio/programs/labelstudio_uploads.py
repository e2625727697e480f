"""Receives uploaded files, and refuses what neither the disk nor the memory can hold.

labelstudio_settings names it. It runs inside Label Studio, in the local process and in the container.
"""

import errno
import resource
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import SkipFile, TemporaryFileUploadHandler

# Label Studio reads these whole into memory. It only moves other files.
READ_WHOLE = (".csv", ".htm", ".html", ".json", ".svg", ".tsv", ".txt", ".xml")
# Each file of an upload stays open until Label Studio has moved all of them.
OPEN_FILES = 65536
OTHER_OPEN_FILES = 256
# An upload leaves so much of the disk to the database.
RESERVED_BYTES = 20 * 1024 * 1024

# A full disk, a quota that is used up, a limit of the process.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def most_files() -> int:
    """Return how many files one upload can have, after raising the limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft == resource.RLIM_INFINITY:
        soft = OPEN_FILES
    elif soft < wanted:
        with suppress(OSError, ValueError):  # macOS has another limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return soft - OTHER_OPEN_FILES


class UploadHandler(TemporaryFileUploadHandler):  # type: ignore[misc]  # django has no types
    """Writes each file to disk while it arrives. An instance serves one request.

    It reads a refused upload to its end, since only then do browsers show the response.
    """

    files = 0
    refusal = ""
    read_whole = False

    def handle_raw_input(
        self, input_data: object, meta: object, length: int, *other: object
    ) -> None:
        """Called by Django before the first file; `length`: of the whole request, in bytes."""
        Path(settings.FILE_UPLOAD_TEMP_DIR).mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(settings.FILE_UPLOAD_TEMP_DIR).free - RESERVED_BYTES
        if length > free:
            self.refusal = (
                f"The disk of Label Studio's data has room for {_size(max(free, 0))}, and the "
                f"upload has {_size(length)}. Free some space, then upload again."
            )

    def new_file(self, field: str, name: str, *other: object) -> None:
        """Called by Django at the beginning of each file."""
        self.files += 1
        if self.files > settings.UPLOAD_MAX_FILES:
            self.refusal = (
                f"One upload may have at most {settings.UPLOAD_MAX_FILES} files. "
                "Upload them in several parts."
            )
        if self.refusal:
            raise SkipFile
        self.read_whole = name.lower().endswith(READ_WHOLE)
        super().new_file(field, name, *other)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Called by Django for each part of a file; `start`: its position in the file."""
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if self.read_whole and start + len(raw_data) > most:
            self.refusal = (
                f"{self.file_name} is larger than {_size(most)}, and Label Studio reads such a file "
                "whole into memory. Split it into smaller files."
            )
            raise SkipFile
        try:
            super().receive_data_chunk(raw_data, start)
        except OSError as error:
            self._refuse(error)
            raise SkipFile from error

    def file_complete(self, size: int) -> object:
        """Called by Django after each file; None: without a file."""
        try:
            return super().file_complete(size)
        except OSError as error:
            self._refuse(error)
            return None

    def _refuse(self, error: OSError) -> None:
        """Remove the unfinished file, which Django would leave on the disk."""
        with suppress(OSError):  # its last part does not fit either
            self.upload_interrupted()
        if error.errno not in FULL:
            raise error
        self.refusal = (
            "The upload does not fit on the disk of Label Studio's data. Free some space, then "
            "upload again."
        )

    def upload_complete(self) -> None:
        """Called by Django after the last file."""
        if self.refusal:
            from rest_framework.exceptions import ValidationError

            raise ValidationError(self.refusal)


def stream_uploads(respond: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Middleware in the place of Label Studio's ContextLogMiddleware.

    That one reads every body whole into memory, or spoils it if it is too large.
    """
    from core.middleware import ContextLogMiddleware
    from django.http import JsonResponse

    context_log = ContextLogMiddleware(respond)

    def middleware(request: Any) -> Any:
        if request.content_type == "multipart/form-data":
            return respond(request)
        length = int(request.META.get("CONTENT_LENGTH") or 0)
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if length > most:
            detail = (
                f"This request has {_size(length)}. Label Studio reads it whole into memory, so it "
                f"may have at most {_size(most)}. Send the data in several parts."
            )
            return JsonResponse({"detail": detail}, status=413)
        return context_log(request)

    return middleware


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count // 1_000_000} MB"
