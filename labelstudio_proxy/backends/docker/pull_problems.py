"""Explains why a pull failed, from the engine's message."""

from __future__ import annotations

import re

from docker.utils import parse_repository_tag

from ...label_studio.exit_reasons import Faults, find_fault
from ...problem import Problem
from .engine import Engine

# Our own messages, for a pull without a message of the engine.
STALLED = "stalled"
ENGINE_LOST = "engine lost"

REFUSED = "The registry refuses this user, or has no image of that name."
UNREACHABLE = "The registry cannot be reached, or the connection broke."

# In the words of Docker, Podman and the registries, without the names in them (see `_unnamed`).
# {start} and {program}: the command that starts this engine, and its command line.
FAULTS: Faults = (
    (
        rf"^{ENGINE_LOST}\b",
        "The container engine stopped or restarted during the download.",
        "Start it ({start}), then try again.",
    ),
    (
        r"\bno space left on device|\bdisk quota exceeded",
        "The disk of the container engine's images is full.",
        "Free some space there, for example with `{program} image prune`, then try again.",
    ),
    (
        r"\btoomanyrequests\b|\brate limit|\b429 Too Many",
        "The registry limits the downloads from this address.",
        "Wait an hour, or log in with `{program} login`, then try again.",
    ),
    (
        (
            r"\binvalid reference|\binvalid tag\b|\bparsing reference|\binvalid repository name"
            r"|repository name must be lowercase|\bcannot contain a scheme|\binvalid index name"
        ),
        "This is not the name of an image.",
        (
            "Correct the setting `image`, for example to `heartexlabs/label-studio:1.23.2`, and "
            "restart Jupyter."
        ),
    ),
    (
        r"\bshort-?name\b|\bunqualified-search",
        "The name does not say in which registry the image is.",
        (
            "Begin the setting `image` with the registry, as in "
            "`docker.io/heartexlabs/label-studio:1.23.2`, and restart Jupyter."
        ),
    ),
    (
        (
            r"\bno matching manifest|\bdoes not match the (specified|detected) platform"
            r"|\bno image found in (manifest list|image index)"
        ),
        "The registry has this image for other processors only.",
        "Set `image` to one for this machine's processor and restart Jupyter.",
    ),
    (
        r"\bx509\b|\bcertificate\b|\bserver gave HTTP response to HTTPS",
        "The registry's certificate is not trusted.",
        "Make the container engine trust the registry, then try again.",
    ),
    (
        (
            rf"^{STALLED}$|\bno such host\b|\bdial (tcp|udp)\b|\bconnection (refused|reset|closed)\b"
            r"|\btimeout\b|\btimed out\b|\bEOF\b|\bdeadline exceeded|\btemporary failure|\bunreachable\b"
            r"|\bserver misbehaving|\bbroken pipe\b|\bshort read\b|\bverification failed for digest"
            r"|\bstatus( code)?:? 5\d\d\b|\b5\d\d (Internal|Bad|Service|Gateway)\b"
        ),
        UNREACHABLE,
        (
            "Check this machine's network connection, then try again. Without a network, copy the "
            "image with `{program} save` and `{program} load`."
        ),
    ),
    (
        (
            r"\bunauthorized\b|(?<!permission )\bdenied\b|\bno basic auth|\bforbidden\b"
            r"|\bauthentication (is )?required"
        ),
        REFUSED,
        (
            "Check the setting `image`; if the name is right, log in with `{program} login`. Then try "
            "again."
        ),
    ),
    (
        (
            r"\bmanifest unknown|\bname unknown|\bnot found\b|\bno such image|\bdoes not exist\b"
            r"|\b(HTTP|status|code)\W+404\b"
        ),
        "The registry has no image of that name and tag.",
        "Correct the setting `image` and restart Jupyter.",
    ),
)


def explain_pull(engine: Engine, name: str, message: str, login_error: str = "") -> Problem:
    """Return the Problem for a pull of `name` that failed with `message`.

    `login_error`: why the user's login could not be read, if so.
    """
    words = {"program": engine.name.lower(), "start": engine.command("start")}
    why, remedy = find_fault(FAULTS, [_unnamed(name, message)]) or (
        "",
        "Run `{program} pull {name}` in a terminal, which may show more, then try again.",
    )
    if why == REFUSED and login_error:
        why = f"{why} {login_error}"
        remedy = (
            "Repair that, or remove it from the file and log in with `{program} login`. Then try "
            "again."
        )
    return Problem(
        f"The image {name} could not be downloaded.",
        f"{why} The container engine said: {message}".strip(),
        remedy.format(name=name, **words),
    )


def is_broken_connection(name: str, message: str) -> bool:
    """Return True if the pull of `name` failed with this message because of the network."""
    fault = find_fault(FAULTS, [_unnamed(name, message)])
    return fault is not None and fault[0] == UNREACHABLE


def _unnamed(name: str, message: str) -> str:
    """Remove names of images, addresses and digests from the message: they can hold any word."""
    for part in (name, parse_repository_tag(name)[0]):
        message = message.replace(part, "…")
    return re.sub(r"\w+://[^\s\"]+|\b(sha256:)?[0-9a-f]{12,}\b", "…", message)
