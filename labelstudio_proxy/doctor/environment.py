"""Variables of the environment that do something else than people expect."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from ..config.handoff import VARIABLE
from ..config.settings import ENVIRONMENT_PREFIX, LabelStudioProxy
from .finding import Finding, ok, warning
from .situation import Situation

SUBJECT = "Environment"
LABEL_STUDIO = ("LABEL_STUDIO_", "HEARTEX_", "DJANGO_", "POSTGRE_")
PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
LOOPBACK = ("localhost", "127.0.0.1")
NOT_SETTINGS = {VARIABLE, f"{ENVIRONMENT_PREFIX}PARENT", f"{ENVIRONMENT_PREFIX}FILES_ROOT_ONLY"}
# Kubernetes sets such variables for a service called `labelstudio-proxy`.
KUBERNETES = ("PORT", "SERVICE_", "PORT_")


def check(situation: Situation) -> Iterator[Finding]:
    """Look for traps. Values may be secret, and are not shown."""
    traps = [*_traps(situation.environment)]
    yield from traps
    if not traps:
        yield ok(SUBJECT, "no variable that does something unexpected")


def _traps(environment: Mapping[str, str]) -> Iterator[Finding]:
    if ignored := sorted(name for name in environment if name.startswith(LABEL_STUDIO)):
        yield warning(
            SUBJECT,
            f"Label Studio does not get {', '.join(ignored)}: it sees no variables of the notebook.",
            "Remove them, or put what Label Studio needs into the setting `environment` and restart "
            "Jupyter.",
        )
    yield from _unknown_settings(environment)
    if environment.get("PYTHONPATH"):
        yield warning(
            SUBJECT,
            "`PYTHONPATH` is set: Python takes modules from its folders before those of the packages.",
            "If something does not work, remove the variable and restart Jupyter.",
        )
    if environment.get("PYTHONHOME"):
        yield warning(
            SUBJECT,
            "`PYTHONHOME` is set, which breaks Pythons of other environments.",
            "Remove the variable and restart Jupyter.",
        )
    yield from _proxy(environment)
    yield from _home(environment)


def _unknown_settings(environment: Mapping[str, str]) -> Iterator[Finding]:
    names = [
        f"{ENVIRONMENT_PREFIX}{name.upper()}"
        for name in LabelStudioProxy.class_trait_names(config=True)
    ]
    for name in sorted(environment):
        rest = name.removeprefix(ENVIRONMENT_PREFIX)
        known = name in names or name in NOT_SETTINGS or rest.startswith(KUBERNETES)
        if rest == name or known:
            continue
        close = get_close_matches(name, names, 1)
        yield warning(
            SUBJECT,
            f"`{name}` is no setting, so it is ignored.",
            (f"Did you mean `{close[0]}`? " if close else "") + "Correct it and restart Jupyter.",
        )


def _proxy(environment: Mapping[str, str]) -> Iterator[Finding]:
    proxies = [name for name in PROXIES if environment.get(name)]
    direct = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    listed = {each.strip() for each in direct.split(",")}
    missing = [host for host in LOOPBACK if host not in listed]
    if proxies and missing and "*" not in listed:
        yield warning(
            SUBJECT,
            f"`{proxies[0]}` is set, and `no_proxy` does not name {' and '.join(missing)}: programs "
            "send requests for this machine to the proxy.",
            f"Add `{','.join(missing)}` to `no_proxy` and restart Jupyter.",
        )


def _home(environment: Mapping[str, str]) -> Iterator[Finding]:
    home = environment.get("HOME", "")
    if not home:
        yield warning(
            SUBJECT, "`HOME` is not set.", "Set it to the user's home folder and restart Jupyter."
        )
    elif not (Path(home).is_dir() and os.access(home, os.W_OK | os.X_OK)):
        yield warning(
            SUBJECT,
            f"`HOME` names {home}, which is not a folder that this user can write.",
            "Make it writable, or set `HOME` to a folder that is, and restart Jupyter.",
        )
