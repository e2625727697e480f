"""A program in Label Studio's place that reports what reaches it.

Run as `labelstudio_server.py` is: `echo_label_studio.py … serve SOCKET`, or with a port in the socket's
place. `/health` is 200. The response to every other request is JSON of that request, byte for byte, or
as its header `X-Response` asks (see `support.gateway.respond_with`). `/-/seen` lists the targets of all
requests so far. `/-/release` lets a response with a `rest` continue; `/-/arrived` waits until the body
of a request begins to arrive. With `--assets FOLDER`, it serves the files of a `support.installation`
as Label Studio does.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import mimetypes
import socketserver
import sys
import threading
from pathlib import Path
from typing import Any

REASONS = {200: "OK", 204: "No Content", 206: "Partial Content", 304: "Not Modified"}
SHOWN_BYTES = 4096
ASSETS = {
    "static": "label_studio/core/static_build",
    "react-app": "web/dist/apps/labelstudio",
}

seen: list[str] = []
released = threading.Event()
arrived = threading.Event()


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while self.serve_one():
                pass

    def serve_one(self) -> bool:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return False
            head += line
        request, *lines = head.decode("latin-1").split("\r\n")[:-2]
        method, target, _ = request.split(" ")
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]
        fields = {name.lower(): value for name, value in headers}
        path = target.partition("?")[0]
        if not path.startswith("/-/"):
            seen.append(target)
        length, digest, begin = self.read_body(fields)
        if path == "/-/release":
            released.set()
        elif path == "/-/arrived":
            arrived.wait(60)
        response: dict[str, Any] = {"body": "healthy"}
        if path == "/-/seen":
            response = {"body": json.dumps(seen)}
        elif (root := path.split("/")[1]) in ASSETS and assets:
            response = asset(Path(assets, ASSETS[root], path.split("/", 2)[2]), fields)
        elif path != "/health":
            told = {
                "method": method,
                "target": target,
                "headers": headers,
                "head": base64.b64encode(head).decode(),
                "length": length,
                "sha256": digest,
                "body": base64.b64encode(begin).decode(),
            }
            response = {"body": json.dumps(told), "headers": [["Content-Type", "application/json"]]}
        if "x-response" in fields:
            response = json.loads(base64.b64decode(fields["x-response"]))
        if response.get("status") == 0:
            raise ConnectionAbortedError
        self.send(method, response)
        return "close" not in fields.get("connection", "")

    def read_body(self, fields: dict[str, str]) -> tuple[int, str, bytes]:
        """Length, SHA-256 and the first bytes."""
        digest, begin, length = hashlib.sha256(), b"", 0
        left = int(fields.get("content-length", "0"))
        while left and (block := self.rfile.read1(min(left, 65536))):
            arrived.set()
            left -= len(block)
            length += len(block)
            digest.update(block)
            begin += block[: SHOWN_BYTES - len(begin)]
        return length, digest.hexdigest(), begin

    def send(self, method: str, response: dict[str, Any]) -> None:
        status = response.get("status", 200)
        body = response.get("body", "").encode("latin-1")
        rest = response.get("rest", 0)  # so many more bytes, after `/-/release`
        headers = "".join(f"{name}: {value}\r\n" for name, value in response.get("headers", []))
        chunked = "transfer-encoding: chunked" in headers.lower()
        if chunked:
            body = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
        elif status not in {204, 304}:
            headers += f"Content-Length: {len(body) + rest}\r\n"
        head = f"HTTP/1.1 {status} {REASONS.get(status, 'Whatever')}\r\n{headers}\r\n"
        if method == "HEAD" or status in {204, 304}:
            body, rest = b"", 0
        self.wfile.write(head.encode("latin-1") + body)
        if response.get("cut"):
            raise ConnectionAbortedError
        if rest:
            released.wait(60)
        while rest:
            size = min(rest, 1024 * 1024)
            self.wfile.write(bytes(size))
            rest -= size


assets = sys.argv[sys.argv.index("--assets") + 1] if "--assets" in sys.argv else ""


def asset(file: Path, fields: dict[str, str]) -> dict[str, Any]:
    if not file.is_file():
        return {"status": 404, "body": "no such file"}
    body = file.read_bytes().decode("latin-1")
    headers = [["Content-Type", mimetypes.guess_type(file.name)[0] or "application/octet-stream"]]
    if not (wanted := fields.get("range")):
        return {"headers": headers, "body": body}
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    part = body[int(first) : int(last) + 1 if last else None]
    headers.append(["Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(body)}"])
    return {"status": 206, "headers": headers, "body": part}


class UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    address = sys.argv[sys.argv.index("serve") + 1]
    with (
        Server(("127.0.0.1", int(address)), Handler)
        if address.isdecimal()
        else UnixServer(address, Handler)
    ) as server:
        server.serve_forever()
