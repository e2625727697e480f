"""The client works in environments that have nothing else."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import labelstudio_proxy
from labelstudio_proxy import client


def test_every_module_needs_the_standard_library_only() -> None:
    names = [
        f"labelstudio_proxy.client.{each.name}" for each in pkgutil.iter_modules(client.__path__)
    ]
    assert "labelstudio_proxy.client.api" in names
    root = str(Path(labelstudio_proxy.__file__).parents[1])
    code = (
        f"import sys; sys.path.insert(0, {root!r})\n"
        f"import importlib\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "import labelstudio_proxy as lsp\n"
        "assert all(getattr(lsp, name) for name in lsp.__all__)\n"
    )
    # -S: without the folders of installed packages
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
