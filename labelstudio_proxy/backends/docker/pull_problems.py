"""Why a pull failed, by the engine's words."""

from __future__ import annotations

import re

from docker.utils import parse_repository_tag

from ...label_studio.exit_reasons import Faults, find_fault
from ...problem import Problem
from .engine import Engine
from .pull import ENGINE_GONE, STALLED

REFUSED = "The registry does not let this user have it, or there is no image of that name."

# The words are those of Docker, Podman, and the registries, without what is `_named` in them. What
# broke off comes before what was not found, since it was found or not before it broke off.
# {start} and {program}: how this engine is started, and its command line.
FAULTS: Faults = (
    (
        rf"^{ENGINE_GONE}\b",
        "The container engine ended, or was restarted, in the middle of it.",
        "Start it ({start}), then try again.",
    ),
    (
        r"\bno space left on device|\bdisk quota exceeded",
        "The disk on which the container engine keeps its images is full.",
        "Free some space there, for example with `{program} image prune`, then try again.",
    ),
    (
        r"\btoomanyrequests\b|\brate limit|\b429 Too Many",
        "The registry has had too many downloads from this address.",
        "Wait an hour, or log in with `{program} login`, then try again.",
    ),
    (
        (
            r"\binvalid reference|\binvalid tag\b|\bparsing reference|\binvalid repository name"
            r"|repository name must be lowercase|\bcannot contain a scheme|\binvalid index name"
        ),
        "It is not the name of an image.",
        (
            "Correct the setting `image` and restart Jupyter; it looks like "
            "`heartexlabs/label-studio:1.23.2`."
        ),
    ),
    (
        r"\bshort-?name\b|\bunqualified-search",
        "The engine does not know in which registry to look for it.",
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
        "The registry has it for other processors only.",
        "Set `image` to one for this machine's processor and restart Jupyter.",
    ),
    (
        r"\bx509\b|\bcertificate\b|\bserver gave HTTP response to HTTPS",
        "The registry's certificate is not trusted.",
        "Have the container engine trust the registry, then try again.",
    ),
    (
        (
            rf"^{STALLED}$|\bno such host\b|\bdial (tcp|udp)\b|\bconnection (refused|reset|closed)\b"
            r"|\btimeout\b|\btimed out\b|\bEOF\b|\bdeadline exceeded|\btemporary failure|\bunreachable\b"
            r"|\bserver misbehaving|\bbroken pipe\b|\bshort read\b|\bverification failed for digest"
            r"|\bstatus( code)?:? 5\d\d\b|\b5\d\d (Internal|Bad|Service|Gateway)\b"
        ),
        "The registry cannot be reached, or the connection broke off.",
        (
            "Check this machine's way to the network, then try again. Without "
            "a network, bring the image with `{program} save` and `{program} load`."
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


def explain_pull(engine: Engine, name: str, message: str, login: str = "") -> Problem:
    """The Problem for a pull of `name` that ended with the engine's `message`.

    `login`: why the user's login could not be had, if so.
    """
    words = {"program": engine.name.lower(), "start": engine.command("start")}
    why, remedy = find_fault(FAULTS, [_unnamed(name, message)]) or (
        "",
        "Try `{program} pull {name}` in a terminal, which may tell more.",
    )
    if why == REFUSED and login:
        why = f"{why} {login}"
        remedy = "Mend that, or take it out of the file and log in with `{program} login`. Then try again."
    return Problem(
        f"The image {name} could not be downloaded.",
        f"{why} The container engine said: {message}".strip(),
        remedy.format(name=name, **words),
    )


def _unnamed(name: str, message: str) -> str:
    """The message without names of images, addresses and digests, in which any words may be."""
    for named in (name, parse_repository_tag(name)[0]):
        message = message.replace(named, "…")
    return re.sub(r"\w+://[^\s\"]+|\b(sha256:)?[0-9a-f]{12,}\b", "…", message)
