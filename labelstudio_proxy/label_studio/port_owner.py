"""Who listens at a port of this machine's loopback: any local user can take one that is free.

What Linux knows of it is in /proc/net/tcp (proc(5)). Elsewhere nobody can tell, and all are trusted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
LISTEN = "0A"
# The addresses at which a connection to 127.0.0.1 may end, as the tables write them.
HERE = frozenset(
    {
        "0100007F",
        "00000000",
        "0" * 32,
        "0000000000000000FFFF00000100007F",
        "0000000000000000FFFF000000000000",
    }
)
# An unprivileged user namespace shows the users outside of it, root too, as this one.
OVERFLOW = Path("/proc/sys/kernel/overflowuid")
UID_MAP = Path("/proc/self/uid_map")
WHOLE_MAP = ["0", "0", "4294967295"]


@dataclass(frozen=True)
class Listener:
    """The users that are trusted to listen at a port."""

    uids: frozenset[int]

    def holds(self, port: int) -> bool:
        """Whether one of them listens at `port`, and nobody else. Reads files of /proc."""
        return self.foreign(port) is None and bool(listeners(port) or not TABLES[0].exists())

    def foreign(self, port: int) -> int | None:
        """The uid of somebody else who listens at `port`; None: nobody does."""
        return next(iter(listeners(port) - self.uids), None)


def listeners(port: int) -> frozenset[int]:
    """The uids of those who listen at `port` of 127.0.0.1."""
    found = set()
    for table in TABLES:
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:  # no IPv6, or not Linux
            continue
        for line in lines:
            fields = line.split()
            address, _, number = fields[1].partition(":")
            if fields[3] == LISTEN and int(number, 16) == port and address in HERE:
                found.add(int(fields[7]))
    return frozenset(found)


def own_listener() -> Listener:
    """This user's programs. Another program of the user's own is no stranger: it may read all."""
    return Listener(frozenset({os.geteuid()}))


def engine_listener(socket: Path | None) -> Listener:
    """What publishes a container's port: root's, this user's, or of the owner of the engine."""
    trusted = {0, os.geteuid()}
    try:
        if socket is not None:
            trusted.add(socket.stat().st_uid)
        if UID_MAP.read_text().split() != WHOLE_MAP:
            trusted.add(int(OVERFLOW.read_text()))
    except OSError:
        pass
    return Listener(frozenset(trusted))
