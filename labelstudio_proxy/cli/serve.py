"""`serve`: run the gateway by hand on a port."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import click

from ..jupyter.entry_point import ENVIRONMENT
from ..label_studio.paths import hides_pages
from ..problem import Problem
from ..shell_command import shell_command
from .output import answer, json_option


def _port(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    if value is None or (value.isascii() and value.isdigit() and int(value) <= 65535):
        return value if value is None else int(value)
    raise click.BadParameter(f"{value!r} is no port. A port is a number from 0 to 65535.")


def _prefix(context: click.Context, option: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9/_.~%@!$&'()*+,;=:-]*", value):
        raise click.BadParameter(f"{value!r} is no path of a URL, for example /x/")
    prefix = f"/{value.strip('/')}/" if value.strip("/") else "/"
    if hides_pages(prefix):
        raise click.BadParameter(f"{prefix} is one of Label Studio's own paths; choose another one")
    return prefix


@click.command(short_help="run without Jupyter, on a port of this machine")
@click.option("--port", callback=_port, help="port on 127.0.0.1; 0: any free port")
@click.option("--unix-socket", type=click.Path(path_type=Path), hidden=True)
@click.option(
    "--base-url",
    callback=_prefix,
    default="/",
    metavar="PATH",
    help="path of the URL, for example /x/",
)
@json_option
def serve(port: int | None, unix_socket: Path | None, base_url: str, as_json: bool) -> None:
    """Run without Jupyter, on a port of this machine, and print the address."""
    if (port is None) == (unix_socket is None):
        raise click.UsageError("Name a port, for example `--port 9000`.")
    # Python and the C library read it at their start, so this program starts once more.
    if not ENVIRONMENT.items() <= os.environ.items():
        command = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, command, os.environ | ENVIRONMENT)  # noqa: S606 - itself
    from .run_gateway import run_gateway

    def announce(address: str) -> None:
        answer(f"Label Studio: {address}", {"address": address}, as_json=as_json)

    try:
        run_gateway(base_url, unix_socket, port or 0, announce)
    except OSError as error:
        # asyncio's own text repeats the address
        why = os.strerror(error.errno) if error.errno else str(error)
        raise Problem(
            f"Cannot listen on {unix_socket or f'port {port}'}: {why}.",
            "",
            f"`{shell_command('labelstudio-proxy serve --port 0')}` takes a free port."
            if port
            else "",
        ) from error
