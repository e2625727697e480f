"""`doctor`: check everything that Label Studio needs, and say what to do."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..client.running import find_gateway
from ..gateway_client import RunningGateway
from ..problem import Problem
from .options import data_dir_option
from .output import answer, json_option
from .settings import read_settings

if TYPE_CHECKING:
    from ..doctor.finding import Finding
    from ..doctor.situation import Situation

# By the worst finding. 2 is for a wrong command line.
STATUS = {"ok": 0, "error": 1, "warning": 3}
COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


@click.command(short_help="check the installation, and say what to do")
@data_dir_option("data directory to check; default: from the settings, or of the running server")
@json_option
def doctor(data_dir: Path | None, as_json: bool) -> None:
    """Check everything that Label Studio needs, and say what to do. Starts and changes nothing.

    The result has no secrets, so you can paste it into an issue. It comes from the running server if
    there is one. Exits with 0 if all is well, with 1 after an error, and with 3 after warnings only.
    """
    from ..doctor.examination import as_json as fields_of
    from ..doctor.examination import as_text, examine
    from ..doctor.finding import Finding, error

    gateway = find_gateway(data_dir)
    findings: list[Finding] = []
    place = ""
    if gateway is not None:
        try:
            found = gateway.ask("doctor")
            findings = [Finding.parse(each) for each in found["checks"]]
            place = str(found["place"])
        except (OSError, ValueError, KeyError, TypeError) as failure:
            findings = [_silent(gateway, failure)]
    if not place:
        try:
            situation = _here(data_dir)
        except Problem as problem:
            findings.append(error("Settings", f"{problem.what} {problem.why}", problem.remedy))
            situation = _without_files(data_dir)
        place = situation.place
        findings = asyncio.run(examine(situation, findings))
    result = fields_of(findings, place)
    heading, *lines = as_text(findings, place).splitlines()
    shown = [heading, *map(_coloured, lines)]
    answer("\n".join(shown), result, as_json=as_json)
    sys.exit(STATUS[result["severity"]])


def _here(data_dir: Path | None) -> Situation:
    from ..doctor.situation import Situation

    handoff = read_settings()
    if data_dir is not None:
        handoff.settings.data_dir = str(data_dir)
    return Situation(handoff.settings, handoff.problems)


def _without_files(data_dir: Path | None) -> Situation:
    from traitlets.config import Config

    from ..config.settings import resolve
    from ..doctor.situation import Situation

    settings, problems = resolve(command_line=Config(), environment=os.environ, files=Config())
    if data_dir is not None:
        settings.data_dir = str(data_dir)
    return Situation(settings, problems)


def _silent(gateway: RunningGateway, failure: Exception) -> Finding:
    from ..doctor.finding import error

    return error(
        "Gateway",
        f"The gateway of {gateway.data_dir} (process {gateway.pid}) does not answer: "
        f"{type(failure).__name__}: {failure}.",
        f"Restart Jupyter. If it does not stop: `kill -KILL {gateway.pid}`.",
    )


def _coloured(line: str) -> str:
    word = line.partition(" ")[0]
    return f"{click.style(word, fg=COLOURS[word])}{line[len(word) :]}"
