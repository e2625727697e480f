"""The network of a company: a package index with a password, behind a proxy that wants one, too."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from certipy.certipy import Certipy

from .package_index import PackageIndex

HOST = "packages.company.example"  # known to the proxy alone
PASSWORD = "index-pass"
PROXY_PASSWORD = "proxy-pass"
STATUSES = {"forbidden": 403, "broken": 502}


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


class CompanyNetwork:
    """`certificate`: the authority that signed the index's; pip's settings are in `settings`.

    Of the paths in the URL of the index, `cut` breaks off each file in the middle, and `forbidden`
    and `broken` respond with a status. `downloads`: the names of the files that it has sent whole.
    """

    def __init__(self, folder: Path, packages: PackageIndex) -> None:
        store = folder / "certificates"
        authority = Certipy(store_dir=str(store))
        authority.create_ca("company")
        authority.create_signed_pair(HOST, "company", alt_names=[f"DNS:{HOST}"])
        self.certificate = store / "company" / "company.crt"
        self.index = _Server(_Index)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(store / HOST / f"{HOST}.crt", store / HOST / f"{HOST}.key")
        self.index.socket = context.wrap_socket(self.index.socket, server_side=True)
        self.index.packages = packages.folder
        self.downloads = self.index.downloads
        self.proxy = _Server(_Proxy)
        self.proxy.index = self.index.server_port

    def settings(self, **changes: str) -> dict[str, str]:
        """Return settings of pip with which it works, with `changes`; an empty one is left out."""
        settings = {
            "index-url": self.index_url(),
            "cert": str(self.certificate),
            "proxy": self.proxy_url(f"bob:{PROXY_PASSWORD}@"),
            "retries": "1",
        } | {name.replace("_", "-"): value for name, value in changes.items()}
        return {name: value for name, value in settings.items() if value}

    def index_url(self, path: str = "", password: str = PASSWORD) -> str:
        return f"https://ada:{password}@{HOST}/{path}simple"

    def proxy_url(self, user: str = "") -> str:
        return f"http://{user}127.0.0.1:{self.proxy.server_port}"

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        servers = (self.index, self.proxy)
        threads = [threading.Thread(target=each.serve_forever, args=(0.05,)) for each in servers]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            for server in servers:
                server.shutdown()
                server.server_close()
            for thread in threads:
                thread.join()


def pip_conf(settings: Mapping[str, str]) -> str:
    return "\n".join(["[global]", *(f"{name} = {value}" for name, value in settings.items()), ""])


class _Server(ThreadingHTTPServer):
    packages: Path  # of the index
    index: int  # its port, for the proxy

    def __init__(self, handler: type[_Handler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.downloads: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *arguments: object) -> None:
        pass

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Index(_Handler):
    def do_GET(self) -> None:
        if self.headers["Authorization"] != _basic("ada", PASSWORD):
            self._answer(401, WWW_Authenticate='Basic realm="packages"')
            return
        mode, *_, name = self.path.strip("/").split("/")
        if mode in STATUSES:
            self._answer(STATUSES[mode])
        elif name == "label-studio":
            wheels = self.server.packages.glob("label_studio-*.whl")
            links = (
                f'<a href="{self.path}/../{_link(wheel)}">{wheel.name}</a>' for wheel in wheels
            )
            self._answer(200, "".join(links).encode(), Content_Type="text/html")
        elif not (wheel := self.server.packages / name).is_file():
            self._answer(404)
        elif mode == "cut":
            size = wheel.stat().st_size
            self._answer(200, wheel.read_bytes()[: size // 2], Content_Length=str(size))
            self.close_connection = True
        else:
            if self.command == "GET":
                self.server.downloads.append(name)
            keep = "max-age=365000000, immutable"  # as PyPI says
            self._answer(200, wheel.read_bytes(), Cache_Control=keep)

    do_HEAD = do_GET


def _link(wheel: Path) -> str:
    return f"{wheel.name}#sha256={hashlib.sha256(wheel.read_bytes()).hexdigest()}"


class _Proxy(_Handler):
    def do_CONNECT(self) -> None:
        if self.headers["Proxy-Authorization"] != _basic("bob", PROXY_PASSWORD):
            self._answer(407, Proxy_Authenticate='Basic realm="proxy"')
            return
        assert self.path == f"{HOST}:443", self.path
        with socket.create_connection(("127.0.0.1", self.server.index)) as index:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: index, index: self.connection}
            with contextlib.suppress(OSError):
                while True:
                    for end in select.select(list(ends), [], [])[0]:
                        if not (data := end.recv(65536)):
                            self.close_connection = True
                            return
                        ends[end].sendall(data)
