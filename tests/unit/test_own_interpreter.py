"""A process that is started with these options and variables has the same interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labelstudio_proxy.own_interpreter import options, variables

SHOW = "from labelstudio_proxy.own_interpreter import options; print(*options())"


@pytest.mark.parametrize("given", [["-s"], ["-E"], ["-I"], []])
def test_options_make_an_interpreter_that_finds_the_same(given: list[str]) -> None:
    def shown(*arguments: str) -> list[str]:
        environment = {"PATH": os.environ["PATH"]}
        command = [sys.executable, *arguments, "-c", SHOW]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return done.stdout.split()

    found = shown(*given)
    assert set(given) <= set(found)
    assert shown(*found) == found


def test_only_variables_of_the_interpreter_are_returned() -> None:
    given = {"PYTHONHOME": "/opt/python", "PYTHONWARNINGS": "error", "SECRET_KEY": "x", "PATH": "/"}
    assert variables(given) == {"PYTHONHOME": "/opt/python"}


def test_folders_stay_the_same_in_another_working_directory() -> None:
    here = Path.cwd()
    assert variables({"PYTHONPATH": "/a:b:"})["PYTHONPATH"] == f"/a:{here / 'b'}:{here}"
    assert variables({"PYTHONPATH": ""})["PYTHONPATH"] == ""


def test_this_interpreter_has_known_options() -> None:
    assert all(option.startswith("-") for option in options())
