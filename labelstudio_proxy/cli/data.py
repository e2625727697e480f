"""`prepare`, `backup` and `restore`: commands that need no gateway."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..config.settings import absolute
from ..problem import Problem
from .options import AbsolutePath, data_dir_option
from .output import answer, end_with_sigterm, json_option, progress_bar
from .settings import read_settings

if TYPE_CHECKING:
    from ..config.handoff import Handoff

configured = data_dir_option("data directory; default: from the settings")


@click.command(short_help="do in advance what the first start would do")
@json_option
def prepare(as_json: bool) -> None:
    """Do in advance what the first start would do, for images and shared machines.

    Compiles Label Studio and compresses its scripts. For a container it downloads the image and
    compiles Label Studio in it. Where neither Label Studio nor a container engine is here, it
    installs Label Studio. Afterwards a start needs no network.
    """
    from asyncio import CancelledError

    from . import prepare as preparation

    handoff = read_settings()
    if handoff.problems:
        raise handoff.problems[0]
    end_with_sigterm()
    try:
        message = preparation.prepare(handoff.settings)
    except CancelledError:
        sys.exit(128 + signal.SIGTERM)
    answer(message, {"message": message}, as_json=as_json)


@click.command(short_help="save the data directory in one file")
@configured
@click.option(
    "--output",
    type=AbsolutePath(),
    metavar="PATH",
    help="file to make, or a folder for label-studio-<date>-<time>.zip; default: this folder",
)
@click.option(
    "--without-database",
    is_flag=True,
    help="if the database is elsewhere: save the other data",
)
@json_option
def backup(
    data_dir: Path | None, output: Path | None, without_database: bool, as_json: bool
) -> None:
    """Save the data directory in one file; Label Studio may run meanwhile."""
    from ..data_directory.directory import DataDirectory
    from ..label_studio.environment import external_database
    from . import backup as saving

    handoff = read_settings()
    if external_database(handoff.settings.environment) and not without_database:
        raise Problem(
            "No backup was made: it would be without the labels.",
            "The setting `environment` names a database outside the data directory.",
            "Back the database up with its own tools, and add `--without-database` to save the "
            "other data.",
        )
    directory = DataDirectory(_data_dir(data_dir, handoff))
    target = output or absolute("")
    if target.is_dir():
        target /= time.strftime("label-studio-%Y%m%d-%H%M%S.zip")
    end_with_sigterm()
    with progress_bar("Saving") as progress:
        sentences = saving.backup(directory, target, progress, database=not without_database)
    fields = {"file": str(target), "data_dir": str(directory.path), "message": sentences}
    answer("\n".join(sentences), fields, as_json=as_json)


@click.command(short_help="replace a data directory with a backup")
@configured
@click.argument("file", type=AbsolutePath())
@json_option
def restore(data_dir: Path | None, file: Path, as_json: bool) -> None:
    """Replace a data directory with a backup; the previous data stay beside it."""
    from ..data_directory.directory import DataDirectory
    from . import restore as restoring

    directory = DataDirectory(_data_dir(data_dir, read_settings()))
    end_with_sigterm()
    with progress_bar("Restoring") as progress:
        sentences = restoring.restore(file, directory, progress)
    fields = {"file": str(file), "data_dir": str(directory.path), "message": sentences}
    answer("\n".join(sentences), fields, as_json=as_json)


def _data_dir(chosen: Path | None, handoff: Handoff) -> Path:
    if chosen is not None:
        return chosen
    if handoff.problems:  # `data_dir` may be the wrong setting
        raise handoff.problems[0]
    return handoff.settings.data_directory()
