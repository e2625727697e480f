"""Server-sent events as a front end of Jupyter receives them."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from typing import Any, Protocol
from urllib.parse import urlsplit

from .processes import wait_for

Event = tuple[str, Any]


class Server(Protocol):
    """A Jupyter server at `origin` and `base_url`, for programs that have the `token`."""

    origin: str
    base_url: str
    token: str


class Events:
    """The events of `api/labelstudio/events`, read in a thread while the block runs."""

    def __init__(self, response: HTTPResponse) -> None:
        self._response = response
        self.received: list[Event] = []
        self.reading = threading.Thread(target=self._read, daemon=True)
        self.reading.start()

    @property
    def over(self) -> bool:
        """Whether the server has closed the stream."""
        return not self.reading.is_alive()

    def until(self, wanted: Callable[[Event], object], what: str, timeout: float = 120) -> Any:
        """Return the data of the first event that is `wanted`, and forget those before it."""

        def found() -> bool:
            while self.received:
                if wanted(self.received[0]):
                    return True
                self.received.pop(0)
            return False

        wait_for(found, what=what, timeout=timeout)
        return self.received.pop(0)[1]

    def state(self, wanted: str) -> dict[str, Any]:
        """Wait for this state; return the data of its event."""
        data: dict[str, Any] = self.until(
            lambda event: event[0] == "state" and event[1]["state"] == wanted,
            what=f"the event of the state {wanted}",
        )
        return data

    def _read(self) -> None:
        name = ""
        with contextlib.suppress(OSError, IncompleteRead):
            for line in self._response:
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    self.received.append((name, json.loads(value)))


@contextlib.contextmanager
def events_of(jupyter: Server) -> Iterator[Events]:
    """Listen to the events while the block runs."""
    headers = {"Authorization": f"token {jupyter.token}", "Accept": "text/event-stream"}
    connection = HTTPConnection(urlsplit(jupyter.origin).netloc, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", f"{jupyter.base_url}api/labelstudio/events", headers=headers)
        browser = connection.sock
        response = connection.getresponse()
        assert response.status == 200, response.read()
        assert response.headers["Content-Type"] == "text/event-stream"
        events = Events(response)
        try:
            yield events
        finally:
            with contextlib.suppress(OSError):  # the server has closed it
                browser.shutdown(socket.SHUT_RDWR)
            events.reading.join()
