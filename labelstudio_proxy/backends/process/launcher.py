"""Finds the Python interpreter that an executable such as `label-studio` starts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

HEAD_BYTES = 16 * 1024
SHELL_SECONDS = 10.0
# The folders beside a binary of `pixi global` or `conda global` with `<name>.json`, which names the
# executable of the environment.
_TRAMPOLINES = ("trampoline_configuration", "trampoline")
_SHELLS = frozenset({"ash", "bash", "dash", "ksh", "sh", "zsh"})
# A program for a shell and for Python: a shell ends at `exec`, and Python reads the lines up to there
# as a string. pip, uv and others write it for a path that is long, has a space, or may move:
#     #!/bin/sh
#     '''exec' "$(dirname -- "$(realpath -- "$0")")"/'python3' "$0" "$@"
#     ' '''
_EXEC = re.compile(r"""(?<![\w./-])['"]*exec['"]?(?=[ \t])""")
_PYTHON_CODE = re.compile(r"^(?:import|from)[ ]", re.MULTILINE)
# The options that decide which modules Python finds.
_OPTIONS = re.compile(r"-[EIPSs]+")


def command_of(executable: Path, environment: Mapping[str, str]) -> list[str]:
    """Return the Python interpreter and the options that a script of pip, uv or conda starts.

    Returns an empty list for other programs. `environment`: for a shell that finds the interpreter.
    """
    executable = _behind_trampoline(executable)
    try:
        with executable.open("rb") as file:
            head = file.read(HEAD_BYTES).decode(errors="surrogateescape")
    except OSError:
        return []
    words = _words_of_first_line(head)
    if words and Path(words[0]).name in _SHELLS:
        words = _words_of_shell(head, executable, environment)
    python = _python(words[0], executable, environment) if words else ""
    return [python, *filter(_OPTIONS.fullmatch, words[1:])] if python else []


def _behind_trampoline(executable: Path) -> Path:
    real = executable.resolve()
    for folder in _TRAMPOLINES:
        try:
            described = json.loads((real.parent / folder / f"{real.name}.json").read_bytes())
            return Path(described["exe"])
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return executable


def _words_of_first_line(head: str) -> list[str]:
    """Return the interpreter and its options that the first line names."""
    if not head.startswith("#!"):
        return []
    words = head[2:].partition("\n")[0].split()
    if words and Path(words[0]).name == "env":
        words = [word.removeprefix("-S") for word in words[1:]]
        while words and (not words[0] or words[0].startswith("-") or "=" in words[0]):
            words = words[1:]
    return words


def _words_of_shell(head: str, executable: Path, environment: Mapping[str, str]) -> list[str]:
    """Return the words after the first `exec` that a shell runs."""
    code = _PYTHON_CODE.search(head)
    if not code:  # only a shell's program, such as a wrapper
        return []
    shown = "shown() { printf '%s\\0' \"$@\"; exit; }\n"
    try:
        done = subprocess.run(  # noqa: S603 - the beginning of a program that is run anyway
            ["/bin/sh", "-c", shown + _EXEC.sub("shown", head[: code.start()]), str(executable)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SHELL_SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return []
    return os.fsdecode(done.stdout).split("\0")


def _python(name: str, executable: Path, environment: Mapping[str, str]) -> str:
    """Return the path of the Python interpreter `name`; empty if it is none."""
    if not re.fullmatch(r"(python|pypy)[\w.-]*", Path(name).name, re.IGNORECASE):
        return ""
    if "/" in name:
        return name if os.access(name, os.X_OK) else ""
    # conda writes only the name if the path is too long for the first line, and means the one beside
    # the script. Its environment need not be on PATH.
    for folder in (executable.parent, executable.resolve().parent):
        if os.access(folder / name, os.X_OK):
            return str(folder / name)
    return shutil.which(name, path=environment.get("PATH")) or ""
