"""The command line: `labelstudio-proxy serve|status|start|stop|restart|logs|prepare|backup|restore`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._version import __version__
from ..config.settings import absolute
from ..gateway_client import RunningGateway, running_gateways
from ..label_studio.paths import FIRST_SEGMENTS
from ..problem import Problem

if TYPE_CHECKING:
    from ..config.handoff import Handoff

POLL_SECONDS = 0.2


def main(argv: list[str] | None = None) -> None:
    """Run the command in `argv` (default: the process's); exits with 1 where it fails."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except BrokenPipeError:  # `labelstudio-proxy logs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ConnectionError, TimeoutError, _Told) as error:
        sys.exit(f"labelstudio-proxy: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


class _Told(Exception):
    """Something to tell the person who typed the command."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="labelstudio-proxy", description="Label Studio in JupyterLab: its command line."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    choice = argparse.ArgumentParser(add_help=False)
    choice.add_argument(
        "--data-dir",
        metavar="DIR",
        help="which Label Studio, by its data directory, where several run",
    )

    status = commands.add_parser("status", parents=[choice], help="what Label Studio is doing")
    status.add_argument("--json", action="store_true", help="as JSON, with the log's tail")
    status.set_defaults(run=_status)

    logs = commands.add_parser("logs", parents=[choice], help="what Label Studio printed")
    logs.add_argument("-f", "--follow", action="store_true", help="go on with what it prints now")
    logs.set_defaults(run=_logs)

    for name, goal, text in (
        ("start", "ready", "start Label Studio and wait until it is ready"),
        ("stop", "stopped", "stop Label Studio; the next click on the tile starts it again"),
        ("restart", "ready", "stop Label Studio, start it and wait until it is ready"),
    ):
        command = commands.add_parser(name, parents=[choice], help=text)
        command.set_defaults(run=_change, command=name, goal=goal)
        if name == "start":
            command.add_argument(
                "--take-over",
                dest="command",
                action="store_const",
                const="take-over",
                help="where another server has the data directory, stop Label Studio there",
            )

    ahead = commands.add_parser(
        "prepare",
        help="download the image of the container before the first start",
    )
    ahead.set_defaults(run=_prepare)

    place = argparse.ArgumentParser(add_help=False)
    place.add_argument(
        "--data-dir", metavar="DIR", help="the data directory; default: that of the settings"
    )
    backup = commands.add_parser(
        "backup",
        parents=[place],
        help="keep database, media and secret key in one file; Label Studio may go on",
    )
    backup.add_argument(
        "--output", metavar="FILE", help="default: label-studio-<date>-<time>.zip in this folder"
    )
    backup.add_argument(
        "--without-database",
        action="store_true",
        help="where the database is not in the data directory: back up what is",
    )
    backup.set_defaults(run=_backup)

    restore = commands.add_parser(
        "restore",
        parents=[place],
        help="put a backup in the place of a data directory; what was there is kept beside it",
    )
    restore.add_argument("file", metavar="FILE", help="what `backup` has made")
    restore.set_defaults(run=_restore)

    serve = commands.add_parser(
        "serve",
        help="run the gateway: by jupyter-server-proxy, or by hand on a port of this machine",
    )
    listen = serve.add_mutually_exclusive_group(required=True)
    listen.add_argument("--port", type=_port, help="listen on this port of 127.0.0.1; 0: any")
    listen.add_argument("--unix-socket", metavar="PATH", type=Path, help=argparse.SUPPRESS)
    serve.add_argument(
        "--base-url", type=_prefix, default="/", metavar="PATH", help="path in the address, as /x/"
    )
    serve.set_defaults(run=_serve)
    return parser


def _prepare(arguments: argparse.Namespace) -> None:
    import asyncio

    from .prepare import prepare

    handoff = _settled()

    async def until_terminated() -> str:
        task = asyncio.current_task()
        assert task is not None
        # As with Ctrl-C: the container engine drops the pull.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await prepare(handoff.settings)

    try:
        if handoff.problems:
            raise handoff.problems[0]
        print(asyncio.run(until_terminated()))
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)
    except Problem as problem:
        raise _Told(problem.as_sentence()) from problem


def _backup(arguments: argparse.Namespace) -> None:
    from ..data_directory.directory import DataDirectory
    from ..label_studio.environment import external_database
    from .backup import backup

    handoff = _settled()
    external = external_database(handoff.settings.environment)
    if external and not arguments.without_database:
        raise _Told(
            "nothing is backed up. The setting `environment` names another database than the one in "
            "the data directory: a backup would be without the labels. Back the database up with "
            "its own tools, and add `--without-database` for media and secret key."
        )
    directory = DataDirectory(_data_dir(arguments, handoff))
    name = arguments.output or time.strftime("label-studio-%Y%m%d-%H%M%S.zip")
    with _progress() as progress:
        try:
            said = backup(
                directory, absolute(name), progress, database=not arguments.without_database
            )
        except Problem as problem:
            raise _Told(problem.as_sentence()) from problem
    print(*said, sep="\n")


def _restore(arguments: argparse.Namespace) -> None:
    from ..data_directory.directory import DataDirectory
    from .restore import restore

    directory = DataDirectory(_data_dir(arguments, _settled()))
    with _progress() as progress:
        try:
            said = restore(absolute(arguments.file), directory, progress)
        except Problem as problem:
            raise _Told(problem.as_sentence()) from problem
    print(*said, sep="\n")


def _data_dir(arguments: argparse.Namespace, handoff: Handoff) -> Path:
    if arguments.data_dir:
        return absolute(arguments.data_dir)
    if handoff.problems:  # which may be about the directory
        raise _Told(handoff.problems[0].as_sentence())
    return handoff.settings.data_directory()


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, for bytes done and bytes in all; cleans up after SIGTERM, too."""
    from tqdm import tqdm

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tqdm(unit="B", unit_scale=True, file=sys.stderr, disable=None, leave=False) as bar:

        def show(done: int, total: int) -> None:
            new, bar.total = total != bar.total, total
            bar.update(done - bar.n)
            if new:  # another part of the work
                bar.refresh()

        yield show


def _serve(arguments: argparse.Namespace) -> None:
    # Here, not above: the other commands shall answer at once.
    import asyncio

    from ..gateway.app import Place
    from ..gateway.request_guard import Origins
    from ..gateway.server import Listen, serve

    logging.basicConfig(
        level=logging.INFO, format="[%(levelname)1.1s %(asctime)s labelstudio_proxy] %(message)s"
    )
    handoff = _settled()
    place = Place(
        prefix=arguments.base_url,
        behind_jupyter=arguments.unix_socket is not None,
        origins=Origins(handoff.allow_origin, handoff.allow_origin_pat),
        frame_ancestors=handoff.frame_ancestors,
    )

    async def serve_and_end() -> None:
        status = await serve(
            handoff.settings,
            handoff.problems,
            root_dir=handoff.root_dir or str(Path.cwd()),
            place=place,
            listen=Listen(arguments.unix_socket, arguments.port or 0),
            parent=handoff.parent,
        )
        # All is done. Threads that wait for an engine or a disk shall not keep it from ending.
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)

    try:
        asyncio.run(serve_and_end())
    except OSError as error:
        where = arguments.unix_socket or f"port {arguments.port}"
        raise _Told(f"cannot listen on {where}: {error.strerror or error}") from error


def _settled() -> Handoff:
    """The settings as Jupyter's process settled them, else settled here."""
    from ..config.handoff import VARIABLE, Handoff

    # Taken out of the environment: it may hold secrets, and no program started here needs them.
    text = os.environ.pop(VARIABLE, None)
    if text is not None:
        return Handoff.load(text)
    from traitlets.config import Config

    from ..config.files import jupyter_config
    from ..config.settings import resolve

    settings, problems = resolve(
        command_line=Config(), environment=os.environ, files=jupyter_config()
    )
    return Handoff(settings, problems)


def _status(arguments: argparse.Namespace) -> None:
    gateway = _chosen(arguments)
    state = gateway.ask("state")
    if arguments.json:
        print(
            json.dumps({**state, "data_dir": gateway.data_dir, "prefix": gateway.prefix}, indent=2)
        )
        return
    versions = state["versions"]
    print(f"Label Studio {versions.get('Label Studio', '')}: {_sentence(state)}".replace(" :", ":"))
    print(f"  data directory: {gateway.data_dir}\n  prefix:         {gateway.prefix}")
    for notice in state["notices"]:
        print(f"  note:           {notice}")
    if error := state["error"]:
        print(f"  what happened:  {error['what']}")
        print(f"  why probably:   {error['why']}")
        print(f"  what to do:     {error['remedy']}")


def _sentence(state: dict[str, Any]) -> str:
    current = [step["title"] for step in state["steps"] if step["state"] == "current"]
    if current and state["state"] != "ready":
        return f"{state['state']} ({current[0]})"
    return str(state["state"])


def _logs(arguments: argparse.Namespace) -> None:
    gateway = _chosen(arguments)
    last = 0
    while True:
        for event, data in gateway.events(last):
            if event == "log":
                for last, line in data:  # noqa: B007 - the newest number is wanted below
                    print(line, flush=True)
            elif not arguments.follow:
                return
        if arguments.follow:
            time.sleep(POLL_SECONDS)


def _change(arguments: argparse.Namespace) -> None:
    gateway = _chosen(arguments)
    before = gateway.ask("state")
    state = gateway.ask(arguments.command, "POST")
    # A restart is over when another start has ended.
    again = arguments.command == "restart"
    while True:
        begun = not again or state["started_at"] != before["started_at"]
        if state["state"] == arguments.goal and begun:
            print(f"Label Studio is {state['state']}.")
            return
        if state["state"] == "failed" and begun:
            if arguments.goal == "stopped":
                return
            raise _Told(Problem(**state["error"]).as_sentence())
        time.sleep(POLL_SECONDS)
        state = gateway.ask("state")


def _chosen(arguments: argparse.Namespace) -> RunningGateway:
    gateways = running_gateways()
    if arguments.data_dir:
        wanted = str(absolute(arguments.data_dir))
        gateways = [each for each in gateways if each.data_dir == wanted]
    if not gateways:
        which = f" for {arguments.data_dir}" if arguments.data_dir else ""
        raise _Told(
            f"nothing is running{which}. Click the Label Studio tile in JupyterLab, or run "
            "`labelstudio-proxy serve --port 9000`."
        )
    if len(gateways) > 1:
        listed = "".join(f"\n  {each.data_dir} ({each.prefix})" for each in gateways)
        raise _Told(f"several are running; choose one with --data-dir:{listed}")
    return gateways[0]


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def _prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9/_.~%@!$&'()*+,;=:-]*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no path of an address")
    prefix = f"/{text.strip('/')}/" if text.strip("/") else "/"
    parts = prefix.strip("/").split("/")
    if parts[-1] != "labelstudio" and parts[0] in FIRST_SEGMENTS:
        raise argparse.ArgumentTypeError(
            f"{prefix} is among Label Studio's own paths; choose another first part"
        )
    return prefix
