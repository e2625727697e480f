"""Why pip or uv could not install Label Studio, by what they print."""

from __future__ import annotations

import re
import sys
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
    # not if what builds it cannot be downloaded
    r"Failed to (?:download and )?build [`']?(?P<uv>[\w.-]+)"
    r"(?!.*build dependencies)(?!.*\n\s*cause: Failed to (?:resolve|install) requirements)"
    r"|Failed building wheel for (?P<pip>\S+)"
    r"|metadata-generation-failed|(?:to build wheel|Preparing metadata .*) did not run successfully"
)
_COMPILER = re.compile(r"error: (?:command|\[Errno)|fatal error: ")
_CERTIFICATE = re.compile(r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate")
_PROXY_PASSWORD = re.compile(r"(?i)proxy authorization required|Proxy Authentication Required")
_PROXY = re.compile(
    r"ProxyError|Unable to connect to proxy|(?i:tunnel) (?:error|connection failed)"
    r"|check proxy URL|Failed to parse: http"
)
# Not 404: one of several indexes may lack a package.
_STATUS = re.compile(
    r"\b(?P<status>(?!404)[45]\d\d) (?:Client Error|Server Error|Unauthorized|Forbidden)"
    r"|HTTP status \w+ error \((?P<uv>(?!404)[45]\d\d)"
)
_INCOMPLETE = re.compile(
    r"not enough bytes were received|DO NOT MATCH THE HASHES|located at \S+ is invalid|IncompleteRead"
    r"|\"Connection broken|end of file before message|(?:reading a|response) body|Failed to extract"
    r"|invalid package format|Failed to read from zip|Hash mismatch|due to network timeout"
)
_NETWORK = re.compile(
    r"NewConnectionError|ConnectTimeoutError|ReadTimeoutError|ProtocolError|NameResolutionError"
    r"|Connection(?:ResetError| refused| reset| aborted| timed out)|Failed to establish a new connection"
    r"|Temporary failure in name resolution|Name or service not known|Network is unreachable"
    r"|dns error|error sending request|operation timed out|Read timed out|connection error:"
)
_MISSING = re.compile(
    r"no versions? of (?P<uv>[\w.-]+)|(?P<none>[\w.-]+) was not found in the"
    r"|Could not find a version that satisfies the requirement (?P<pip>[\w.-]+)"
)
# What pip prints before the reason.
_BEFORE = re.compile(r"^.*connection broken by |^(?:hint|cause|error|ERROR|WARNING): |^[^\w\"(]+")
_ERROR = re.compile(r"^\s*(?:error|ERROR|cause): .*\w")
SPECIAL = (
    "Write a special character of the password as its code, such as `%40` for @ and `%23` for #."
)


class WrongPython(Problem):
    """The installation may succeed with a Python of the `versions`, such as `>=3.10,<3.14`."""

    versions = f">=3.10,<3.{sys.version_info.minor}"


class Untrusted(Problem):
    """The tool does not know the authority that signed the certificate of the index."""


def explain(lines: Sequence[str], tool: str, version: str, python: str, folder: Path) -> Problem:
    """Return why the installation failed.

    `lines`: what `tool` (uv or pip) has printed. `python`: the interpreter, as for a person.
    """
    text = "\n".join(lines)
    again = "then try again. What was downloaded is kept."
    other_python = f"`{shell_command('labelstudio-proxy install')} --python 3.12`"

    def says(pattern: re.Pattern[str] = _ERROR) -> str:
        return f"{tool} says: {_telling(lines, pattern)}"

    if _SPACE.search(text):
        return no_space(folder)
    if found := _PYTHON.search(text):
        problem = WrongPython(
            f"Label Studio {version} does not support {python}.",
            f"{tool} says: {next(filter(None, found.groups()))}.",
            f"Try again with another Python: {other_python}. uv downloads it if it is missing.",
        )
        if wanted := re.search(r"[<>=!~][^'\s]+(?='?$)", found[0]):
            problem.versions = wanted[0]
        return problem
    if found := _BUILD.search(text):
        name = found["uv"] or found["pip"] or "A package"
        return WrongPython(
            f"{name} could not be compiled.",
            f"There is no ready-made build of it for {python}, and compiling it needs a C compiler and "
            f"Python's header files. {says(_COMPILER if _COMPILER.search(text) else _BUILD)}",
            f"Try again with another Python: {other_python}. uv downloads it if it is missing. Or "
            "install what is missing (on Debian and Ubuntu `sudo apt-get install build-essential "
            f"python3-dev`), {again}",
        )
    if _CERTIFICATE.search(text):
        return Untrusted(
            "The certificate of the package index is not trusted.",
            "It is signed by an authority that this machine does not know. Often that is the proxy of a "
            f"company. {says(_CERTIFICATE)}",
            "Ask your administrator for the authority's certificate, run `pip config set global.cert "
            f"/path/to/certificate.pem`, {again}",
        )
    if _PROXY_PASSWORD.search(text):
        return Problem(
            "The proxy wants a user name and a password.",
            says(_PROXY_PASSWORD),
            f"Run `pip config set global.proxy http://USER:PASSWORD@HOST:PORT`, {again} {SPECIAL}",
        )
    if _PROXY.search(text):
        return Problem(
            "The proxy to the package index cannot be used.",
            says(_NETWORK if _NETWORK.search(text) else _PROXY),
            f"Run `pip config set global.proxy http://HOST:PORT` with the right proxy, {again} {SPECIAL}",
        )
    if found := _STATUS.search(text):
        status = found["status"] or found["uv"]
        if status.startswith("5"):
            return Problem(
                "The package index has an error.",
                says(_STATUS),
                "Try again later. What was downloaded is kept.",
            )
        return Problem(
            "The package index refuses access.",
            says(_STATUS),
            "Correct the user name and the password in pip's setting `index-url` (`pip config list`), or "
            f"ask the administrator of the index for access, {again}",
        )
    if _INCOMPLETE.search(text):
        return Problem(
            "A package did not arrive whole.",
            f"The connection broke, or a proxy has replaced the file. {says(_INCOMPLETE)}",
            "Try again. What was downloaded is kept. If it happens again, ask your administrator whether "
            "the network blocks this file.",
        )
    if _NETWORK.search(text):
        return Problem(
            "The package index cannot be reached.",
            says(_NETWORK),
            "Check the network, and the index and the proxy that pip uses (`pip config list`, "
            f"`HTTPS_PROXY`), {again}",
        )
    if found := _MISSING.search(text):
        name = next(filter(None, found.groups()))
        own = name == "label-studio"
        return Problem(
            f"The package index has no {f'Label Studio {version}' if own else name}.",
            says(_MISSING),
            "Name another version (`labelstudio-proxy install --version …`), or another index "
            "(`pip config set global.index-url …`), then try again.",
        )
    return Problem(
        "Label Studio could not be installed.",
        says(),
        f"The log has the rest. Correct that, {again}",
    )


def _telling(lines: Sequence[str], pattern: re.Pattern[str]) -> str:
    """Return the last line with the pattern, as a sentence."""
    said = next((line for line in reversed(lines) if pattern.search(line)), None)
    if said is None:
        said = next(reversed(lines), "nothing")
    return f"{_BEFORE.sub('', said.strip())[:300].rstrip('.')}."
