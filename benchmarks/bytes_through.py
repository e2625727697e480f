"""Send and receive large bodies, and watch the memory of the processes on the way."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from .bench import NotPossible
from .results import Compare, Row, Sample, number
from .servers import Chain, Way
from .throughput import SAME, TILE, take

MB = 1_000_000
BLOCK = 1 << 20


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=300)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def connect(way: Way) -> http.client.HTTPConnection:
    if way.socket:
        return UnixConnection(way.socket)
    parts = urlsplit(way.url)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=300)


@contextlib.contextmanager
def asking(
    way: Way,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: io.RawIOBase | None = None,
    length: int = 0,
) -> Iterator[http.client.HTTPResponse]:
    address = urlsplit(way.address(path))
    fields = {"Accept-Encoding": "identity", **way.headers, **(headers or {})}
    if body is not None:
        fields["Content-Length"] = str(length)
    with contextlib.closing(connect(way)) as connection:
        # the default of http.client is 8 KB
        connection.blocksize = BLOCK
        target = f"{address.path}?{address.query}" if address.query else address.path
        try:
            connection.request(method, target, body, fields)
            yield connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise NotPossible(f"{type(error).__name__}: {error}") from error


class Body(io.RawIOBase):
    """A file object of `size` bytes: one random block, repeated with a different number in each."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._number = 0
        self._block = bytearray(hashlib.shake_256(b"upload").digest(BLOCK))

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        self._number += 1
        self._block[:8] = self._number.to_bytes(8, "big")
        block = bytes(self._block[: min(self._left, BLOCK)])
        self._left -= len(block)
        return block


def download(
    way: Way, path: str, size: int, headers: Mapping[str, str] | None = None, digest: str = ""
) -> float:
    """Return MB/s. With `digest` (SHA-256), compare the bytes, too, which is slower."""
    hashed = hashlib.sha256() if digest else None
    block = memoryview(bytearray(BLOCK))
    begin = time.perf_counter()
    with asking(way, "GET", path, headers) as response:
        if response.status != 200:
            raise NotPossible(f"{response.status} {response.reason}")
        got = 0
        while count := response.readinto(block):
            got += count
            if hashed:
                hashed.update(block[:count])
    took = time.perf_counter() - begin
    if got != size:
        raise NotPossible(f"{got} of {size} bytes")
    assert hashed is None or hashed.hexdigest() == digest, "other bytes than were sent"
    return size / MB / took


@dataclass
class Memory:
    """The growth of the peak memory of processes."""

    pids: Mapping[str, int]
    most: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        before = {name: self._forget(pid) for name, pid in self.pids.items()}
        yield
        for name, pid in self.pids.items():
            grown = (peak(pid) - before[name]) / MB
            self.most[name] = max(self.most.get(name, 0), grown)

    def _forget(self, pid: int) -> int:
        """Reset the peak to the present memory."""
        Path(f"/proc/{pid}/clear_refs").write_text("5")
        return peak(pid)


def peak(pid: int) -> int:
    """Return the peak memory in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def watch(chain: Chain) -> Memory:
    return Memory({"Jupyter": chain.jupyter.process.pid, "the gateway": chain.gateway_pid})


def memory_row(key: str, what: str, memory: Memory) -> Row:
    most = max(memory.most.values())
    told = ", ".join(f"{name} {number(grown)} MB" for name, grown in memory.most.items())
    return Row(
        key=key,
        what=f"{what}: growth in memory",
        unit="MB",
        compare=Compare.ALONE,
        target=50,
        ours=Sample.of([most]),
        notes=(f"the most in any round: {told}.",),
    )


def speed_row(
    key: str,
    what: str,
    runs: dict[str, Sample | str],
    against_name: str,
    notes: tuple[str, ...] = (),
) -> Row:
    """Return the row of a transfer through the tile, which must have half the direct one's speed."""
    return Row(
        key=key,
        what=what,
        unit="MB/s",
        compare=Compare.RATIO,
        target=0.5,
        at_least=True,
        ours=take(runs, TILE),
        against=take(runs, SAME),
        against_name=against_name,
        others=runs,
        notes=notes,
    )
