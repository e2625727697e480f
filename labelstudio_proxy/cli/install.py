"""`install` and `uninstall`: a Label Studio in a separate environment."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .._version import LABEL_STUDIO_VERSION
from ..problem import Problem
from .options import AbsolutePath
from .output import answer, end_with_sigterm, json_option, progress_bar
from .settings import read_settings

if TYPE_CHECKING:
    from ..installation.folder import InstallFolder

SHOWN_LINES = 20  # of uv or pip, if the installation fails

path_option = click.option(
    "--path",
    type=AbsolutePath(),
    metavar="DIR",
    help="folder of the installation; default: the setting `install_dir`",
)


@click.command(short_help="install Label Studio into a separate environment")
@click.option(
    "--version",
    metavar="V",
    default="",
    help=f"the version of Label Studio; default: {LABEL_STUDIO_VERSION}",
)
@click.option("--upgrade", is_flag=True, help="install a newer version over an older one")
@path_option
@click.option(
    "--python", metavar="PYTHON", default="", help="the Python to use; default: this environment's"
)
@click.option(
    "--tool", type=click.Choice(["uv", "pip"]), help="default: uv if it is there, else pip"
)
@json_option
def install(
    version: str, upgrade: bool, path: Path | None, python: str, tool: str | None, as_json: bool
) -> None:
    """Install Label Studio into a separate environment, which takes about 1 GB.

    Does nothing if one is installed there; `--upgrade` or `--version` replaces it. A Label Studio that
    runs keeps its environment until it stops. With --json prints a JSON object a line: progress, then
    the result.
    """
    from ..installation import install as installing
    from ..installation.folder import InstallFolder

    folder = InstallFolder(_folder(path))
    end_with_sigterm()
    present = installing.installed_version(folder)
    wanted = installing.wanted_version(present, version, upgrade=upgrade)
    if wanted:
        install_label_studio(folder, wanted, python=python, tool=tool or "", as_json=as_json)
    now = wanted or present
    message = (
        f"Label Studio {now} is installed in {folder.path}."
        if wanted
        else f"Label Studio {now} was installed in {folder.path} before."
    )
    fields = {"message": message, "version": now, "label_studio": str(folder.executable)}
    if as_json:
        click.echo(json.dumps(fields))
    else:
        answer(message, fields, as_json=False)


def install_label_studio(
    folder: InstallFolder, version: str, *, python: str = "", tool: str = "", as_json: bool = False
) -> None:
    """Install it with a progress bar on a terminal, or with lines of JSON; raises Problem."""
    from ..installation.install import install

    if as_json:
        install(folder, version, show=_print_json, log=_print_line, python=python, tool=tool)
        return
    lines: deque[str] = deque(maxlen=SHOWN_LINES)
    try:
        with progress_bar("Installing Label Studio") as bar:
            show = _show_on(bar)
            install(folder, version, show=show, log=lines.append, python=python, tool=tool)
    except Problem:
        click.echo("\n".join(lines), err=True)
        raise


@click.command(short_help="remove the Label Studio that `install` has installed")
@path_option
@json_option
def uninstall(path: Path | None, as_json: bool) -> None:
    """Remove the Label Studio that `install` has installed. Projects and labels stay."""
    from ..installation.folder import InstallFolder

    folder = InstallFolder(_folder(path))
    there = bool(folder.environments()) if folder.path.is_dir() else False
    if there:
        with folder.lock():
            folder.remove()
    message = (
        f"Label Studio was removed from {folder.path}. Its data are kept."
        if there
        else f"No Label Studio is installed in {folder.path}."
    )
    answer(message, {"message": message}, as_json=as_json)


def _folder(path: Path | None) -> Path:
    if path is not None:
        return path
    handoff = read_settings()
    if handoff.problems:  # `install_dir` may be the wrong setting
        raise handoff.problems[0]
    return handoff.settings.install_directory()


def _print_json(step: str, **fields: Any) -> None:
    click.echo(json.dumps({"step": step, **fields}))


def _print_line(line: str) -> None:
    click.echo(json.dumps({"line": line}))


def _show_on(bar: Callable[..., None]) -> Callable[..., None]:
    from ..installation.progress import STEPS

    titles = dict(STEPS)

    def show(step: str, *, detail: str = "", done: int = 0, total: int = 0) -> None:
        bar(done, total, f"{titles[step]} {detail}".rstrip())

    return show
