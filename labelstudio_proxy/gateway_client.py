"""Find this user's running gateways and Jupyter servers, and ask them.

Each has a small file in Jupyter's runtime folder that only the user can read.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from . import private_file

TIMEOUT_SECONDS = 20.0  # more than the gateway lets an open stream wait for an event
# Jupyter waits for the gateway that it starts.
START_SECONDS = 90.0
ANY_ADDRESS = {"", "0.0.0.0", "::"}  # noqa: S104 - nothing is bound to it
# A gateway whose socket was removed listens again within a second.
LISTEN_SECONDS = 3.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class RunningGateway:
    """How to reach a running gateway, and whose data it serves."""

    pid: int
    data_dir: str
    prefix: str
    unix_socket: str = ""
    port: int = 0
    # Required on a port. Programs of this user show by it that they did not come through Jupyter.
    token: str = ""
    parent: int = 0  # the pid of the Jupyter server in front; 0: none

    @property
    def file(self) -> Path:
        """The file that lists this gateway; private, since it holds the token."""
        return runtime_folder() / f"labelstudio-proxy-{self.pid}.json"

    @property
    def runs(self) -> bool:
        """Whether its process runs, now."""
        return _runs(self.pid)

    @property
    def authorization(self) -> str:
        """The header that marks a request as a program's of this user."""
        return f"token {self.token or 'this-user'}"

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
        response breaks off, and ValueError if it is no JSON object.
        """
        with self.open(method, route, seconds=seconds) as response:
            data = json.loads(response.read())
            if not isinstance(data, dict):
                raise ValueError("the response is no object")  # noqa: TRY004 - as for no JSON
            return data

    def events(self, last: int) -> Iterator[tuple[str, Any]]:
        """Yield the gateway's events and their data, with the log lines after number `last`.

        Stops when the gateway ends the stream, after half a minute. Raises OSError.
        """
        headers = {"Last-Event-ID": str(last)}
        with self.open("GET", "events", headers=headers) as response:
            event = ""
            for raw in response:
                field, _, value = raw.decode().rstrip("\n").partition(": ")
                if field == "event":
                    event = value
                elif field == "data":
                    yield event, json.loads(value)

    def open(
        self,
        method: str,
        route: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
        seconds: float = TIMEOUT_SECONDS,
    ) -> contextlib.AbstractContextManager[http.client.HTTPResponse]:
        """Return the response of a control route, whatever its status, as a context manager.

        `body`: sent as JSON, unless None. Raises as `ask` does.
        """
        connection: http.client.HTTPConnection
        if self.unix_socket:
            connection, prefix = _UnixConnection(self.unix_socket, seconds), "/"
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
            prefix = self.prefix
        return send(
            connection,
            method,
            f"{prefix}_proxy/{route}",
            {"Authorization": self.authorization, **headers},
            body,
        )


class BrokenOff(ConnectionError):
    """Raised if a server ends a connection before the whole response has arrived."""


class Refused(ConnectionError):
    """Raised if a Jupyter server does not answer as one with Label Studio; its text says why."""


@dataclass(frozen=True)
class JupyterServer:
    """A Jupyter server of this user on this machine."""

    url: str
    base_url: str
    token: str
    hostname: str
    port: int
    secure: bool
    sock: str
    pid: int = 0

    @property
    def label_studio(self) -> str:
        """Where a browser finds Label Studio, with the token if it helps; on a hub maybe only the path."""
        if self.base_url == os.environ.get("JUPYTERHUB_SERVICE_PREFIX"):
            # Only the hub's proxy uses this server's address, and only programs its token.
            url = os.environ.get("JUPYTERHUB_PUBLIC_URL") or self.base_url
            return f"{url.rstrip('/')}/labelstudio/"
        return f"{self.url}labelstudio/" + (f"?token={self.token}" if self.token else "")

    def ask(self, command: str = "", seconds: float = TIMEOUT_SECONDS) -> dict[str, Any]:
        """Return Label Studio's state from Jupyter's API, after `command` (`start`) if given.

        Raises OSError; Refused if this server has no Label Studio, or does not let us in.
        """
        path = f"{self.base_url}api/labelstudio{command and '/' + command}"
        return self.request("POST" if command else "GET", path, seconds)

    def request(self, method: str, path: str, seconds: float = TIMEOUT_SECONDS) -> dict[str, Any]:
        """Return the JSON response of this server at `path`, which includes the base URL.

        Raises OSError and ValueError; Refused for the status of an error.
        """
        connection: http.client.HTTPConnection
        host = "127.0.0.1" if self.hostname in ANY_ADDRESS else self.hostname
        if self.sock:
            connection = _UnixConnection(self.sock, seconds)
        elif self.secure:
            trust = ssl.create_default_context()
            # It is this machine, and its certificate is for another name.
            trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
            connection = http.client.HTTPSConnection(
                host, self.port, timeout=seconds, context=trust
            )
        else:
            connection = http.client.HTTPConnection(host, self.port, timeout=seconds)
        # The server of a hub has the hub's token.
        token = self.token or os.environ.get("JUPYTERHUB_API_TOKEN", "")
        # Without any token, Jupyter compares a cookie and a header.
        headers = (
            {"Authorization": f"token {token}"}
            if token
            else {"Cookie": "_xsrf=00", "X-XSRFToken": "00"}
        )
        with send(connection, method, path, headers) as response:
            if response.status == 404:
                raise Refused("the server extension of labelstudio-proxy is not enabled in it")
            if response.status in {302, 401, 403}:
                raise Refused("it requires a login, and its file has no token that works")
            if response.status >= 400:
                raise Refused(_said(response))
            state: dict[str, Any] = json.loads(response.read())
            return state


def _said(response: http.client.HTTPResponse) -> str:
    """Return the words of Jupyter in an error, or its status."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(response.read())["message"]).rstrip(".")
    return f"it answered {response.status} {response.reason}"


@contextlib.contextmanager
def send(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: Any = None,
) -> Iterator[http.client.HTTPResponse]:
    """Send a request, with `body` as JSON unless it is None, and yield the response.

    Raises TimeoutError or ConnectionError.
    """
    data = None if body is None else json.dumps(body).encode()
    kind = {} if body is None else {"Content-Type": "application/json"}
    with contextlib.closing(connection):
        try:
            yield _response(connection, method, path, data, {**headers, **kind})
        except (http.client.IncompleteRead, ConnectionResetError) as error:
            raise BrokenOff("the response broke off") from error
        except (TimeoutError, ConnectionError):
            raise
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionError(str(error)) from error


def _response(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    data: bytes | None,
    headers: Mapping[str, str],
) -> http.client.HTTPResponse:
    try:
        connection.connect()
        connection.request(method, path, data, dict(headers))
        return connection.getresponse()
    except (BrokenPipeError, ConnectionResetError) as error:
        raise BrokenOff("the connection broke off") from error


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        """Connect; wait up to LISTEN_SECONDS for a socket."""
        deadline = time.monotonic() + min(self.timeout or 0, LISTEN_SECONDS)
        while True:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            try:
                self.sock.connect(self._path)
            except (FileNotFoundError, ConnectionRefusedError):
                self.sock.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)  # until the gateway listens again
            else:
                return


def running_gateways() -> list[RunningGateway]:
    """Return this user's gateways, newest first; removes the files of those that crashed."""
    found = []
    for path, fields in _listed("labelstudio-proxy-*.json"):
        with contextlib.suppress(OSError, TypeError):
            gateway = RunningGateway(**fields)
            if gateway.runs:
                found.append(gateway)
            else:
                path.unlink(missing_ok=True)
    return found


def running_jupyter_servers() -> list[JupyterServer]:
    """Return this user's Jupyter servers, newest first."""
    names = JupyterServer.__dataclass_fields__
    found = []
    for _, fields in _listed("jpserver-*.json"):
        with contextlib.suppress(OSError, TypeError, KeyError):
            if _runs(fields["pid"]):
                found.append(JupyterServer(**{name: fields[name] for name in names}))
    return found


def runtime_folder() -> Path:
    """Return Jupyter's runtime folder, also in an environment without jupyter_core."""
    try:
        from jupyter_core.paths import jupyter_runtime_dir
    except ImportError:
        pass
    else:
        return Path(jupyter_runtime_dir())
    if folder := os.environ.get("JUPYTER_RUNTIME_DIR"):
        return Path(folder)
    if folder := os.environ.get("JUPYTER_DATA_DIR"):
        return Path(folder, "runtime")
    if sys.platform == "darwin":
        return Path("~/Library/Jupyter/runtime").expanduser()
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data, "jupyter/runtime").expanduser()


def _listed(pattern: str) -> list[tuple[Path, dict[str, Any]]]:
    """Return the files of this pattern in the runtime folder and what is in them, newest first."""
    found: list[tuple[float, Path, dict[str, Any]]] = []
    for path in runtime_folder().glob(pattern):
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(fields, dict):
                found.append((path.stat().st_mtime, path, fields))
        except (OSError, ValueError):
            continue
    found.sort(key=lambda each: each[0], reverse=True)
    return [(path, fields) for _, path, fields in found]


def _runs(pid: int) -> bool:
    """Return True if this process runs; raises OSError if it is another user's."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
