"""What commands print: an answer, an error, JSON of either, and progress on a terminal."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NoReturn

import click

from ..problem import Problem

JSON = "--json"
json_option = click.option(JSON, "as_json", is_flag=True, help="print JSON, errors included")


def colour() -> bool | None:
    """Return False if the user wants no colours; None: colours on a terminal."""
    return False if os.environ.get("NO_COLOR") else None


def answer(text: str, fields: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the text for a person, or the fields as JSON."""
    click.echo(json.dumps(fields, indent=2) if as_json else text)


def fail(problem: Problem, *, as_json: bool, status: int = 1) -> NoReturn:
    """Print the problem and exit.

    As JSON it is one line on the standard output, since `logs --follow --json` prints lines. If nothing
    can be written there, it is a sentence on the standard error.
    """
    try:
        if as_json:
            click.echo(json.dumps({"error": problem.as_json()}))
            sys.exit(status)
    except OSError:
        sys.stdout = io.StringIO()  # else Python tries once more when it exits
    with suppress(OSError):
        click.secho("labelstudio-proxy: ", err=True, nl=False, fg="red", color=colour())
        click.echo(problem.as_sentence(), err=True)
    sys.exit(status)


@contextmanager
def progress_bar(label: str = "") -> Iterator[Callable[..., None]]:
    """Show a progress bar on a terminal; yields a function of bytes done, in all, and a label."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    bar = click.progressbar(length=1, label=label, show_eta=False, file=sys.stderr)
    with ExitStack() as shown:

        def show(done: int, total: int, label: str = label) -> None:
            bar.label = label
            if total:  # else it is not known, and the bar stays as it is
                bar.pos, bar.length = done, total
            if not bar.entered:
                shown.enter_context(bar)
            bar.render_progress()

        yield show


def end_with_sigterm() -> None:
    """Turn SIGTERM into SystemExit, so that what is unfinished is removed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
