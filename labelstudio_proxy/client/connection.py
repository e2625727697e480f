"""The gateway that this process uses: asks it, and starts Label Studio when it is needed."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from ..gateway_client import BrokenOff, RunningGateway
from ..problem import Problem
from . import running
from .progress import Show, progress
from .remote import RemoteGateway

POLL_SECONDS = 0.2  # between looks at a start, which sends no news here
# Messages with one of these are not the last: http.client ends a response that breaks off without an
# error.
PARTS = {"index_names", "rows"}
# A Label Studio that stops as soon as it is ready is not started for ever.
STARTS = 3


Gateway = RunningGateway | RemoteGateway


class Connection:
    """Sends requests to one gateway; `call` is what nearly all of them need."""

    def __init__(self, find: Callable[[], Gateway], base: str, server: str = "") -> None:
        """`find`: returns the gateway, started if necessary. `base`: the folder of relative paths.

        `server`: the URL of the Jupyter server if it is not this notebook's, else "".
        """
        self._find = find
        self.base = base
        self.server = server

    def call(self, method: str, route: str, body: Any = None) -> dict[str, Any]:
        """Return the last message of the gateway, with progress for the user meanwhile.

        Starts Label Studio if the gateway asks for it. Raises Problem.
        """
        last: dict[str, Any] = {}
        for message in self.messages(method, route, body):
            last = message
        return last

    def messages(self, method: str, route: str, body: Any = None) -> Iterator[dict[str, Any]]:
        """Yield the gateway's messages, except progress, which it shows; raises Problem."""
        with progress() as show:
            for _ in range(STARTS):
                gateway = self._find()
                with _explained(gateway), gateway.open(method, route, body) as response:
                    if response.status == 200:
                        yield from _messages(response, show)
                        return
                    answer = _answer(gateway, response)
                if response.status != 503 or "state" not in answer:
                    raise _problem(answer)
                self._start(gateway, show)
        raise Problem(
            "Label Studio stopped while it was used.",
            "A user or a program stopped it, or it crashed.",
            "Try again.",
        )

    def gateway(self) -> Gateway:
        """Return the gateway, started if it is on this machine and does not run; raises Problem."""
        return self._find()

    def address(self, path: str) -> str:
        """Return the URL of a `path` under Jupyter for a browser, with a token where that helps.

        Only the path, if nothing else is known. Raises Problem.
        """
        gateway = self._find()
        if isinstance(gateway, RemoteGateway):
            return urljoin(gateway.address, path)
        with _explained(gateway):
            address = running.address_of(gateway, gateway.ask("state"))
        root, _, token = address.partition("?")
        if token:
            path += ("&" if "?" in path else "?") + token
        return urljoin(root, path)

    def runs(self) -> bool:
        """Return True if Label Studio is ready; does not start it. Raises Problem."""
        return bool(_state(self._find(), "GET", "state")["state"] == "ready")

    def start(self) -> None:
        """Return when Label Studio is ready; raises Problem if it cannot start."""
        with progress() as show:
            self._start(self._find(), show)

    def _start(self, gateway: Gateway, show: Show) -> None:
        state = _state(gateway, "GET", "state")
        if state["state"] != "ready":
            state = _state(gateway, "POST", "start")
        begun = False
        while state["state"] != "ready":
            if state["state"] == "failed":
                raise _problem(state)
            if state["state"] == "stopped" and begun:
                raise Problem(
                    "Label Studio was stopped while it started.",
                    state["stopped_because"],
                    "Try again.",
                )
            begun = begun or state["state"] not in {"stopped", "stopping"}
            steps = [step["state"] for step in state["steps"]]
            if "current" in steps:
                now = steps.index("current")
                show(now, len(steps), f"Starting Label Studio: {state['steps'][now]['title']}")
            time.sleep(POLL_SECONDS)
            state = _state(gateway, "GET", "state")


def _state(gateway: Gateway, method: str, route: str) -> dict[str, Any]:
    with _explained(gateway), gateway.open(method, route) as response:
        answer = _answer(gateway, response)
        if "state" not in answer:
            raise _problem(answer)
        return answer


def _messages(response: http.client.HTTPResponse, show: Show) -> Iterator[dict[str, Any]]:
    ended = False
    for line in response:
        message = json.loads(line)
        if "progress" in message:
            show(**message["progress"])
        elif "error" in message:
            raise Problem(**message["error"])
        else:
            ended = not PARTS & message.keys()
            yield message
    if not ended:
        raise BrokenOff("the response broke off")


def _answer(gateway: Gateway, response: http.client.HTTPResponse) -> dict[str, Any]:
    """Return the JSON object that the gateway sent; raises Problem if another server answered."""
    try:
        data = json.loads(response.read())
    except ValueError:
        data = None
    if isinstance(data, dict) and data.keys() & {"state", "error", "what", "detail"}:
        return data
    if isinstance(gateway, RemoteGateway):
        raise gateway.refusal(response.status, response.reason)
    raise ValueError(f"it answered {response.status} {response.reason}")


def _problem(answer: dict[str, Any]) -> Problem:
    """Return the Problem that a response explains."""
    error = answer.get("error") or answer
    if isinstance(error, dict) and "what" in error:
        return Problem(error["what"], error.get("why", ""), error.get("remedy", ""))
    return Problem("Label Studio's gateway refused the request.", str(answer.get("detail", "")), "")


@contextlib.contextmanager
def _explained(gateway: Gateway) -> Iterator[None]:
    """Turn errors of the connection into a Problem."""
    if isinstance(gateway, RunningGateway):
        with running.explained(gateway):
            yield
        return
    try:
        yield
    except BrokenOff as error:
        raise Problem(
            f"The connection to {gateway.server} broke off before this was done.",
            "Label Studio or its Jupyter server stopped, or the network failed.",
            "Run it again: it continues where it stopped.",
        ) from error
    except (OSError, ValueError) as error:
        raise Problem(
            f"The Jupyter server at {gateway.server} cannot be reached.",
            f"{error}.",
            "Check its address, and the network.",
        ) from error


def remote(url: str, token: str | None) -> Connection:
    """Return the connection to the Label Studio of a Jupyter server elsewhere; raises Problem."""
    gateway = RemoteGateway.at(url, token)
    return Connection(lambda: gateway, "", gateway.server)


def local(data_dir: Path | None = None) -> Connection:
    """Return the connection to the Label Studio of this notebook, terminal or script.

    `data_dir`: of that Label Studio, if there are several.
    """

    def find() -> RunningGateway:
        try:
            gateway = running.find_gateway(data_dir)
            if gateway is None:
                server, state = running.find_server(data_dir)
                gateway = running.start_gateway(server, state["data_dir"])
        except running.Several as several:
            raise Problem(
                several.what,
                several.why,
                "Use a notebook or a terminal of the Jupyter server that you mean, or "
                "`connect(url, token)`. Commands have `--data-dir`.",
            ) from None
        return gateway

    return Connection(find, str(Path.cwd()))
