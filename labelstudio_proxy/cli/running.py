"""The gateway or Jupyter server that a command is about, and what it answers."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ..gateway_client import (
    START_SECONDS,
    JupyterServer,
    Refused,
    RunningGateway,
    running_gateways,
    running_jupyter_servers,
)
from ..problem import Problem
from ..shell_command import shell_command

T = TypeVar("T")


def find_gateway(data_dir: Path | None) -> RunningGateway | None:
    """Return the gateway of this data directory, or the only one; raises Problem for several."""
    found = running_gateways()
    found = [each for each in found if _is_meant(each.data_dir, data_dir)]
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
    for server in running_jupyter_servers():
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
            "Name the folder that it uses with `--data-dir`, or leave the option out."
            if others
            else f"Start one with `{shell_command('jupyter lab')}`, then try again. Without Jupyter, "
            f"run `{shell_command('labelstudio-proxy serve --port 9000')}`.",
        )
    return found[0]


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
    gateway = find_gateway(Path(data_dir))
    if gateway is None:
        raise Problem(
            f"The Jupyter server at {server.url} started Label Studio's gateway, which exited.",
            "It may have crashed.",
            "Look at Jupyter's log.",
        )
    return gateway


def reach(gateway: RunningGateway, question: Callable[[], T]) -> T:
    """Return the answer of a running gateway; raises Problem if it cannot be reached."""
    try:
        return question()
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
        raise Problem(
            f"The gateway of {gateway.data_dir} cannot be reached.",
            f"Its process {gateway.pid} runs, but: {error}.",
            "Restart Jupyter.",
        ) from error


def _is_meant(data_dir: str, chosen: Path | None) -> bool:
    return chosen is None or os.path.realpath(data_dir) == os.path.realpath(chosen)


def _several(found: list[tuple[str, str]]) -> Problem:
    return Problem(
        "There are several Label Studios.",
        ", ".join(f"{data_dir} at {prefix}" for data_dir, prefix in found) + ".",
        f"Choose one, for example `--data-dir {shlex.quote(found[0][0])}`.",
    )
