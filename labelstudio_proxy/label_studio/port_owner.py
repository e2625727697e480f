"""Which users listen on a port of this machine's loopback.

Any local user can take a free port. Linux lists the listeners in /proc/net/tcp (proc(5)). On other
systems they are unknown, and all of them are trusted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
LISTEN = "0A"
# The addresses that accept a connection to 127.0.0.1, as the tables write them.
REACHABLE = frozenset(
    {
        "0100007F",
        "00000000",
        "0" * 32,
        "0000000000000000FFFF00000100007F",
        "0000000000000000FFFF000000000000",
    }
)
# An unprivileged user namespace shows all users outside of it, root included, as this one.
OVERFLOW = Path("/proc/sys/kernel/overflowuid")
UID_MAP = Path("/proc/self/uid_map")
WHOLE_MAP = ["0", "0", "4294967295"]


@dataclass(frozen=True)
class Listener:
    """The users that may listen on a port."""

    uids: frozenset[int]

    def holds(self, port: int) -> bool:
        """Return True if one of these users, and nobody else, listens on `port`. Blocks."""
        found = listeners(port)
        return found <= self.uids and (bool(found) or not TABLES[0].exists())


def listeners(port: int) -> frozenset[int]:
    """Return the uids of those who listen on `port` of 127.0.0.1. Blocks."""
    found = set()
    for table in TABLES:
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:  # no IPv6, or not Linux
            continue
        for line in lines:
            fields = line.split()
            address, _, number = fields[1].partition(":")
            if fields[3] == LISTEN and int(number, 16) == port and address in REACHABLE:
                found.add(int(fields[7]))
    return frozenset(found)


def engine_listener(socket: Path | None) -> Listener:
    """Return who may publish a container's port: root, this user, and the owner of `socket`."""
    trusted = {0, os.geteuid()}
    try:
        if socket is not None:
            trusted.add(socket.stat().st_uid)
        if UID_MAP.read_text().split() != WHOLE_MAP:
            trusted.add(int(OVERFLOW.read_text()))
    except OSError:
        pass
    return Listener(frozenset(trusted))
