"""Why pip or uv could not install Label Studio, by what they print."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..problem import Problem
from ..shell_command import shell_command
from .folder import no_space

_SPACE = re.compile(r"No space left on device|Disk quota exceeded|os error 122|Errno 122")
_PYTHON = re.compile(
    r"requires a different Python: (?P<pip>\S+ not in \S+)"
    r"|(?P<uv>label-studio\S* (?:requires|depends on) Python ?\S+)"
    r"|(?P<older>label-studio\S* depends on Python\S+)"
)
_BUILD = re.compile(
    r"Failed to build [`']?(?P<uv>[\w.-]+)|Failed building wheel for (?P<pip>\S+)"
    r"|metadata-generation-failed|(?:to build wheel|Preparing metadata .*) did not run successfully"
)
_CERTIFICATE = re.compile(r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate|UnknownIssuer")
_PROXY = re.compile(r"ProxyError|Proxy Authentication Required|tunnel error|\b407\b")
_NETWORK = re.compile(
    r"NewConnectionError|ConnectTimeoutError|ReadTimeoutError|ProtocolError|NameResolutionError"
    r"|Connection(?:ResetError| refused| reset| aborted| timed out)|Failed to establish a new connection"
    r"|Temporary failure in name resolution|Name or service not known|Network is unreachable"
    r"|dns error|error sending request|operation timed out|Read timed out|IncompleteRead"
)
_ACCESS = re.compile(r"\b(?P<status>401|403)\b (?:Client Error|Unauthorized|Forbidden)")
_NO_VERSION = re.compile(
    r"no version of label-studio|label-studio was not found"
    r"|Could not find a version that satisfies the requirement label-studio"
)
_NOTHING_FOUND = re.compile(r"\(from versions: none\)|label-studio was not found")
_ERROR = re.compile(r"\s*(?:error|ERROR)\b:? ?(?P<text>.*\w.*)|\s*cause: (?P<cause>.*)")


def explain(lines: Sequence[str], tool: str, version: str, python: str, folder: Path) -> Problem:
    """Return why the installation failed.

    `lines`: what `tool` (uv or pip) has printed. `python`: the interpreter, as for a person.
    """
    text = "\n".join(lines)
    again = "then try again. What was downloaded is kept."
    if _SPACE.search(text):
        return no_space(folder)
    if found := _PYTHON.search(text):
        return Problem(
            f"Label Studio {version} does not support {python}.",
            f"{tool} says: {next(filter(None, found.groups()))}.",
            f"Try again with another Python: `{shell_command('labelstudio-proxy install')} --python "
            "python3.12`.",
        )
    if found := _BUILD.search(text):
        name = found["uv"] or found["pip"] or "A package"
        return Problem(
            f"{name} could not be compiled.",
            f"There is no ready-made build of it for {python}, and compiling it needs a C compiler and "
            f"Python's header files. {tool} says: {_last_error(lines)}",
            "Install them (on Debian and Ubuntu `sudo apt-get install build-essential python3-dev`), "
            f"{again} Or try again with another Python: `{shell_command('labelstudio-proxy install')} "
            "--python python3.12`.",
        )
    if _CERTIFICATE.search(text):
        return Problem(
            "The package index is not trusted.",
            "Its certificate is signed by an authority that this machine does not know.",
            "Name the authority's certificate, for example `pip config set global.cert "
            f"/etc/ssl/certs/ca-certificates.crt`, {again}",
        )
    if _PROXY.search(text):
        return Problem(
            "The proxy to the package index cannot be used.",
            f"{tool} says: {_last_error(lines)}",
            f"Correct `HTTPS_PROXY` or `pip config set global.proxy …`, {again}",
        )
    if found := _ACCESS.search(text):
        return Problem(
            "The package index refuses access.",
            f"It responds with status {found['status']}.",
            f"Correct the password in pip's setting `index-url` (`pip config list`), {again}",
        )
    if _NETWORK.search(text) or (_NOTHING_FOUND.search(text) and tool == "pip"):
        return Problem(
            "The package index cannot be reached.",
            f"{tool} says: {_last_error(lines)}",
            f"Check the network, and the index that pip uses (`pip config list`), {again}",
        )
    if _NO_VERSION.search(text):
        return Problem(
            f"The package index has no Label Studio {version}.",
            f"{tool} says: {_last_error(lines)}",
            "Name another version (`labelstudio-proxy install --version …`), or another index "
            "(`pip config set global.index-url …`), then try again.",
        )
    return Problem(
        "Label Studio could not be installed.",
        f"{tool} says: {_last_error(lines)}",
        f"The log has the rest. Correct that, {again}",
    )


def _last_error(lines: Sequence[str]) -> str:
    """Return the most telling line: uv's last cause, else the first error, as a sentence."""
    texts = [(found["text"], found["cause"]) for line in lines if (found := _ERROR.match(line))]
    causes = [cause for _, cause in texts if cause]
    errors = [error for error, _ in texts if error]
    said = causes[-1] if causes else errors[0] if errors else next(reversed(lines), "nothing")
    return f"{said.strip()[:300].rstrip('.')}."
