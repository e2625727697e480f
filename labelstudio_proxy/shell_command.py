"""Command lines for people to type; pages and messages take them from here."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

# Every shell searches these folders. Jupyter's own PATH may have more than a terminal's.
SEARCHED_ALWAYS = "/usr/local/bin:/usr/bin:/bin"
# What Python can run where the program is missing.
MODULES = {"jupyter": "jupyter", "labelstudio-proxy": "labelstudio_proxy"}


def shell_command(line: str) -> str:
    """Return the command so that it works in any terminal of this user.

    `line`: of a program of this Python environment, for example `labelstudio-proxy start`. The
    program gets its path if a terminal would not find it.
    """
    program, _, arguments = line.partition(" ")
    script = Path(sys.executable).with_name(program)
    found = shutil.which(program, path=SEARCHED_ALWAYS)
    if not os.access(script, os.X_OK):
        if program in MODULES:
            program = f"{shlex.quote(sys.executable)} -m {MODULES[program]}"
    elif found is None or not script.samefile(found):
        program = shlex.quote(str(script))
    return f"{program} {arguments}".strip()


def pip_install(requirements: str, python: str | Path = sys.executable) -> str:
    """Return the command that installs packages for this Python interpreter.

    `requirements`: pip's arguments, for example `--upgrade label-studio`.
    """
    quoted = shlex.quote(str(python))
    if not any(Path(python).parent.glob("pip*")) and shutil.which("uv"):  # uv's environments
        return f"uv pip install --python {quoted} {requirements}"
    return f"{quoted} -m pip install {requirements}"
