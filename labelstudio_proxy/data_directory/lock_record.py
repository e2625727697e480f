"""The record beside a data directory of who has it: for people, and where locks do not reach.

Machines with a shared home have nothing else in common. What stands in a record is not trusted: it
may be of another version, half a file, or no file at all.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from .. import private_file
from .process_identity import Process

RECORD = "holder.json"
REQUEST = "request.json"
# What a record may have: more is not one of ours.
MOST_BYTES = 16 * 1024
MOST_CHARACTERS = 500
# What reading of something that is no record may raise.
UNREADABLE = (OSError, ValueError, TypeError, RecursionError)
LAST_MOMENT = 1e11  # Unix time that calendars still know
# What file systems without hard links say.
NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
ADDRESS = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(/[^\s\"'<>\\]*)")


@dataclass(frozen=True)
class Holder:
    """Who has a data directory, or asks for it."""

    key: str = ""  # of this one hold; empty: of what cannot be read
    server: str = ""  # as people know it
    address: str = ""  # where a browser finds it, http or https; empty: not known
    since: float = 0.0  # Unix time, seconds
    process: Process = field(default_factory=Process)

    @classmethod
    def parsed(cls, text: bytes) -> Holder:
        """The holder that a record tells of; raises ValueError or TypeError."""
        told = json.loads(text)
        if not isinstance(told, dict):
            raise TypeError("no object")
        process = Process(**_known(Process, told.pop("process", None)))
        holder = cls(process=process, **_known(cls, told))
        if not 0 <= holder.since < LAST_MOMENT:
            raise ValueError("no time")
        return holder if ADDRESS.fullmatch(holder.address) else replace(holder, address="")

    def as_json(self) -> dict[str, Any]:
        """What people may want to know of it."""
        return {
            "user": self.process.user,
            "host": self.process.host,
            "server": self.server,
            "since": self.since,
            "address": self.address,
        }


def _known(kind: type, told: object) -> dict[str, Any]:
    """The fields of `kind` in what a record tells, fit to be shown; raises TypeError."""
    if not isinstance(told, dict):
        raise TypeError("no object")
    found: dict[str, Any] = {}
    for each in fields(kind):
        value = told.get(each.name)
        if value is None or each.name == "process":
            continue
        wanted = type(each.default)
        if wanted is float and type(value) is int:
            value = float(value)
        if type(value) is not wanted:
            raise TypeError(f"{each.name} is no {wanted.__name__}")
        if isinstance(value, str):
            value = re.sub(r"[\x00-\x1f\x7f]", " ", value)[:MOST_CHARACTERS]
        found[each.name] = value
    return found


class Records:
    """The record, and the request to its holder, as files in a folder. All of it blocks."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made when something is written."""
        self._record = folder / RECORD
        self._request = folder / REQUEST

    def read(self) -> tuple[Holder, int] | None:
        """Who the record says has it, and its last mark of life, a number that goes on changing.

        None: there is none. A Holder without a key: there is something, which cannot be read.
        """
        try:
            found = self._record.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        beat = found.st_mtime_ns
        try:
            text, beat = _read(self._record)
            return Holder.parsed(text), beat
        except FileNotFoundError:
            return None
        except UNREADABLE:
            return Holder(), beat

    def place(self, holder: Holder) -> bool:
        """Put a record where there is none, whole at once; False: there is one. Raises OSError."""
        with self._written(holder) as temporary:
            try:
                try:
                    os.link(temporary, self._record)
                except OSError as error:
                    if error.errno not in NO_LINKS:
                        raise
                    with private_file.create(self._record) as file:
                        file.write(temporary.read_bytes())
            except FileExistsError:
                return False
            return True

    def change(self, holder: Holder) -> None:
        """Put other words into the record of one that has it; raises OSError."""
        with self._written(holder) as temporary:
            if self._is_of(holder.key):
                temporary.rename(self._record)

    def beat(self) -> None:
        """A mark of life. The file server's clock alone counts, and only that it goes on."""
        os.utime(self._record, follow_symlinks=False)

    def clear(self, key: str) -> None:
        """Take the record of `key` away, and no other that has come in between; raises OSError."""
        if not self._is_of(key):
            return
        aside = self._record.with_name(f"{RECORD}-{secrets.token_hex(4)}")
        try:
            self._record.rename(aside)
        except FileNotFoundError:
            return
        try:
            if _key(aside) != key:
                with contextlib.suppress(FileExistsError):
                    os.link(aside, self._record, follow_symlinks=False)
        finally:
            with contextlib.suppress(OSError):
                aside.rmdir() if aside.is_dir() and not aside.is_symlink() else aside.unlink()

    def leave(self, key: str) -> None:
        """Take away what the holder of `key` has written; raises OSError."""
        if self._is_of(key):
            self._request.unlink(missing_ok=True)
            self.clear(key)

    def ask(self, key: str, by: Holder) -> None:
        """Ask the holder of `key` to let go; raises OSError."""
        self._write_request({"to": key, "by": asdict(by)})

    def listen(self) -> None:
        """Make room for requests, so that over NFS they are seen at once; raises OSError."""
        self._write_request({})

    def asked(self, key: str) -> Holder | None:
        """Who asks the holder of `key` to let go."""
        try:
            told = json.loads(_read(self._request)[0])
            if not isinstance(told, dict) or told.get("to") != key:
                return None
            return Holder.parsed(json.dumps(told.get("by")).encode())
        except UNREADABLE:
            return None

    def _is_of(self, key: str) -> bool:
        found = self.read()
        return found is not None and found[0].key == key

    def _write_request(self, request: dict[str, Any]) -> None:
        # In its place: a file system that remembers which names there are not would hide a new one.
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self._request, flags, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.truncate(0)
            json.dump(request, file)

    @contextlib.contextmanager
    def _written(self, holder: Holder) -> Iterator[Path]:
        """The record in a file of its own, on the disk; gone afterwards unless it was renamed."""
        self._record.parent.mkdir(mode=0o700, exist_ok=True)
        path = self._record.with_name(f"{RECORD}-{secrets.token_hex(4)}")
        try:
            with private_file.create(path) as file:
                file.write(json.dumps(asdict(holder)).encode())
                file.flush()
                os.fsync(file.fileno())
            yield path
        finally:
            path.unlink(missing_ok=True)


def _read(path: Path) -> tuple[bytes, int]:
    """A plain file and when it was touched last; raises OSError, and ValueError for what is none.

    Opened, since NFS asks the server for a file's time then.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_BYTES:
            raise ValueError("no record")
        return file.read(MOST_BYTES), found.st_mtime_ns


def _key(path: Path) -> str:
    try:
        return Holder.parsed(_read(path)[0]).key
    except UNREADABLE:
        return ""
