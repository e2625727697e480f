"""A text for bug reports: the state, the settings and the log, without secrets."""

from __future__ import annotations

import json
import os
import platform
import re

from .._version import __version__
from ..config.settings import LabelStudioProxy
from ..data_directory.directory import DataDirectory
from ..label_studio import aws
from ..lifecycle.supervisor import Supervisor
from ..problem import Problem

LINES = 200
# Tokens, keys and passwords as programs print them, and signatures of links.
SECRET = re.compile(
    r"(?i)\b(?P<name>[\w-]*(?:password|passwd|secret|token|api[_-]?key|credential|signature)[\w-]*"
    r"['\"]?\s*[=:]\s*|(?:bearer|token)\s+)(?P<value>['\"]?[^\s'\",;&]{4,})"
)
URL_PASSWORD = re.compile(r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(?=@)")


def diagnostics(
    settings: LabelStudioProxy, directory: DataDirectory, supervisor: Supervisor, prefix: str
) -> str:
    """Return the text. Reads files: call it in a thread."""
    shown = {name: getattr(settings, name) for name in settings.trait_names(config=True)}
    shown["environment"] = dict.fromkeys(settings.environment, "(not shown)")
    notebooks = (os.environ.get(name, "") for name in aws.SECRETS)
    known = [*settings.environment.values(), *_secret_key(directory), *notebooks]
    python = platform.python_version()
    text = "\n".join(
        (
            f"labelstudio-proxy {__version__}, Python {python}, {platform.platform()}",
            f"prefix: {prefix}",
            f"data directory: {directory.path}",
            "settings: " + json.dumps(shown, indent=2, default=str),
            "state: " + json.dumps(supervisor.snapshot.as_json(), indent=2),
            f"log (last {LINES} lines):",
            *supervisor.log.tail(LINES),
        )
    )
    return redacted(text, known) + "\n"


def redacted(text: str, known: list[str]) -> str:
    """Return the text without the `known` secrets, and without what looks like a secret."""
    for secret in sorted(known, key=len, reverse=True):
        if len(secret) >= 4:  # a shorter value, such as `1` or `db`, would hide half of the text
            text = text.replace(secret, "(not shown)")
    text = URL_PASSWORD.sub(r"\g<before>(not shown)", text)
    return SECRET.sub(r"\g<name>(not shown)", text)


def _secret_key(directory: DataDirectory) -> list[str]:
    try:
        return [directory.secret_key()] if (directory.path / ".env").exists() else []
    except Problem:
        return []
