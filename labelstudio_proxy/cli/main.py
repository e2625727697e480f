"""The command line: `labelstudio-proxy serve|status|start|stop|restart|logs|prepare|backup|restore`.

Each command imports what it needs when it runs, so that all of them respond at once.
"""

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
from ..label_studio.paths import hides_pages
from ..problem import Problem

if TYPE_CHECKING:
    from ..config.handoff import Handoff

POLL_SECONDS = 0.2


def main(argv: list[str] | None = None) -> None:
    """Run the command in `argv` (default: the process's); exits with 1 if it fails."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except BrokenPipeError:  # `labelstudio-proxy logs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Problem as problem:
        sys.exit(f"labelstudio-proxy: {problem.as_sentence()}")
    except (ConnectionError, TimeoutError, _CommandError) as error:
        sys.exit(f"labelstudio-proxy: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


class _CommandError(Exception):
    """Raised with a message for the user."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="labelstudio-proxy", description="Manage Label Studio in JupyterLab."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(
        name: str, run: Callable[[argparse.Namespace], None], text: str, data_dir: str = ""
    ) -> Any:
        command = commands.add_parser(name, help=text)
        command.set_defaults(run=run, command=name)
        if data_dir:
            command.add_argument("--data-dir", metavar="DIR", help=data_dir)
        return command

    which = "data directory of the Label Studio to use, if several run"
    status = add("status", _status, "show the state of Label Studio", which)
    status.add_argument("--json", action="store_true", help="as JSON, with the end of the log")
    logs = add("logs", _logs, "show the log of Label Studio", which)
    logs.add_argument(
        "-f", "--follow", action="store_true", help="wait for new lines and show them"
    )
    start = add("start", _change_state, "start Label Studio and wait until it is ready", which)
    start.add_argument(
        "--take-over",
        dest="command",
        action="store_const",
        const="take-over",
        help="if another server uses the data directory, stop Label Studio there",
    )
    add("stop", _change_state, "stop Label Studio; the next click on the tile starts it", which)
    add("restart", _change_state, "restart Label Studio and wait until it is ready", which)

    add("prepare", _prepare, "download the image of the container before the first start")
    configured = "data directory; default: from the settings"
    text = "save the data directory in one file; Label Studio may run meanwhile"
    backup = add("backup", _backup, text, configured)
    backup.add_argument(
        "--output", metavar="FILE", help="default: label-studio-<date>-<time>.zip in this folder"
    )
    backup.add_argument(
        "--without-database",
        action="store_true",
        help="if the database is elsewhere: save the other data",
    )
    text = "replace a data directory with a backup; keeps the previous data beside it"
    restore = add("restore", _restore, text, configured)
    restore.add_argument("file", metavar="FILE", help="a file from `labelstudio-proxy backup`")

    serve = add("serve", _serve, "run the gateway without Jupyter, on a port of this machine")
    listen = serve.add_mutually_exclusive_group(required=True)
    listen.add_argument("--port", type=_port, help="port on 127.0.0.1; 0: any free port")
    listen.add_argument("--unix-socket", metavar="PATH", type=Path, help=argparse.SUPPRESS)
    serve.add_argument(
        "--base-url", type=_prefix, default="/", metavar="PATH", help="path of the URL, e.g. /x/"
    )
    return parser


def _prepare(arguments: argparse.Namespace) -> None:
    import asyncio

    from .prepare import prepare

    handoff = _read_settings()

    async def until_terminated() -> str:
        task = asyncio.current_task()
        assert task is not None
        # As for Ctrl-C: it stops the download.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await prepare(handoff.settings)

    if handoff.problems:
        raise handoff.problems[0]
    try:
        print(asyncio.run(until_terminated()))
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)


def _backup(arguments: argparse.Namespace) -> None:
    from ..data_directory.directory import DataDirectory
    from ..label_studio.environment import external_database
    from .backup import backup

    handoff = _read_settings()
    external = external_database(handoff.settings.environment)
    if external and not arguments.without_database:
        raise _CommandError(
            "No backup was made. The setting `environment` names a database outside the data "
            "directory, so the backup would be without the labels. Back the database up with its "
            "own tools, and add `--without-database` to save the other data."
        )
    directory = DataDirectory(_data_dir(arguments, handoff))
    name = arguments.output or time.strftime("label-studio-%Y%m%d-%H%M%S.zip")
    with _progress_bar() as progress:
        sentences = backup(
            directory, absolute(name), progress, database=not arguments.without_database
        )
    print(*sentences, sep="\n")


def _restore(arguments: argparse.Namespace) -> None:
    from ..data_directory.directory import DataDirectory
    from .restore import restore

    directory = DataDirectory(_data_dir(arguments, _read_settings()))
    with _progress_bar() as progress:
        sentences = restore(absolute(arguments.file), directory, progress)
    print(*sentences, sep="\n")


def _data_dir(arguments: argparse.Namespace, handoff: Handoff) -> Path:
    if arguments.data_dir:
        return absolute(arguments.data_dir)
    if handoff.problems:  # `data_dir` may be the wrong setting
        raise handoff.problems[0]
    return handoff.settings.data_directory()


@contextmanager
def _progress_bar() -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on a terminal; yields the function that gets bytes done and in all.

    Turns SIGTERM into SystemExit, so that what is unfinished is removed.
    """
    from tqdm import tqdm

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tqdm(unit="B", unit_scale=True, file=sys.stderr, disable=None, leave=False) as bar:

        def show(done: int, total: int) -> None:
            new, bar.total = total != bar.total, total
            bar.update(done - bar.n)
            if new:  # the next part of the work
                bar.refresh()

        yield show


def _serve(arguments: argparse.Namespace) -> None:
    import asyncio

    from ..gateway.place import Place
    from ..gateway.request_guard import Origins
    from ..gateway.server import Listen, serve

    logging.basicConfig(
        level=logging.INFO, format="[%(levelname)1.1s %(asctime)s labelstudio_proxy] %(message)s"
    )
    handoff = _read_settings()
    place = Place(
        prefix=arguments.base_url,
        behind_jupyter=arguments.unix_socket is not None,
        origins=Origins(handoff.allow_origin, handoff.allow_origin_pat),
        frame_ancestors=handoff.frame_ancestors,
    )

    async def serve_and_exit() -> None:
        status = await serve(
            handoff.settings,
            handoff.problems,
            root_dir=handoff.root_dir or str(Path.cwd()),
            place=place,
            listen=Listen(arguments.unix_socket, arguments.port or 0),
            parent=handoff.parent,
        )
        # Exit without waiting for threads that wait for an engine or a disk.
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)

    try:
        asyncio.run(serve_and_exit())
    except OSError as error:
        where = arguments.unix_socket or f"port {arguments.port}"
        raise _CommandError(f"Cannot listen on {where}: {error.strerror or error}") from error


def _read_settings() -> Handoff:
    """Return the settings that Jupyter's process handed over, else read them here."""
    from ..config.handoff import VARIABLE, Handoff

    # Removed from the environment: it may hold secrets that no child process needs.
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
    gateway = _choose_gateway(arguments)
    state = gateway.ask("state")
    if arguments.json:
        of = {"data_dir": gateway.data_dir, "prefix": gateway.prefix}
        print(json.dumps({**state, **of}, indent=2))
        return
    name = f"Label Studio {state['versions'].get('Label Studio', '')}".rstrip()
    print(f"{name}: {_describe(state)}")
    print(f"  data directory:  {gateway.data_dir}\n  prefix:          {gateway.prefix}")
    for notice in state["notices"]:
        print(f"  note:            {notice}")
    if error := state["error"]:
        print(f"  what happened:   {error['what']}")
        print(f"  probable reason: {error['why']}")
        print(f"  what to do:      {error['remedy']}")


def _describe(state: dict[str, Any]) -> str:
    current = [step["title"] for step in state["steps"] if step["state"] == "current"]
    if current and state["state"] != "ready":
        return f"{state['state']} ({current[0]})"
    return str(state["state"])


def _logs(arguments: argparse.Namespace) -> None:
    gateway = _choose_gateway(arguments)
    last = 0
    while True:
        for event, data in gateway.events(last):
            if event == "log":
                for last, line in data:  # noqa: B007 - the last number is used above
                    print(line, flush=True)
            elif not arguments.follow:
                return
        if arguments.follow:
            time.sleep(POLL_SECONDS)


def _change_state(arguments: argparse.Namespace) -> None:
    gateway = _choose_gateway(arguments)
    goal = "stopped" if arguments.command == "stop" else "ready"
    before = gateway.ask("state")
    state = gateway.ask(arguments.command, "POST")
    while True:
        # A restart has begun when the time of the start is another one.
        begun = arguments.command != "restart" or state["started_at"] != before["started_at"]
        if begun and state["state"] == goal:
            print(f"Label Studio is {state['state']}.")
            return
        if begun and state["state"] == "failed":
            if goal == "stopped":
                return
            raise Problem(**state["error"])
        time.sleep(POLL_SECONDS)
        state = gateway.ask("state")


def _choose_gateway(arguments: argparse.Namespace) -> RunningGateway:
    gateways = running_gateways()
    if arguments.data_dir:
        wanted = str(absolute(arguments.data_dir))
        gateways = [each for each in gateways if each.data_dir == wanted]
    if not gateways:
        which = f" for {arguments.data_dir}" if arguments.data_dir else ""
        raise _CommandError(
            f"No gateway is running{which}. Click the Label Studio tile in JupyterLab, or run "
            "`labelstudio-proxy serve --port 9000`."
        )
    if len(gateways) > 1:
        listed = "".join(f"\n  {each.data_dir} ({each.prefix})" for each in gateways)
        raise _CommandError(f"Several gateways are running. Choose one with --data-dir:{listed}")
    return gateways[0]


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def _prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9/_.~%@!$&'()*+,;=:-]*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no path of a URL, for example /x/")
    prefix = f"/{text.strip('/')}/" if text.strip("/") else "/"
    if hides_pages(prefix):
        raise argparse.ArgumentTypeError(
            f"{prefix} is one of Label Studio's own paths; choose another one"
        )
    return prefix
