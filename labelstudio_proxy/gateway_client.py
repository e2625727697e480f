"""Talks to a running gateway of this user, for the command line."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

from .gateway_registry import Entry

TIMEOUT_SECONDS = 60.0


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ask(
    entry: Entry, name: str, method: str = "GET", seconds: float = TIMEOUT_SECONDS
) -> dict[str, Any]:
    """The JSON answer of the gateway's own `name`, for example `state`; raises OSError.

    TimeoutError, if there is none for `seconds`; ConnectionError, if nobody listens.
    """
    connection, answer = _request(entry, name, method, seconds=seconds)
    try:
        data: dict[str, Any] = json.loads(answer.read())
        return data
    finally:
        connection.close()


def events(entry: Entry, last: int) -> Iterator[tuple[str, Any]]:
    """The gateway's events with their data, log lines after number `last`; raises OSError.

    Ends when the gateway ends the stream, which it does after half a minute.
    """
    connection, answer = _request(entry, "events", "GET", {"Last-Event-ID": str(last)})
    try:
        event = ""
        for raw in answer:
            field, _, value = raw.decode().rstrip("\n").partition(": ")
            if field == "event":
                event = value
            elif field == "data":
                yield event, json.loads(value)
    finally:
        connection.close()


def _request(
    entry: Entry,
    name: str,
    method: str,
    headers: dict[str, str] | None = None,
    seconds: float = TIMEOUT_SECONDS,
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    if entry.unix_socket:
        connection: http.client.HTTPConnection = _UnixConnection(entry.unix_socket, seconds)
        path = f"/_proxy/{name}"
    else:
        connection = http.client.HTTPConnection("127.0.0.1", entry.port, timeout=seconds)
        path = f"{entry.prefix}_proxy/{name}"
    # Says that a program asks; on a port, it is also what lets it in.
    token = entry.token or "this-user"
    try:
        connection.request(
            method, path, headers={"Authorization": f"token {token}", **(headers or {})}
        )
        return connection, connection.getresponse()
    except TimeoutError:
        connection.close()
        raise
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise ConnectionError(str(error)) from error
