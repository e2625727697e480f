"""The gateway or Jupyter server that a notebook, script or command is about."""

from __future__ import annotations

import contextlib
import os
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..gateway_client import (
    START_SECONDS,
    BrokenOff,
    JupyterServer,
    Refused,
    RunningGateway,
    running_gateways,
    running_jupyter_servers,
)
from ..problem import Problem
from ..shell_command import shell_command

T = TypeVar("T")

# A gateway responds a little before it has listed itself.
LISTED_SECONDS = 5.0
POLL_SECONDS = 0.05

LOCAL = {"localhost", "127.0.0.1", "::1"}


def find_gateway(data_dir: Path | None) -> RunningGateway | None:
    """Return the gateway of this data directory, of this notebook's Jupyter, or the only one.

    Raises Problem for several.
    """
    found = running_gateways()
    found = [each for each in found if _is_meant(each.data_dir, data_dir)]
    if data_dir is None and (own := own_server()) is not None:
        return next((each for each in found if each.parent == own.pid), None)
    if len(found) > 1:
        raise _several([(each.data_dir, each.prefix) for each in found])
    return found[0] if found else None


def find_server(data_dir: Path | None) -> tuple[JupyterServer, dict[str, Any]]:
    """Return the Jupyter server that could run Label Studio, and its state.

    `data_dir`: of its Label Studio; None for the only one. Raises Problem if there is none.
    """
    found: list[tuple[JupyterServer, dict[str, Any]]] = []
    others: list[tuple[JupyterServer, dict[str, Any]]] = []
    refusals = []
    own = own_server() if data_dir is None else None
    for server in [own] if own else running_jupyter_servers():
        try:
            state = server.ask()
        except Refused as refusal:
            refusals.append(f"The Jupyter server at {server.url} cannot start it: {refusal}.")
        except (OSError, ValueError) as error:
            refusals.append(f"The Jupyter server at {server.url} does not respond: {error}.")
        else:
            (found if _is_meant(state["data_dir"], data_dir) else others).append((server, state))
    if len(found) > 1:
        raise _several([(state["data_dir"], state["prefix"]) for _, state in found])
    if not found:
        listed = [f"The one at {server.url} uses {state['data_dir']}." for server, state in others]
        of = f" for {data_dir}" if data_dir else ""
        raise Problem(
            f"No Label Studio is running{of}, and no Jupyter server can start it.",
            " ".join([*refusals, *listed])
            or "No Jupyter server of this user is running on this machine.",
            _remedy(others=bool(others), refused=bool(refusals)),
        )
    return found[0]


def _remedy(*, others: bool, refused: bool) -> str:
    if others:
        return "Name the folder that it uses with `--data-dir`, or leave the option out."
    if refused:
        return (
            "Click the Label Studio tile there. If there is none, run "
            "`pip install labelstudio-proxy` in that server's environment, and restart it."
        )
    return (
        f"Start one with `{shell_command('jupyter lab')}`, then try again. Without Jupyter, run "
        f"`{shell_command('labelstudio-proxy serve --port 9000')}`."
    )


def start_gateway(server: JupyterServer, data_dir: str) -> RunningGateway:
    """Let Jupyter start the gateway and Label Studio; return the gateway; raises Problem."""
    try:
        server.ask("start", START_SECONDS)
    except (OSError, ValueError) as error:
        raise Problem(
            f"The Jupyter server at {server.url} could not start Label Studio.",
            f"{error}.",
            "Look at Jupyter's log.",
        ) from error
    deadline = time.monotonic() + LISTED_SECONDS
    while (gateway := find_gateway(Path(data_dir))) is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    if gateway is None:
        raise Problem(
            f"The Jupyter server at {server.url} started Label Studio's gateway, which exited.",
            "It may have crashed.",
            "Look at Jupyter's log.",
        )
    return gateway


def own_server() -> JupyterServer | None:
    """Return the Jupyter server whose notebook or terminal this process runs in, if it is here."""
    parent, url = os.environ.get("JPY_PARENT_PID"), os.environ.get("JUPYTER_SERVER_URL")
    for server in running_jupyter_servers():
        if str(server.pid) == parent or (parent is None and server.url == url):
            return server
    return None


def reach(gateway: RunningGateway, question: Callable[[], T]) -> T:
    """Return the answer of a running gateway; raises Problem if it cannot be reached."""
    with explained(gateway):
        return question()


@contextlib.contextmanager
def explained(gateway: RunningGateway) -> Iterator[None]:
    """Turn the errors of a connection to a running gateway into a Problem."""
    try:
        yield
    except TimeoutError as error:
        raise Problem(
            f"Label Studio's gateway does not respond, for the data in {gateway.data_dir}.",
            f"Its process {gateway.pid} may hang or be suspended.",
            f"Resume it with `kill -CONT {gateway.pid}`, or end it with `kill -KILL {gateway.pid}`, then "
            "click the Label Studio tile.",
        ) from error
    except BrokenPipeError:  # our own output
        raise
    except (OSError, ValueError) as error:
        if isinstance(error, BrokenOff) or not gateway.runs:
            raise Problem(
                "Label Studio's gateway stopped before this was done.",
                f"It was killed, or Jupyter restarts. Its data are in {gateway.data_dir}.",
                "Run it again: it continues where it stopped.",
            ) from error
        raise Problem(
            f"The gateway of {gateway.data_dir} cannot be reached.",
            f"Its process {gateway.pid} runs, but: {error}.",
            "Restart Jupyter.",
        ) from error


def address_of(gateway: RunningGateway, state: dict[str, Any]) -> str:
    """Return where a browser of this user finds the gateway, with a token where that helps."""
    if gateway.port:
        return f"http://127.0.0.1:{gateway.port}{gateway.prefix}?token={gateway.token}"
    seen = str(state.get("address") or "")  # by a browser
    if urlsplit(seen).hostname not in {None, *LOCAL}:
        return seen
    for server in running_jupyter_servers():
        if f"{server.base_url}labelstudio/" == gateway.prefix:
            return server.label_studio
    return seen or gateway.prefix


def _is_meant(data_dir: str, chosen: Path | None) -> bool:
    return chosen is None or os.path.realpath(data_dir) == os.path.realpath(chosen)


class Several(Problem):
    """There are several Label Studios, and the user did not say which one is meant."""


def _several(found: list[tuple[str, str]]) -> Several:
    return Several(
        "There are several Label Studios.",
        ", ".join(f"{data_dir} at {prefix}" for data_dir, prefix in found) + ".",
        f"Choose one, for example `--data-dir {shlex.quote(found[0][0])}`.",
    )
