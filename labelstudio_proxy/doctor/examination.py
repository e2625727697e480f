"""Runs all checks, each with a limit of time, and makes a text of what they find."""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .._version import __version__
from ..aio import call_in_thread
from ..gateway_client import running_jupyter_servers
from ..label_studio import aws
from . import (
    clock,
    configuration,
    container,
    data,
    environment,
    extensions,
    label_studio,
    packages,
    servers,
    sockets,
)
from .finding import Finding, Severity, error, worst
from .redaction import redacted
from .situation import Situation

# A disk, an engine or a server may hang.
SECONDS = 15.0

# Variables of Jupyter and JupyterHub.
JUPYTER_TOKENS = ("JUPYTER_TOKEN", "JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN")

# Their order is that of the result.
CHECKS: tuple[tuple[str, Callable[[Situation], Any]], ...] = (
    ("Packages", packages.check),
    ("Extensions", extensions.check),
    ("Settings", configuration.check),
    ("Label Studio", label_studio.check),
    ("Container engine", container.check),
    ("Data directory", data.check),
    ("Other programs", data.check_others),
    ("Sockets", sockets.check),
    ("Jupyter server", servers.check),
    ("Clock", clock.check),
    ("Environment", environment.check),
)


async def examine(situation: Situation, before: Iterable[Finding] = ()) -> list[Finding]:
    """Return what the checks find, after the findings `before`; all of them without secrets.

    A check that fails or hangs is a finding, too.
    """
    found = await asyncio.gather(*(_run(subject, check, situation) for subject, check in CHECKS))
    known = await asyncio.to_thread(known_secrets, situation)
    return [
        Finding(
            each.subject, each.severity, redacted(each.what, known), redacted(each.remedy, known)
        )
        for findings in (before, *found)
        for each in findings
    ]


async def _run(
    subject: str, check: Callable[[Situation], Any], situation: Situation
) -> Sequence[Finding]:
    try:
        if inspect.iscoroutinefunction(check):
            return await asyncio.wait_for(check(situation), SECONDS)
        return await asyncio.wait_for(
            call_in_thread(lambda: list(check(situation)), "doctor"), SECONDS
        )
    except asyncio.TimeoutError:
        what = f"The check did not end within {SECONDS:g} s: a disk or a program may hang."
        return [error(subject, what, "Find out what hangs, or restart the machine.")]
    except Exception as failure:  # noqa: BLE001 - the other checks are still of use
        what = f"The check failed: {type(failure).__name__}: {failure}."
        return [error(subject, what, "Report this text; it is a bug in labelstudio-proxy.")]


def known_secrets(situation: Situation) -> list[str]:
    """Return the secrets of Label Studio and of the notebook. Reads files."""
    notebook = (os.environ.get(name, "") for name in (*aws.SECRETS, *JUPYTER_TOKENS))
    servers = (server.token for server in running_jupyter_servers())
    return [*situation.settings.environment.values(), *_secret_key(situation), *notebook, *servers]


def _secret_key(situation: Situation) -> Iterable[str]:
    try:
        return [situation.directory.present_secret_key()]
    except (OSError, UnicodeDecodeError):
        return []


def as_text(findings: Sequence[Finding], place: str) -> str:
    """Return the findings as lines below a heading, which counts what is wrong."""
    now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    heading = f"labelstudio-proxy {__version__}, checked in {place} at {now}: {_count(findings)}"
    text = "\n".join((heading, *(each.as_line() for each in findings)))
    # A file name that is not valid UTF-8 has lone surrogates, which cannot be encoded.
    return text.encode(errors="backslashreplace").decode()


def _count(findings: Sequence[Finding]) -> str:
    found = Counter(each.severity for each in findings)
    wrong = [
        f"{found[severity]} {severity.value}{'s' if found[severity] > 1 else ''}"
        for severity in (Severity.ERROR, Severity.WARNING)
        if found[severity]
    ]
    return " and ".join(wrong) or "nothing is wrong"


def as_json(findings: Sequence[Finding], place: str) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "version": __version__,
        "place": place,
        "severity": worst(findings).value,
        "checks": [each.as_json() for each in findings],
    }
