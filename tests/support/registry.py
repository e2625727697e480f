"""A real image registry on a loopback port, behind a line that can be slow or break."""

from __future__ import annotations

import contextlib
import json
import re
import select
import shutil
import socket
import struct
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import docker
import requests

from .processes import Process, clean_environment, free_port

PROGRAM = "docker-registry"

CONFIG = """\
version: 0.1
log: {{accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""

LOGIN = {"username": "ada", "password": "lock and key"}
# The password as bcrypt, the only format of the registry.
HTPASSWD = "ada:$2b$04$Re3ZP.ZTtiMHfwspge4J5Ol6R1eHvWd4.Tkix74rdv5DFEroDMDia\n"
AUTH = """\
auth: {{htpasswd: {{realm: tests, path: {file}}}}}
"""


class Registry:
    """Ready when constructed; `stop()` it. `push` stores images, pulls go over the `line`."""

    def __init__(self, *, closed: bool = False) -> None:
        """`closed`: requires LOGIN."""
        self._login = LOGIN if closed else None
        self._home = Path(tempfile.mkdtemp(prefix="registry-", dir="/tmp"))
        self._port = free_port()
        config = self._home / "config.yml"
        settings = CONFIG.format(folder=self._home / "store", port=self._port)
        if closed:
            passwords = self._home / "htpasswd"
            passwords.write_text(HTPASSWD)
            settings += AUTH.format(file=passwords)
        config.write_text(settings)
        self.process = Process(
            [PROGRAM, "serve", str(config)],
            env=clean_environment(self._home),
            cwd=self._home,
            log=self._home / "registry.log",
        )
        self.line = Line(self._port)
        try:
            self.process.wait_until(self._responds, what="the registry", timeout=30)
        except BaseException:
            self.stop()
            raise

    def _responds(self) -> bool:
        with contextlib.suppress(requests.ConnectionError):
            response = requests.get(f"http://127.0.0.1:{self._port}/v2/", timeout=10)
            return response.ok or response.status_code == 401
        return False

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.line.port}"

    @property
    def direct_address(self) -> str:
        """Its address without the line, for pushes."""
        return f"127.0.0.1:{self._port}"

    def push(self, client: docker.DockerClient, image: str, name: str) -> str:
        """Push an image of the engine; return the name for pulls."""
        repository, _, tag = name.partition(":")
        direct = f"{self.direct_address}/{repository}"
        client.images.get(image).tag(direct, tag)
        try:
            for event in client.images.push(
                direct, tag, stream=True, decode=True, auth_config=self._login
            ):
                assert "error" not in event, event
        finally:
            client.images.remove(f"{direct}:{tag}")
        return f"{self.address}/{name}"

    def push_index(self, name: str, index: str, platform: dict[str, str]) -> str:
        """Make an index with the image `name` for one `platform`; return the name for pulls."""
        repository, _, tag = name.partition("/")[2].partition(":")
        manifests = f"http://127.0.0.1:{self._port}/v2/{repository}/manifests"
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        found = requests.get(f"{manifests}/{tag}", headers={"Accept": kind}, timeout=30)
        described = {
            "mediaType": kind,
            "size": len(found.content),
            "digest": found.headers["Docker-Content-Digest"],
            "platform": platform,
        }
        kind = "application/vnd.docker.distribution.manifest.list.v2+json"
        content = {"schemaVersion": 2, "mediaType": kind, "manifests": [described]}
        response = requests.put(
            f"{manifests}/{index}",
            data=json.dumps(content),
            headers={"Content-Type": kind},
            timeout=30,
        )
        assert response.status_code == 201, response.text
        return f"{self.address}/{repository}:{index}"

    def stop(self) -> None:
        self.line.close()
        self.process.stop()
        shutil.rmtree(self._home, ignore_errors=True)


class Line:
    """Forwards connections to a port, slowly or with breaks, and records the requests."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = free_port()
        self.reset()

    def reset(self) -> None:
        """Become a good line, and forget the recorded requests."""
        # Bytes per second, all connections together.
        self.rate: float | None = None
        # Cut each connection after so many bytes to the engine.
        self.cut_after: int | None = None
        # Each as "GET /v2/...".
        self.requests: list[str] = []
        # Bytes carried to the engine, with headers, by path.
        self.carried: Counter[str] = Counter()
        self.admit()

    def blobs(self) -> dict[str, int]:
        """Return the bytes carried of each blob: layers, and configurations of images."""
        with self._lock:
            carried = dict(self.carried)
        return {
            path.rpartition("/")[2]: size for path, size in carried.items() if "/blobs/" in path
        }

    def layers(self) -> dict[str, int]:
        """Return the same for layers only: blobs that are larger than a configuration."""
        return {name: size for name, size in self.blobs().items() if size > 100_000}

    @property
    def connections(self) -> int:
        """The number of open connections."""
        with self._lock:
            return len(self._open) // 2

    def admit(self) -> None:
        """Accept connections again."""
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def refuse(self) -> None:
        """Cut every connection, and accept none until `admit()`."""
        listener, self._listener = self._listener, None
        if listener is not None:
            _cut(listener)
        self.cut()

    close = refuse

    def cut(self) -> None:
        """Cut every open connection."""
        with self._lock:
            for connection in self._open:
                _cut(connection)

    # ---- in threads

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError), listener:
            while True:
                engine, _ = listener.accept()
                threading.Thread(target=self._serve, args=(engine, listener), daemon=True).start()

    def _serve(self, engine: socket.socket, listener: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            engine,
            socket.create_connection(("127.0.0.1", self._target)) as registry,
        ):
            with self._lock:
                self._open |= {engine, registry}
            try:
                if listener is self._listener:
                    self._carry(engine, registry)
            finally:
                with self._lock:
                    self._open -= {engine, registry}

    def _carry(self, engine: socket.socket, registry: socket.socket) -> None:
        """Forward both ways. A puller sends no bodies, and one request at a time."""
        asked, total, readable = "", 0, [engine, registry]
        while True:
            ready, _, _ = select.select(readable, [], [])
            if engine in ready:
                data = engine.recv(65536)
                if not data:
                    return
                if found := re.match(rb"([A-Z]+) (/\S*) HTTP/1", data):
                    method, asked = found[1].decode(), found[2].decode()
                    self.requests.append(f"{method} {asked}")
                registry.sendall(data)
            if registry in ready:
                data = registry.recv(16384)
                if not data:  # the response is complete; the engine still reads it
                    engine.shutdown(socket.SHUT_WR)
                    readable.remove(registry)
                    continue
                # A test may change them at any time.
                rate, cut_after = self.rate, self.cut_after
                if rate is not None:
                    with self._turn:
                        time.sleep(len(data) / rate)
                if cut_after is not None:
                    data = data[: max(0, cut_after - total)]
                engine.sendall(data)
                total += len(data)
                with self._lock:
                    self.carried[asked] += len(data)
                if cut_after is not None and total >= cut_after:
                    _cut(engine)
                    return


def _cut(connection: socket.socket) -> None:
    """End it now, with a reset if data are in transit; its thread closes it."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
