"""Garbage collection is off while Label Studio loads, and on when it serves."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from support.label_studio import EXECUTABLE
from support.processes import clean_environment

from labelstudio_proxy.label_studio import environment
from labelstudio_proxy.label_studio.programs import SERVER

PROCESS = """
import gc, json, labelstudio_server
labelstudio_server.load()
print(json.dumps([gc.isenabled(), gc.get_freeze_count() > 0]))
"""
CONTAINER = """
import gc, json, django
django.setup()
from django.core.signals import request_started
told = [gc.isenabled()]
for _ in range(2):
    request_started.send(sender=object, environ={})
    told += [gc.isenabled(), gc.get_freeze_count() > 0]
print(json.dumps(told))
"""


@pytest.mark.parametrize(
    ("program", "expected"),
    [(PROCESS, [True, True]), (CONTAINER, [False, True, True, True, True])],
    ids=["process", "container"],
)
def test_garbage_collection_is_on_after_loading(
    data_dir: Path, tmp_path: Path, program: str, expected: list[bool]
) -> None:
    python = EXECUTABLE.parent / "python"
    where = "import label_studio, pathlib; print(pathlib.Path(label_studio.__file__).parent)"
    package = subprocess.run(
        [python, "-c", where], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    variables = environment.labelstudio_environment(
        clean_environment(tmp_path), data_dir=data_dir, files_root=None, extra={}
    )
    variables["DJANGO_SETTINGS_MODULE"] = "labelstudio_settings"
    variables["PYTHONPATH"] = os.pathsep.join([str(SERVER.parent), package])
    done = subprocess.run(
        [python, "-c", program], env=variables, check=True, stdout=subprocess.PIPE, text=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == expected
