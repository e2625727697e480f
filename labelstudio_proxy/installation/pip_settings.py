"""The settings of the user's pip, for uv, which does not read them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

# They change what pip prints, or what does not matter in a separate environment.
IGNORED = frozenset(
    {
        *("break-system-packages", "cache-dir", "config-file", "disable-pip-version-check"),
        *("exists-action",),
        *("log", "no-cache-dir", "no-color", "no-input", "no-python-version-warning"),
        *("no-warn-conflicts", "no-warn-script-location", "prefer-binary", "progress-bar", "quiet"),
        *(
            "require-virtualenv",
            "retries",
            "root-user-action",
            "upgrade-strategy",
            "use-deprecated",
        ),
        *("use-feature", "user", "verbose", "compile", "timeout", "default-timeout"),
    }
)
# Variables of uv whose values are lists, as in pip.
LISTS = {
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "constraint": "UV_CONSTRAINT",
}
LOCATIONS = frozenset({"extra-index-url", "find-links", "constraint"})
FALSE = frozenset({"", "0", "false", "no", "off"})


def parse(text: str) -> dict[str, str]:
    """Return the settings that `pip config list` has printed.

    Those of `install` override the global ones, and the environment overrides both.
    """
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in text.splitlines():
        key, found, value = line.partition("=")
        section, _, name = key.partition(".")
        if found and section in sections:
            try:
                sections[section][name.replace("_", "-")] = str(ast.literal_eval(value))
            except (ValueError, SyntaxError):
                continue
    # pip ignores empty values
    return {
        name: value
        for section in sections.values()
        for name, value in section.items()
        if value.strip()
    }


def for_uv(settings: Mapping[str, str]) -> tuple[list[str], dict[str, str]] | None:
    """Return the options and variables with which uv installs as pip does with `settings`.

    Addresses are in variables: other users could read a password in a command line. Return None if
    uv has no counterpart.
    """
    options: list[str] = []
    variables: dict[str, str] = {}
    for name, value in settings.items():
        if name == "index-url":
            variables["UV_INDEX_URL"] = value
        elif name in LISTS:
            words = value.split()
            if name in LOCATIONS:  # pip ignores local folders that are missing, and uv does not
                words = [word for word in words if not _is_missing(word)]
            if words:
                variables[LISTS[name]] = ("," if name == "find-links" else " ").join(words)
        elif name == "no-index":
            if value.lower() not in FALSE:
                options = ["--no-index"]
        elif name == "cert":
            variables["SSL_CERT_FILE"] = value
        elif name == "client-cert":
            variables["SSL_CLIENT_CERT"] = value
        elif name == "proxy":
            proxy = value if "://" in value else f"http://{value}"
            variables |= {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "ALL_PROXY": proxy}
        elif name not in IGNORED:
            return None
    if "UV_EXTRA_INDEX_URL" in variables:  # pip takes the best version of all indexes
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return options, variables


def _is_missing(location: str) -> bool:
    parts = urlsplit(location)
    if parts.scheme not in {"", "file"}:
        return False
    return not Path(unquote(parts.path) if parts.scheme else location).expanduser().exists()
