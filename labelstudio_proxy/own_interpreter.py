"""What makes this process's Python interpreter what it is, for processes that need the same one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

# These decide which modules and libraries it finds, and how it reads and writes text.
_VARIABLES = (
    *("CONDA_PREFIX", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"),
    *("DYLD_FALLBACK_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LD_LIBRARY_PATH", "LD_PRELOAD"),
    # EasyBuild's, Guix's and Nix's forms of PYTHONPATH
    *("EBPYTHONPREFIXES", "GUIX_PYTHONPATH", "NIX_PYTHONPATH"),
    *("PYTHONCASEOK", "PYTHONDONTWRITEBYTECODE", "PYTHONEXECUTABLE", "PYTHONHOME"),
    *("PYTHONIOENCODING", "PYTHONNOUSERSITE", "PYTHONPATH", "PYTHONPLATLIBDIR"),
    *("PYTHONPYCACHEPREFIX", "PYTHONSAFEPATH", "PYTHONUSERBASE", "PYTHONUTF8"),
)
_OPTIONS = {
    "isolated": "-I",
    "ignore_environment": "-E",
    "no_user_site": "-s",
    "no_site": "-S",
    "safe_path": "-P",
}


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return those of the variables that decide what the interpreter finds.

    Makes the folders in PYTHONPATH absolute, for a process in another folder.
    """
    found = {name: environment[name] for name in _VARIABLES if name in environment}
    if path := found.get("PYTHONPATH"):
        found["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, path.split(os.pathsep)))
    return found


def options() -> list[str]:
    """Return the options that this interpreter was started with and that decide what it finds."""
    return [option for name, option in _OPTIONS.items() if getattr(sys.flags, name, False)]
