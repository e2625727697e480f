"""Large bodies through the whole chain, from and to a program that is faster than Label Studio."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Callable
from functools import partial

from support.gateway import ECHO, respond_with, stand_in
from support.jupyter import JupyterLab
from support.processes import Process, children, command_line, free_port

from .bench import Bench, NotPossible, alternate_possible, measures
from .bytes_through import MB, Body, asking, download, memory_row, speed_row, watch
from .processor import profile
from .results import Row, Table
from .servers import Chain, Way
from .throughput import PLAIN, SAME, TILE, samples

DOWNLOAD, UPLOAD = 2000 * MB, 1000 * MB
DIRECT = "the same program, asked directly"


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
        speed_row(
            "transfer-download", f"{size // MB} MB downloaded from a fast program", runs, DIRECT
        ),
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
        speed_row(
            "transfer-upload", f"{size // MB} MB uploaded to a program that hashes", runs, DIRECT
        ),
        memory_row("transfer-upload-memory", f"{size // MB} MB uploaded", memory),
    ]
    return rows


def _program_pid(chain: Chain) -> int:
    (pid,) = (pid for pid in children(chain.gateway_pid) if str(ECHO) in command_line(pid))
    return pid
