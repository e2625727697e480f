"""Large files through the whole chain: throughput, memory, and identical bytes."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import os
import re
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit

from support.gateway import ECHO, respond_with, stand_in
from support.jupyter import JupyterLab
from support.label_studio import BareLabelStudio
from support.processes import Process, children, command_line, free_port

from .bench import Bench, NotPossible, alternate, alternate_possible, measures
from .processor import profile
from .results import Compare, Row, Sample, Table, number
from .servers import Chain, Way, files, way_to
from .throughput import ALONE, PLAIN, SAME, TILE, others, samples, take

MB = 1_000_000
BLOCK = 1 << 20
DOWNLOAD, UPLOAD = 2000 * MB, 1000 * MB
# Label Studio requires a subfolder of the files root.
FOLDER = "videos"


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


class Studio:
    """Label Studio in the chain and bare, both with a large file among the notebook's files."""

    def __init__(self, bench: Bench) -> None:
        self.root = bench.folder()
        self.chain = Chain(
            bench,
            bench.started_data_dir(),
            root_dir=self.root,
            config={"files_root": str(self.root)},
        )
        self.bare = bench.keep(BareLabelStudio(bench.started_data_dir(), env=files(self.root)))
        (self.root / FOLDER).mkdir()
        storage = {"project": 1, "path": str(self.root / FOLDER), "use_blob_urls": True}
        for asked in (self.chain.studio, self.bare):
            made = asked.post("api/storages/localfiles", json={**storage, "title": "Videos"})
            assert made.status_code == 201, made.text[:1000]

    def path(self, name: str) -> str:
        return f"data/local-files/?d={quote(f'{FOLDER}/{name}')}"


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()


@measures("download")
def downloads(bench: Bench) -> list[Row | Table]:
    """A notebook file, served by Label Studio, which first reads all of it into memory."""
    size = bench.size(DOWNLOAD)
    studio = Studio(bench)
    file = bench.random_file(studio.root / FOLDER / "film.mp4", size)
    path, digest = studio.path(file.name), digest_of(file)
    chain = studio.chain
    memory = watch(chain)

    def ours() -> float:
        with memory.watched():
            return download(chain.whole, path, size)

    rounds = bench.times(3)
    runs = samples(
        alternate_possible(
            rounds, {TILE: ours, SAME: lambda: download(chain.label_studio, path, size)}
        )
    )
    download(chain.whole, path, size, digest=digest)
    ways = {ALONE: way_to(studio.bare), **others(bench, studio.bare)}
    runs |= samples(
        alternate_possible(
            min(rounds, 2),
            {name: partial(download, way, path, size) for name, way in ways.items()},
        )
    )
    what = f"{size // MB} MB downloaded from Label Studio"
    return [
        Row(
            key="download",
            what=what,
            unit="MB/s",
            compare=Compare.RATIO,
            target=0.5,
            at_least=True,
            ours=take(runs, TILE),
            against=take(runs, SAME),
            against_name=SAME,
            others=runs,
            notes=("the bytes are the file's (SHA-256).",),
        ),
        memory_row("download-memory", what, memory),
    ]


class EchoChain(Chain):
    """Return the chain with a cheap program in place of Label Studio, which reports what it receives."""

    def __init__(self, bench: Bench) -> None:
        echo = stand_in(bench.folder())
        config = {"label_studio": str(echo)}
        super().__init__(bench, bench.started_data_dir(), config=config)


class EchoOnPort:
    """The same program on a port, for jupyter-server-proxy without us."""

    def __init__(self, bench: Bench) -> None:
        self.port = free_port()
        self.way = Way(f"http://127.0.0.1:{self.port}/")
        process = bench.keep(
            Process(
                [sys.executable, str(ECHO), "serve", str(self.port)],
                env=os.environ,
                cwd=bench.folder(),
                log=bench.folder() / "echo.log",
            )
        )
        process.wait_until(self._responds, what="the program on a port", timeout=30)

    def _responds(self) -> bool:
        with contextlib.suppress(OSError, NotPossible), asking(self.way, "GET", "health"):
            return True
        return False


@measures("transfer")
def transfers(bench: Bench) -> list[Row | Table]:
    """Both directions with a fast program behind the gateway: the limit of the chain itself."""
    chain = EchoChain(bench)
    echo = chain.label_studio
    plain = bench.keep(
        JupyterLab(
            server_config={"ServerApp": {"jpserver_extensions": {"labelstudio_proxy": False}}}
        )
    )
    other = EchoOnPort(bench)
    token = {"Authorization": f"token {plain.token}"}
    ways = {SAME: echo, TILE: chain.whole, PLAIN: Way(f"{plain.url}proxy/{other.port}/", token)}
    rows: list[Row | Table] = []

    size = bench.size(DOWNLOAD)
    name, value = respond_with(rest=size)
    for each in (echo, other.way):
        with asking(each, "GET", "-/release"):
            pass  # from now on it responds without waiting
    memory = watch(chain)

    def watched(measure: Callable[[Way], float], name: str) -> float:
        with memory.watched() if name == TILE else contextlib.nullcontext():
            return measure(ways[name])

    def get(way: Way) -> float:
        return download(way, "film.mp4", size, {name: value})

    gets = {each: partial(watched, get, each) for each in ways}
    runs = samples(alternate_possible(bench.times(5), gets))
    rows += [
        _transfer("transfer-download", f"{size // MB} MB downloaded from a fast program", runs),
        memory_row("transfer-download-memory", f"{size // MB} MB downloaded", memory),
        profile(
            "transfer-download-profile",
            f"Processor time of one such download of {size // MB} MB",
            {
                "the fast program": _program_pid(chain),
                "the gateway": chain.gateway_pid,
                "Jupyter": chain.jupyter.process.pid,
                "who downloads": os.getpid(),
            },
            lambda: get(chain.whole),
        ),
    ]

    size = bench.size(UPLOAD)
    memory = watch(chain)
    digest = hashlib.sha256()
    body = Body(size)
    while block := body.read():
        digest.update(block)

    def put(way: Way) -> float:
        begin = time.perf_counter()
        with asking(way, "POST", "api/projects/1/import", body=Body(size), length=size) as told:
            text = told.read()
            took = time.perf_counter() - begin
            if told.status != 200:
                raise NotPossible(f"{told.status} {told.reason}")
            assert f'"sha256": "{digest.hexdigest()}"'.encode() in text, (
                "other bytes than were sent"
            )
        return size / MB / took

    puts = {each: partial(watched, put, each) for each in ways}
    runs = samples(alternate_possible(bench.times(5), puts))
    rows += [
        _transfer("transfer-upload", f"{size // MB} MB uploaded to a program that hashes", runs),
        memory_row("transfer-upload-memory", f"{size // MB} MB uploaded", memory),
    ]
    return rows


def _program_pid(chain: Chain) -> int:
    (pid,) = (pid for pid in children(chain.gateway_pid) if str(ECHO) in command_line(pid))
    return pid


def _transfer(key: str, what: str, runs: dict[str, Sample | str]) -> Row:
    return Row(
        key=key,
        what=what,
        unit="MB/s",
        compare=Compare.RATIO,
        target=0.5,
        at_least=True,
        ours=take(runs, TILE),
        against=take(runs, SAME),
        against_name="the same program, asked directly",
        others=runs,
    )


def first_byte(way: Way, path: str, start: int) -> float:
    """Return the milliseconds to the first byte of the range from `start`; do not read the rest."""
    begin = time.perf_counter()
    with asking(way, "GET", path, {"Range": f"bytes={start}-"}) as response:
        if response.status != 206:
            raise NotPossible(f"{response.status} {response.reason}")
        assert response.read(1)
        return 1000 * (time.perf_counter() - begin)


@measures("seek")
def seek(bench: Bench) -> list[Row | Table]:
    """A seek in a video, as browsers do it: in an upload and in a notebook file."""
    studio = Studio(bench)
    chain = studio.chain
    rows: list[Row | Table] = []
    uploaded = _upload_place(chain)
    for size, rounds in ((bench.size(DOWNLOAD), 7), (bench.size(20 * MB), 25)):
        local = bench.random_file(studio.root / FOLDER / f"film-{size}.mp4", size)
        # Label Studio accepts no upload of this size, so the large file replaces a small one.
        stored = chain.data_dir / "media" / uploaded.removeprefix("data/")
        stored.unlink()
        stored.hardlink_to(local)
        for kind, path in (("local", studio.path(local.name)), ("upload", uploaded)):
            start = size * 3 // 4

            def measured(way: Way, path: str = path, start: int = start) -> float:
                # the server is still cancelling the rest of the previous seek
                time.sleep(0.2)
                return first_byte(way, path, start)

            runs = samples(
                alternate_possible(
                    bench.times(rounds),
                    {
                        TILE: partial(measured, chain.whole),
                        SAME: partial(measured, chain.label_studio),
                    },
                )
            )
            where = "the notebook's files" if kind == "local" else "the uploads"
            rows.append(
                Row(
                    key=f"seek-{kind}-{size // MB}",
                    what=f"Seek in a video of {size // MB} MB in {where}",
                    unit="ms",
                    compare=Compare.ADDED,
                    target=10,
                    ours=take(runs, TILE),
                    against=take(runs, SAME),
                    against_name=SAME,
                )
            )
        local.unlink()
    return rows


def _upload_place(chain: Chain) -> str:
    """Upload a small file and return its path."""
    asked = chain.studio
    made = asked.post("api/projects/1/import", files={"film.mp4": ("film.mp4", b"film")})
    assert made.status_code == 201, made.text[:1000]
    (number,) = made.json()["file_upload_ids"]
    return f"data/{asked.get(f'api/import/file-upload/{number}').json()['file']}"


@measures("file-size")
def file_sizes(bench: Bench) -> list[Row | Table]:
    """The cost of a download by the size of the file."""
    studio = Studio(bench)
    chain = studio.chain
    lines = []
    for size, rounds in ((MB, 15), (100 * MB, 5), (bench.size(DOWNLOAD), 3)):
        file = bench.random_file(studio.root / FOLDER / f"film-{size}.mp4", size)
        path = studio.path(file.name)
        runs = alternate(
            bench.times(rounds),
            {
                TILE: partial(download, chain.whole, path, size),
                SAME: partial(download, chain.label_studio, path, size),
            },
        )
        direct, ours = (statistics.median(runs[name]) for name in (SAME, TILE))
        lines.append(
            (
                f"{size // MB} MB",
                f"{number(1000 * size / MB / direct)} ms ({number(direct)} MB/s)",
                f"{number(1000 * size / MB / ours)} ms ({number(ours)} MB/s)",
                f"{ours / direct:.2f}",
            )
        )
        file.unlink()
    return [
        Table(
            "file-size",
            "A download, by the size of the file",
            ("size", SAME, TILE, "share of the throughput"),
            tuple(lines),
        )
    ]
