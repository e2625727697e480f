"""The record of who holds a data directory, and the request to its holder to hand it over.

Two files beside the lock, for people only: the lock alone decides. They are not trusted: another
version or another program may have written them.
"""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import psutil

from .. import api_types, private_file

RECORD = "holder.json"
REQUEST = "request.json"
MAXIMUM_BYTES = 16 * 1024
MAXIMUM_CHARACTERS = 500
MAXIMUM_TIME = 1e11  # Unix time, which calendars can still show
MAXIMUM_PID = 2**31
ADDRESS = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(/[^\s\"'<>\\]*)")


@dataclass(frozen=True)
class Holder:
    """A server that holds a data directory, or asks for it."""

    key: str = ""  # random, another one for each lock and request; empty: unknown holder
    server: str = ""  # its name for people
    address: str = ""  # its URL in a browser; empty: not known
    since: float = 0.0  # Unix time, seconds
    user: str = ""
    host: str = ""
    pid: int = 0
    started: float = 0.0  # when its process started: Unix time, seconds

    @classmethod
    def of_this_process(cls, server: str, address: str) -> Holder:
        """Return this process as a holder from now on."""
        process, key = psutil.Process(), os.urandom(8).hex()
        user, host, started = process.username(), socket.gethostname(), process.create_time()
        return cls(key, server, address, time.time(), user, host, process.pid, started)

    @classmethod
    def parse(cls, record: object) -> Holder:
        """Return the holder in a record, an unknown one if the record is not valid."""
        values: dict[str, Any] = {}
        for field in fields(cls):
            value = record.get(field.name) if isinstance(record, dict) else None
            if type(value) is not type(field.default):
                return cls()
            if isinstance(value, str):
                value = re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]", " ", value)[:MAXIMUM_CHARACTERS]
            values[field.name] = value
        holder = cls(**values)
        if not (0 <= holder.since < MAXIMUM_TIME and 0 <= holder.pid < MAXIMUM_PID):
            return cls()
        return holder if ADDRESS.fullmatch(holder.address) else replace(holder, address="")

    def as_json(self) -> api_types.Holder:
        """Return what people may want to know, for the start page and for programs."""
        return {
            "user": self.user,
            "host": self.host,
            "server": self.server,
            "since": self.since,
            "address": self.address,
        }

    def runs_here(self) -> bool:
        """Return True if its process runs on this host; process ids are used again."""
        try:
            started = psutil.Process(self.pid).create_time()
        except psutil.Error:
            return False
        return self.host == socket.gethostname() and abs(started - self.started) < 1


class LockRecord:
    """The two files, in `folder`. All methods block."""

    def __init__(self, folder: Path) -> None:
        self._record = folder / RECORD
        self._request = folder / REQUEST

    def read(self) -> Holder:
        """Return the holder, an unknown one if there is no valid record."""
        return Holder.parse(_load(self._record))

    def write(self, holder: Holder) -> None:
        """Write the record, and an empty request if there is none; raises OSError."""
        private_file.write(self._record, json.dumps(asdict(holder)).encode())
        self._write_request("", os.O_APPEND)

    def clear(self) -> None:
        """Remove record and request; raises OSError."""
        self._record.unlink(missing_ok=True)
        self._request.unlink(missing_ok=True)

    def ask(self, key: str, by: Holder) -> None:
        """Ask the holder with this key to hand the directory over; raises OSError."""
        self._write_request(json.dumps({"to": key, "by": asdict(by)}), os.O_TRUNC)

    def request_to(self, key: str) -> Holder | None:
        """Return who asks the holder with this key, None if nobody does."""
        request = _load(self._request)
        if not isinstance(request, dict) or request.get("to") != key:
            return None
        by = Holder.parse(request.get("by"))
        return by if by.key else None

    def _write_request(self, text: str, flag: int) -> None:
        # In place: for half a minute, an NFS client would not see a new name (acdirmin, nfs(5)).
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(self._request, flags | flag, 0o600), "w") as file:
            file.write(text)


def _load(path: Path) -> object:
    """Return the JSON of a plain, small file, None for anything else."""
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > MAXIMUM_BYTES:
                return None
            loaded: object = json.loads(file.read(MAXIMUM_BYTES))
            return loaded
    except (OSError, ValueError, RecursionError):
        return None
