"""`status`, `logs`, `open`, `start`, `stop` and `restart`: commands for a running Label Studio."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..client.browser import open_in_browser
from ..client.running import address_of, find_gateway, find_server, reach, start_gateway
from ..duration import duration
from ..gateway_client import RunningGateway
from ..problem import Problem
from ..shell_command import shell_command
from .options import data_dir_option
from .output import answer, json_option, progress_bar

POLL_SECONDS = 0.2
COLOURS = {"ready": "green", "failed": "red"}

which = data_dir_option("data directory of the Label Studio to use, if there are several")


@click.command(short_help="show the state of Label Studio")
@which
@json_option
def status(data_dir: Path | None, as_json: bool) -> None:
    """Show the state of Label Studio: its address, since when, and the memory that it uses."""
    gateway = find_gateway(data_dir)
    if gateway is None:
        server, state = find_server(data_dir)
        state = {**state, "address": server.label_studio.partition("?")[0], "memory": None}
    else:
        state = _state(gateway)
    answer(_describe(state), state, as_json=as_json)


@click.command(short_help="show the log of Label Studio")
@which
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), metavar="COUNT", help="only the last lines"
)
@click.option("-f", "--follow", is_flag=True, help="wait for new lines and show them")
@json_option
def logs(data_dir: Path | None, lines: int | None, follow: bool, as_json: bool) -> None:
    """Show the log of Label Studio."""
    gateway = find_gateway(data_dir)
    if gateway is None:
        raise Problem(
            "Label Studio is not running, so it has no log.",
            "",
            f"Start it with `{shell_command('labelstudio-proxy start')}`.",
        )
    shown = reach(gateway, lambda: _log(gateway))
    if lines is not None:
        shown = shown[max(0, len(shown) - lines) :]
    if as_json and not follow:
        answer("", {"lines": [line for _, line in shown]}, as_json=True)
        return
    last = 0
    while True:
        for _, line in shown:
            click.echo(json.dumps({"line": line}) if as_json else line)
        if not follow:
            return
        last = shown[-1][0] if shown else last
        time.sleep(POLL_SECONDS)  # a gateway that ends its stream at once must not be asked at once
        shown = reach(gateway, functools.partial(_log, gateway, last, wait=True))


@click.command("open", short_help="open Label Studio in the browser")
@which
@json_option
def open_page(data_dir: Path | None, as_json: bool) -> None:
    """Print the address of Label Studio, and open it in the browser if there is one here."""
    gateway = find_gateway(data_dir)
    if gateway is None:
        server, _ = find_server(data_dir)
        address = server.label_studio
    else:
        address = address_of(gateway, reach(gateway, lambda: gateway.ask("state")))
    answer(address, {"address": address}, as_json=as_json)
    open_in_browser(address)


@click.command(short_help="start Label Studio and wait until it is ready")
@which
@click.option(
    "--take-over",
    "command",
    flag_value="take-over",
    help="if another server uses the data directory, stop Label Studio there",
)
@click.option(
    "--use-data",
    "command",
    flag_value="use-data",
    help="if the first start found data of `docker run`, use them",
)
@click.option(
    "--no-data",
    "command",
    flag_value="no-data",
    help="if the first start found data of `docker run`, leave them",
)
@json_option
def start(data_dir: Path | None, command: str | None, as_json: bool) -> None:
    """Start Label Studio and wait until it is ready."""
    gateway = find_gateway(data_dir) or _start_gateway(data_dir)
    _change(command or "start", gateway, as_json=as_json)


@click.command(short_help="stop Label Studio; the next click on the tile starts it")
@which
@json_option
def stop(data_dir: Path | None, as_json: bool) -> None:
    """Stop Label Studio. The next click on the tile starts it."""
    gateway = find_gateway(data_dir)
    if gateway is None:
        of = f" for {data_dir}" if data_dir else ""
        answer(f"No Label Studio is running{of}.", {"state": "stopped"}, as_json=as_json)
    else:
        _change("stop", gateway, as_json=as_json)


@click.command(short_help="restart Label Studio and wait until it is ready")
@which
@json_option
def restart(data_dir: Path | None, as_json: bool) -> None:
    """Restart Label Studio and wait until it is ready."""
    gateway = find_gateway(data_dir)
    if gateway is None:
        _change("start", _start_gateway(data_dir), as_json=as_json)
    else:
        _change("restart", gateway, as_json=as_json)


def _start_gateway(data_dir: Path | None) -> RunningGateway:
    server, state = find_server(data_dir)
    return start_gateway(server, state["data_dir"])


def _change(command: str, gateway: RunningGateway, *, as_json: bool) -> None:
    goal = "stopped" if command == "stop" else "ready"
    before = reach(gateway, lambda: gateway.ask("state"))
    state = reach(gateway, lambda: gateway.ask(command, "POST"))
    with progress_bar() as show:
        while True:
            # A restart has begun when the time of the start is another one.
            begun = command != "restart" or state["started_at"] != before["started_at"]
            if begun and state["state"] in {goal, "failed"}:
                break
            _show_step(state, show)
            time.sleep(POLL_SECONDS)  # a command returns before it is done
            state = reach(gateway, lambda: gateway.ask("state"))
    if state["state"] == "failed" and goal == "ready":
        raise Problem(**state["error"])
    state = _state(gateway)
    at = f" at {state['address']}" if state["state"] == "ready" else ""
    answer(f"Label Studio is {state['state']}{at}", state, as_json=as_json)


def _show_step(state: dict[str, Any], show: Callable[..., None]) -> None:
    """Show the current step of a start, and how many of its steps are done."""
    steps = [step["state"] for step in state["steps"]]
    if "current" in steps:
        now, progress = steps.index("current"), state["progress"] or {"done": 0, "total": 1}
        part = progress["done"] / progress["total"]
        show(now + part, len(steps), state["steps"][now]["title"])


# ---- What a gateway answers


def _state(gateway: RunningGateway) -> dict[str, Any]:
    state = reach(gateway, lambda: gateway.ask("state"))
    memory = reach(gateway, lambda: gateway.ask("memory"))
    return {
        **state,
        "address": address_of(gateway, state).partition("?")[0],
        "data_dir": gateway.data_dir,
        "prefix": gateway.prefix,
        "memory": memory["memory"],
    }


def _log(gateway: RunningGateway, after: int = 0, *, wait: bool = False) -> list[tuple[int, str]]:
    """Return the numbers and lines of the log after a number; `wait`: for one, at most a minute."""
    lines: list[tuple[int, str]] = []
    for event, data in gateway.events(after):
        if event == "log":
            lines += data
        if event == "log" or not wait:
            break
    return lines


# ---- Text


def _describe(state: dict[str, Any]) -> str:
    name = f"Label Studio {state['versions'].get('Label Studio', '')}".rstrip()
    word = state["state"]
    current = [step["title"] for step in state["steps"] if step["state"] == "current"]
    doing = f" ({current[0]})" if current and word != "ready" else ""
    rows = [("address", state["address"])]
    if since := state.get("since"):
        rows.append(
            ("since", f"{_moment(since)}, for {duration(max(0, round(time.time() - since)))}")
        )
    if memory := state["memory"]:
        rows.append(("memory", f"{memory / 1e6:,.0f} MB"))
    rows.append(("data directory", state["data_dir"]))
    found = [step["detail"] for step in state["steps"] if step["id"] == "find"]
    rows += [("found", detail) for detail in found if detail]
    rows += [("note", notice) for notice in state["notices"]]
    if because := state.get("stopped_because"):
        rows.append(("note", because))
    if error := state["error"]:
        rows += [("what happened", error["what"]), ("why", error["why"])]
        rows.append(("what to do", error["remedy"]))
    lines = [f"  {name + ':':<17}{text}" for name, text in rows]
    return "\n".join(
        (f"{name}: {click.style(word, fg=COLOURS.get(word, 'yellow'))}{doing}", *lines)
    )


def _moment(seconds: float) -> str:
    moment, today = time.localtime(seconds), time.localtime()
    return time.strftime("%H:%M:%S" if moment[:3] == today[:3] else "%Y-%m-%d %H:%M:%S", moment)
