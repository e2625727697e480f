"""A registry on loopback for what the real one cannot be made to do: tokens, redirects, mistakes."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

REPOSITORY = "label/studio"


class FakeRegistry:
    """One image, `name`. Ready when constructed; `stop()` it. Its blobs are served at another port."""

    def __init__(self, layers: Sequence[int]) -> None:
        """`layers`: their sizes in bytes, about."""
        # what it does
        self.wants_token = False
        self.token: object = {"token": "one", "expires_in": 300}
        # cut the next answer with this blob after so many bytes; the token expires with it
        self.cuts: dict[str, int] = {}
        self.compresses = False
        self.refuses_ranges = False
        self.corrupts = ""  # this blob
        # status to answer with instead of a blob
        self.refuses = 0
        # 403 to whoever is no engine
        self.refuses_strangers = False
        # what was asked: (port's name, path, headers)
        self.requests: list[tuple[str, str, Mapping[str, str]]] = []
        self._issued = False
        self.token_queries: list[dict[str, list[str]]] = []

        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        unpacked, self.layers = zip(
            *(self._add_layer(n, size) for n, size in enumerate(layers)), strict=True
        )
        rootfs = {"type": "layers", "diff_ids": list(unpacked)}
        config = {"architecture": "amd64", "os": "linux", "rootfs": rootfs, "config": {}}
        self.config = self._add_blob(json.dumps(config).encode())
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._described(CONFIG, self.config),
            "layers": [self._described(LAYER, layer) for layer in self.layers],
        }
        self.manifest = self.put_manifest("1", MANIFEST, manifest)

        self._servers = {name: self._serve(name) for name in ("registry", "storage")}

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port('registry')}"

    @property
    def name(self) -> str:
        return f"{self.address}/{REPOSITORY}:1"

    def put_manifest(self, tag: str, kind: str, content: object) -> str:
        """Under a tag and under its digest, which is returned."""
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        digest = _digest(data)
        self.manifests[tag] = self.manifests[digest] = (kind, data)
        return digest

    def put_index(self, *platforms: Mapping[str, Any] | None) -> None:
        """Have the tag name an index, by which the image is for each of these platforms."""
        size = len(self.manifests[self.manifest][1])
        entries = [
            {"mediaType": MANIFEST, "digest": self.manifest, "size": size, "platform": platform}
            for platform in platforms
        ]
        self.put_manifest("1", INDEX, {"schemaVersion": 2, "manifests": entries})

    def expire(self) -> None:
        """No token is taken any more but one that is got from now on."""
        self._issued = False

    def asked(self, port: str, path: str = "") -> list[Mapping[str, str]]:
        """The headers of what was asked there, below what contains `path`."""
        return [headers for name, whole, headers in self.requests if name == port and path in whole]

    def stop(self) -> None:
        for server in self._servers.values():
            server.shutdown()
            server.server_close()

    # ---- what it is made of

    def _add_layer(self, number: int, size: int) -> tuple[str, str]:
        """The digests of its unpacked and its packed content."""
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as tar:
            entry = tarfile.TarInfo(f"layer{number}")
            entry.size = size
            tar.addfile(entry, io.BytesIO(os.urandom(size)))
        return _digest(made.getvalue()), self._add_blob(gzip.compress(made.getvalue(), 1))

    def _add_blob(self, data: bytes) -> str:
        digest = _digest(data)
        self.blobs[digest] = data
        return digest

    def _described(self, kind: str, digest: str) -> dict[str, Any]:
        return {"mediaType": kind, "digest": digest, "size": len(self.blobs[digest])}

    # ---- its ports

    def _port(self, name: str) -> int:
        return int(self._servers[name].server_address[1])

    def _serve(self, name: str) -> ThreadingHTTPServer:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                registry.requests.append((name, self.path, dict(self.headers)))
                with contextlib.suppress(ConnectionError):
                    _ANSWERS[name](registry, self)

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server

    def _answer(self, to: BaseHTTPRequestHandler) -> None:
        url = urlsplit(to.path)
        if url.path == "/token":
            self.token_queries.append(parse_qs(url.query))
            self._issued = True
            data = self.token if isinstance(self.token, bytes) else json.dumps(self.token).encode()
            return _send(to, 200, data)
        if self.wants_token and not self._admits(to.headers.get("Authorization", "")):
            realm = f'Bearer realm="http://{self.address}/token",service="tests",'
            scope = f'scope="repository:{REPOSITORY}:pull",error="invalid_token"'
            return _send(to, 401, b"", {"WWW-Authenticate": realm + scope})
        _, _, rest = url.path.partition(f"/v2/{REPOSITORY}/")
        kind, _, reference = rest.partition("/")
        if kind == "manifests" and reference in self.manifests:
            content_type, data = self.manifests[reference]
            headers = {"Content-Type": content_type, "Docker-Content-Digest": _digest(data)}
            return _send(to, 200, data, headers)
        if kind == "blobs" and reference in self.blobs:
            if self.refuses_strangers and "docker/" not in to.headers.get("User-Agent", ""):
                return _send(to, 403, b"")
            if self.refuses:
                return _send(to, self.refuses, b"")
            where = f"http://127.0.0.1:{self._port('storage')}/{reference}?signature=1"
            return _send(to, 307, b"", {"Location": where})
        return _send(to, 200 if url.path == "/v2/" else 404, b"{}")

    def _admits(self, authorization: str) -> bool:
        return self._issued and authorization == "Bearer one"

    def _answer_from_storage(self, to: BaseHTTPRequestHandler) -> None:
        digest = urlsplit(to.path).path.lstrip("/")
        data = self.blobs[digest]
        if digest == self.corrupts:
            data = data[:-1] + bytes([data[-1] ^ 1])
        headers, status = {}, 200
        if self.compresses and "gzip" in to.headers.get("Accept-Encoding", ""):
            data, headers = gzip.compress(data), {"Content-Encoding": "gzip"}
        if found := re.fullmatch(r"bytes=(\d+)-", to.headers.get("Range", "")):
            begin = int(found[1])
            status = 416 if self.refuses_ranges else 206
            data = data[begin:]
        cut_after = self.cuts.pop(digest, None)
        if cut_after is not None:
            self.expire()
        _send(to, status, data, headers, cut_after)


_ANSWERS: dict[str, Callable[[FakeRegistry, BaseHTTPRequestHandler], None]] = {
    "registry": FakeRegistry._answer,
    "storage": FakeRegistry._answer_from_storage,
}


def _send(
    to: BaseHTTPRequestHandler,
    status: int,
    data: bytes,
    headers: Mapping[str, str] | None = None,
    cut_after: int | None = None,
) -> None:
    to.send_response(status)
    for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
        to.send_header(name, value)
    to.end_headers()
    if to.command != "HEAD":
        to.wfile.write(data[:cut_after])
    if cut_after is not None:
        to.close_connection = True


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
