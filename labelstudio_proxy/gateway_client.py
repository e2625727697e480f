"""Find this user's running gateways and ask them: one small file for each, as Jupyter does it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_runtime_dir

from . import private_file

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class RunningGateway:
    """How to reach a running gateway, and whose data it serves."""

    pid: int
    data_dir: str
    prefix: str
    unix_socket: str = ""
    port: int = 0
    token: str = ""

    @property
    def file(self) -> Path:
        """The file that lists this gateway; private, since it holds the token."""
        return Path(jupyter_runtime_dir()) / f"labelstudio-proxy-{self.pid}.json"

    def register(self) -> None:
        """List this gateway, so that `running_gateways` finds it; raises OSError."""
        private_file.write(self.file, json.dumps(asdict(self)).encode())

    def unregister(self) -> None:
        """Remove this gateway from the list."""
        with contextlib.suppress(OSError):
            self.file.unlink()

    def ask(
        self, route: str, method: str = "GET", seconds: float = TIMEOUT_SECONDS
    ) -> dict[str, Any]:
        """Return the JSON response of a control route, for example `state`.

        Raises TimeoutError if nothing arrives for `seconds`, ConnectionError if nothing listens or the
        response breaks off, and ValueError if it is no JSON.
        """
        with self._request(route, method, seconds=seconds) as response:
            data: dict[str, Any] = json.loads(response.read())
            return data

    def events(self, last: int) -> Iterator[tuple[str, Any]]:
        """Yield the gateway's events and their data, with the log lines after number `last`.

        Stops when the gateway ends the stream, after half a minute. Raises OSError.
        """
        with self._request("events", "GET", {"Last-Event-ID": str(last)}) as response:
            event = ""
            for raw in response:
                field, _, value = raw.decode().rstrip("\n").partition(": ")
                if field == "event":
                    event = value
                elif field == "data":
                    yield event, json.loads(value)

    @contextlib.contextmanager
    def _request(
        self,
        route: str,
        method: str,
        headers: dict[str, str] | None = None,
        seconds: float = TIMEOUT_SECONDS,
    ) -> Iterator[http.client.HTTPResponse]:
        connection: http.client.HTTPConnection
        if self.unix_socket:
            connection, prefix = _UnixConnection(self.unix_socket, seconds), "/"
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
            prefix = self.prefix
        # Marks the request as a program's. On a port, the token is required as well.
        authorization = f"token {self.token or 'this-user'}"
        with contextlib.closing(connection):
            try:
                connection.request(
                    method,
                    f"{prefix}_proxy/{route}",
                    headers={"Authorization": authorization, **(headers or {})},
                )
                yield connection.getresponse()
            except TimeoutError:
                raise
            except (OSError, http.client.HTTPException) as error:
                raise ConnectionError(str(error)) from error


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def running_gateways() -> list[RunningGateway]:
    """Return this user's gateways, newest first; removes the files of those that crashed."""
    found: list[tuple[float, RunningGateway]] = []
    for path in Path(jupyter_runtime_dir()).glob("labelstudio-proxy-*.json"):
        try:
            gateway = RunningGateway(**json.loads(path.read_text(encoding="utf-8")))
            os.kill(gateway.pid, 0)
            found.append((path.stat().st_mtime, gateway))
        except ProcessLookupError:
            path.unlink(missing_ok=True)
        except (OSError, ValueError, TypeError):
            continue
    return [gateway for _, gateway in sorted(found, key=lambda each: each[0], reverse=True)]
