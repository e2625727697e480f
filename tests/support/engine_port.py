"""A container engine that is reached by a port, as one on another machine is."""

from __future__ import annotations

import contextlib
import shutil
import socket
import socketserver
import threading
from collections.abc import Iterator

from .engine import Engine


@contextlib.contextmanager
def port_of(engine: Engine) -> Iterator[str]:
    """Yield an address for DOCKER_HOST whose connections lead to the engine's socket."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as upstream:
                upstream.connect(engine.address.removeprefix("unix://"))
                back = threading.Thread(target=copy, args=(upstream, self.request), daemon=True)
                back.start()
                copy(self.request, upstream)
                back.join()

    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            shutil.copyfileobj(source.makefile("rb", 0), target.makefile("wb", 0))
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """The engine is not running."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
