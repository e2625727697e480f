"""Who listens on a port of this machine: whether it can be trusted with what is a user's."""

from __future__ import annotations

import os
import struct
from ipaddress import IPv4Address
from pathlib import Path

LISTENS = "0A"  # TCP_LISTEN, see proc(5) and include/net/tcp_states.h of Linux


def is_trusted(port: int, proc: Path = Path("/proc/self")) -> bool:
    """Whether this user or root, and nobody else, listens on 127.0.0.1 at `port`.

    True also where the system does not tell (not Linux).
    """
    try:
        lines = (proc / "net" / "tcp").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return True
    owners = set()
    for line in lines:
        fields = line.split()
        address, _, number = fields[1].partition(":")
        # The address is in the machine's byte order, the port is not.
        host = IPv4Address(struct.pack("=L", int(address, 16)))
        reached = host.is_loopback or host.is_unspecified
        if reached and fields[3] == LISTENS and int(number, 16) == port:
            owners.add(int(fields[7]))
    return bool(owners) and owners <= {0, os.getuid()}
