"""Garbage collection is off while Label Studio loads, and on when it serves."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from support.label_studio import EXECUTABLE
from support.processes import clean_environment

from labelstudio_proxy.label_studio import environment
from labelstudio_proxy.label_studio.programs import SERVER

PROGRAM = """
import gc, json, labelstudio_server
labelstudio_server.load()
print(json.dumps([gc.isenabled(), gc.get_freeze_count() > 0]))
"""


def test_garbage_collection_is_on_after_loading(data_dir: Path, tmp_path: Path) -> None:
    python = EXECUTABLE.parent / "python"
    variables = environment.labelstudio_environment(
        clean_environment(tmp_path), data_dir=data_dir, files_root=None, extra={}
    )
    variables["PYTHONPATH"] = str(SERVER.parent)
    done = subprocess.run(
        [python, "-c", PROGRAM], env=variables, check=True, stdout=subprocess.PIPE, text=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [True, True]
